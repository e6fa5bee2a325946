/**
 * The scheduler's core between one simulated client and simulated workers, in one process and without a socket. Only the
 * core's own time is taken. The client maps and gathers as a real one does: it submits task arrays, wants every value, and
 * releases a future when its value has come; workers answer with each task's argument as its value.
 */
import assert from 'node:assert/strict'
import type { Packed } from '../../common/packed.js'
import {
  ARRAY_CAPACITY,
  arrayId,
  arrayOf,
  clientId,
  codeHash,
  indexOf,
  taskId,
  templateId,
  workerId,
  type TaskId,
} from '../../protocol/ids.js'
import { NO_RULES } from '../../protocol/messages/rules.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import type { SchedulerToClient } from '../../protocol/messages/client.js'
import { PRIORITY_BASE } from '../../protocol/urgency.js'
import type { HeardFromClient, SchedulerEvent } from '../../scheduler/core/events.js'
import type { SchedulerInstruction } from '../../scheduler/core/instructions.js'
import { createSchedulerMachine, type SchedulerMachine } from '../../scheduler/core/machine.js'
import { SimulatedWorker } from './simulated-worker.js'

const CLIENT = clientId(1)
const TEMPLATE = templateId(1)
const FIRST_ARRAY = 1
/** One turn of the scheduler's event loop hears from so many workers, however many there are. */
const REPORTS_PER_TURN = 8
/** And takes in so many task arrays. */
const SUBMISSIONS_PER_TURN = 8
/** In what a busy scheduler finishes in about a second, each worker sends a pulse, and one status is asked for. */
const TASKS_PER_SECOND = 200_000
/** An encoded argument: what says that it is a list of one number, and the number. */
const ARGUMENT_BYTES = 6

type WithoutTime<E> = E extends unknown ? Omit<E, 'nowMs'> : never

export class SimulatedCluster {
  /** What the core has taken so far, in seconds of CPU. */
  cpuSeconds = 0
  eventCount = 0
  finishedCount = 0
  readonly #machine: SchedulerMachine = createSchedulerMachine({
    peerSecret: 'secret',
    seed: 1,
    firstArray: arrayId(FIRST_ARRAY),
    startedAtMs: 0,
    packageVersion: '0',
    nodeVersion: '0',
  })
  readonly #taskCount: number
  /** By task: whether its value has come. */
  readonly #hasValue: Uint8Array
  readonly #workers: SimulatedWorker[] = []
  #nextWorker = 0
  #pulsesDue = 0
  #nextPulse = 0
  /** What the client says in the next turn. */
  #fromClient: HeardFromClient[] = []

  constructor(taskCount: number) {
    this.#taskCount = taskCount
    this.#hasValue = new Uint8Array(taskCount)
    this.#turn([{ type: 'client-joined', client: CLIENT, name: 'bench' }])
    const code = codeHash('hash of the function')
    this.#fromClient.push(
      { type: 'define-code', code, kind: 'function', source: Uint8Array.of(1), sourceMap: undefined },
      {
        type: 'define-template',
        template: TEMPLATE,
        name: 'task',
        code,
        exportName: 'default',
        constants: new Uint8Array(0),
        constantInputs: [],
        priority: PRIORITY_BASE,
        depth: 0,
        outputs: 0,
        needs: NO_NEEDS,
        rules: NO_RULES,
      },
    )
    this.#turn(this.#takeFromClient())
  }

  /** Submits every task, and wants its value. */
  submitAll(): void {
    for (let first = 0; first < this.#taskCount; first += ARRAY_CAPACITY) {
      this.#submit(first, Math.min(ARRAY_CAPACITY, this.#taskCount - first))
      if (this.#fromClient.length >= 2 * SUBMISSIONS_PER_TURN) this.#turn(this.#takeFromClient())
    }
    this.#turn(this.#takeFromClient())
  }

  addWorkers(count: number): void {
    for (let number = this.#workers.length + 1; number <= count; number++) {
      const worker = new SimulatedWorker(workerId(number))
      this.#workers.push(worker)
      this.#turn([{ type: 'worker-joined', worker: worker.id, join: worker.join }])
    }
  }

  /** Goes on until so many tasks are finished, or all are. */
  runUntil(finishedCount: number): void {
    const target = Math.min(finishedCount, this.#taskCount)
    while (this.finishedCount < target) this.#step()
  }

  /** Every value came once, and nothing of any task is left. @throws {AssertionError} */
  checkDone(): void {
    assert.equal(this.finishedCount, this.#taskCount)
    assert.ok(this.#hasValue.every((flag) => flag === 1))
    this.#turn(this.#takeFromClient())
    this.#machine.checkInvariants()
    const { tasks, totals, workers } = this.#machine.statusOf(0)
    const { submitted, finished, failed, retried } = totals
    assert.deepEqual([submitted, finished, failed, retried], [this.#taskCount, this.#taskCount, 0, 0])
    assert.equal(workers.length, this.#workers.length)
    assert.ok(Object.values(tasks).every((count) => count === 0))
  }

  /** Workers in turn report what they ran; the client releases what it got. */
  #step(): void {
    const events: WithoutTime<SchedulerEvent>[] = []
    for (let i = 0; i < this.#workers.length && events.length < REPORTS_PER_TURN; i++) {
      const worker = this.#workers[this.#nextWorker]!
      this.#nextWorker = (this.#nextWorker + 1) % this.#workers.length
      const message = worker.takeReport()
      if (message === undefined) continue
      events.push({ type: 'worker-message', worker: worker.id, message })
      this.#pulsesDue += (message.tasks.length * this.#workers.length) / TASKS_PER_SECOND
    }
    for (; this.#pulsesDue >= 1; this.#pulsesDue--) {
      const worker = this.#workers[this.#nextPulse % this.#workers.length]!
      events.push({ type: 'worker-message', worker: worker.id, message: worker.pulse() })
      // Once each of them has sent one, a second has gone by.
      if (this.#nextPulse % this.#workers.length === 0) this.#fromClient.push({ type: 'ask-status', request: 1 })
      this.#nextPulse++
    }
    assert.ok(events.length + this.#fromClient.length > 0, 'tasks are left, and nobody has anything to say')
    this.#turn([...events, ...this.#takeFromClient()])
  }

  #takeFromClient(): WithoutTime<SchedulerEvent>[] {
    const messages = this.#fromClient
    this.#fromClient = []
    return messages.map((message) => ({ type: 'client-message', client: CLIENT, message }))
  }

  /** One turn of the core, on the clock, and then what it leads to. */
  #turn(events: readonly WithoutTime<SchedulerEvent>[]): void {
    const nowMs = (this.finishedCount * 1000) / TASKS_PER_SECOND
    const stamped = events.map((event): SchedulerEvent => ({ ...event, nowMs }))
    const before = process.cpuUsage()
    for (const event of stamped) this.#machine.handleEvent(event)
    const instructions = this.#machine.endTurn(nowMs)
    const { user, system } = process.cpuUsage(before)
    this.cpuSeconds += (user + system) / 1e6
    this.eventCount += events.length
    for (const instruction of instructions) this.#perform(instruction)
  }

  #perform(instruction: SchedulerInstruction): void {
    switch (instruction.type) {
      case 'to-client':
        this.#receive(instruction.message)
        break
      case 'to-worker':
        if (instruction.message.type === 'run-tasks') {
          this.#workers[instruction.worker - 1]!.take(instruction.message)
        }
        break
      case 'collect':
        break
      case 'connect-relay':
      case 'cut-relay':
        assert.fail('nobody asked for a relay')
        break
      case 'answer-looker':
      case 'answer-operator':
      case 'keep':
        assert.fail('nobody looks after it, and it keeps no journal')
        break
      case 'close-client':
      case 'tell-blocked':
      case 'tell-repaired':
      case 'close-worker':
        assert.fail(`a connection was closed, tasks are blocked, or something was lost: ${instruction.reason}`)
    }
  }

  #receive(message: SchedulerToClient): void {
    assert.notEqual(message.type, 'failed')
    if (message.type !== 'values') return
    const { tasks, values } = message
    for (let i = 0; i < tasks.length; i++) {
      const number = numberOf(tasks[i]!)
      assert.equal(numberIn(values, i), number)
      assert.equal(this.#hasValue[number], 0)
      this.#hasValue[number] = 1
    }
    this.finishedCount += tasks.length
    this.#fromClient.push({ type: 'release', tasks })
  }

  #submit(first: number, count: number): void {
    const array = arrayId(FIRST_ARRAY + first / ARRAY_CAPACITY)
    const bytes = new Uint8Array(count * ARGUMENT_BYTES)
    const view = new DataView(bytes.buffer)
    const ends: number[] = new Array<number>(count)
    const tasks: TaskId[] = []
    for (let i = 0; i < count; i++) {
      view.setUint32((i + 1) * ARGUMENT_BYTES - 4, first + i)
      ends[i] = (i + 1) * ARGUMENT_BYTES
      tasks.push(taskId(array, i))
    }
    const args: Packed = { ends, bytes }
    const nothing = { inputCounts: [], inputs: [], keys: [] }
    this.#fromClient.push({ type: 'submit', array, firstIndex: 0, runs: [TEMPLATE, count], args, ...nothing })
    this.#fromClient.push({ type: 'want', tasks })
  }
}

function numberOf(task: TaskId): number {
  return (arrayOf(task) - FIRST_ARRAY) * ARRAY_CAPACITY + indexOf(task)
}

function numberIn({ ends, bytes }: Packed, place: number): number {
  const end = ends[place]!
  return ((bytes[end - 4]! << 24) | (bytes[end - 3]! << 16) | (bytes[end - 2]! << 8) | bytes[end - 1]!) >>> 0
}
