/** The scheduler's core with a shell of links on virtual time. */
import assert from 'node:assert/strict'
import type { Rng } from '../../common/rng.js'
import { arrayId, clientId, taskId, workerId, type ClientId, type WorkerId } from '../../protocol/ids.js'
import {
  clientToScheduler,
  schedulerToClient,
  type ClientToScheduler,
  type SchedulerToClient,
} from '../../protocol/messages/client.js'
import {
  schedulerToWorker,
  workerToScheduler,
  type SchedulerToWorker,
  type WorkerToScheduler,
} from '../../protocol/messages/worker.js'
import type { Field } from '../../protocol/schema.js'
import { decode, encode } from '../../protocol/transport/codec.js'
import type { SchedulerEvent } from '../../scheduler/core/events.js'
import type { SchedulerInstruction } from '../../scheduler/core/instructions.js'
import { findByKey } from '../../scheduler/core/explain.js'
import { checkInvariants } from '../../scheduler/core/invariants.js'
import { endTurn, handleEvent, nextDeadlineMs } from '../../scheduler/core/machine.js'
import type { OperatorAction } from '../../scheduler/core/on-operator.js'
import { keyOf } from '../../scheduler/core/task.js'
import { journalRecord } from '../../scheduler/core/journal-record.js'
import { endReplay, replay } from '../../scheduler/core/replay.js'
import { createState, type SchedulerState } from '../../scheduler/core/state.js'
import { HELD } from '../../scheduler/core/task-array.js'
import type { Agenda } from './agenda.js'
import { Link } from './link.js'
import { Loop } from './loop.js'

/** What a client or a worker sees of its connection. */
export interface Connection<Outgoing> {
  send(message: Outgoing): void
  flush(): void
  /** Ends the connection; what is under way is lost. Both sides learn of it, each in its time. */
  cut(): void
}

export interface Peer<Incoming> {
  receive(messages: readonly Incoming[]): void
  connectionLost(): void
}

interface Session<Outgoing> {
  readonly down: Link<Outgoing>
  cut(): void
}

/** The two ends of a new connection: `down` goes from the scheduler to its peer, `up` the other way. */
interface Ends<Down, Up, Id> {
  readonly downField: Field<Down>
  readonly upField: Field<Up>
  readonly peer: Peer<Down>
  readonly receive: (message: Up) => void
  readonly sessions: Map<Id, Session<Down>>
  readonly id: Id
  readonly onLost: () => void
}

export class SimulatedScheduler {
  readonly state: SchedulerState
  readonly #agenda: Agenda
  readonly #rng: Rng
  readonly #loop: Loop<SchedulerEvent, SchedulerInstruction>
  readonly #workers = new Map<WorkerId, Session<SchedulerToWorker>>()
  readonly #clients = new Map<ClientId, Session<SchedulerToClient>>()
  readonly #operations = new Map<number, (key: string) => void>()
  #nextId = 1

  /** What the journal has, as bytes, if the scheduler keeps its state. */
  readonly #kept: Uint8Array[] = []

  constructor(agenda: Agenda, rng: Rng, maxInlineCacheBytes: number, keepsState: boolean) {
    this.#agenda = agenda
    this.#rng = rng
    this.state = createState({
      peerSecret: 'secret',
      seed: 1,
      firstArray: arrayId(1),
      startedAtMs: 0,
      packageVersion: '0',
      nodeVersion: '0',
      maxInlineCacheBytes,
      keepsState,
    })
    this.#loop = new Loop({
      agenda,
      rng: rng.fork(),
      core: {
        handleEvent: (event: SchedulerEvent) => {
          this.#noteOperation(event)
          return handleEvent(this.state, event)
        },
        endTurn: (nowMs) => endTurn(this.state, nowMs),
        nextDeadlineMs: () => nextDeadlineMs(this.state),
        checkInvariants: () => checkInvariants(this.state),
        costOfCheck: () => costOfCheck(this.state),
      },
      perform: (instruction) => this.#perform(instruction),
      flush: () => {
        for (const { down } of this.#workers.values()) down.flush()
        for (const { down } of this.#clients.values()) down.flush()
      },
    })
  }

  /** A worker dials; its first message must be `join`. */
  connectWorker(peer: Peer<SchedulerToWorker>): Connection<WorkerToScheduler> {
    const worker = workerId(this.#nextId++)
    const receive = (message: WorkerToScheduler): void => {
      if (message.type === 'relay-frame' || message.type === 'relay-taken' || message.type === 'runs') return
      if (message.type === 'join') this.#loop.submit({ type: 'worker-joined', worker, join: message })
      else this.#loop.submit({ type: 'worker-message', worker, message })
    }
    return this.#connect({
      downField: schedulerToWorker,
      upField: workerToScheduler,
      peer,
      receive,
      sessions: this.#workers,
      id: worker,
      onLost: () => this.#loop.submit({ type: 'worker-left', worker, reason: 'connection cut' }),
    })
  }

  connectClient(name: string, peer: Peer<SchedulerToClient>, tasksOf?: string): Connection<ClientToScheduler> {
    const client = clientId(this.#nextId++)
    const connection = this.#connect({
      downField: schedulerToClient,
      upField: clientToScheduler,
      peer,
      receive: (message: ClientToScheduler) => {
        if (message.type === 'relay-frame' || message.type === 'relay-taken') return
        this.#loop.submit({ type: 'client-message', client, message })
      },
      sessions: this.#clients,
      id: client,
      onLost: () => this.#loop.submit({ type: 'client-left', client }),
    })
    const isLasting = this.state.config.keepsState === true && tasksOf === undefined
    const session = isLasting ? `session of ${client}` : ''
    this.#loop.submit({ type: 'client-joined', client, name, session, tasksOf })
    return connection
  }

  /** Somebody who looks after the cluster asks; told of the key that is cancelled or run again, before it is. */
  operate(action: OperatorAction, key: string, onKey: (key: string) => void): void {
    const request = this.#nextId++
    this.#operations.set(request, onKey)
    this.#loop.submit({ type: 'operator-asked', request, action, key })
  }

  #noteOperation(event: SchedulerEvent): void {
    if (event.type !== 'operator-asked') return
    const task = findByKey(this.state, event.key)?.task
    this.#operations.get(event.request)?.(task === undefined ? event.key : keyOf(task.producer ?? task))
  }

  /** Where the values of a worker are, whether it listens there or not. */
  addressOf(worker: WorkerId): string {
    return `ws://${this.state.workers.get(worker)?.join.name ?? ''}`
  }

  #connect<Down, Up, Id>({
    downField,
    upField,
    peer,
    receive,
    sessions,
    id,
    onLost,
  }: Ends<Down, Up, Id>): Connection<Up> {
    const agenda = this.#agenda
    const rng = this.#rng.fork()
    const down = new Link<Down>({ agenda, rng, field: downField, deliver: (messages) => peer.receive(messages) })
    const up = new Link<Up>({ agenda, rng, field: upField, deliver: (messages) => messages.forEach(receive) })
    const cut = (): void => {
      if (sessions.get(id) !== session) return
      sessions.delete(id)
      down.cut()
      up.cut()
      agenda.in(rng.between(0, 20), onLost)
      agenda.in(rng.between(0, 20), () => peer.connectionLost())
    }
    const session: Session<Down> = { down, cut }
    sessions.set(id, session)
    return { send: (message) => up.send(message), flush: () => up.flush(), cut }
  }

  #perform(instruction: SchedulerInstruction): void {
    switch (instruction.type) {
      case 'keep':
        for (const record of instruction.records) this.#kept.push(encode(journalRecord, record, 0))
        for (const { client, message } of instruction.tell) this.#clients.get(client)?.down.send(message)
        break
      case 'to-client':
        this.#clients.get(instruction.client)?.down.send(instruction.message)
        break
      case 'to-worker':
        this.#workers.get(instruction.worker)?.down.send(instruction.message)
        break
      case 'close-worker':
        this.#workers.get(instruction.worker)?.cut()
        break
      case 'tell-blocked':
        break
      case 'answer-operator':
        assert(this.#operations.delete(instruction.request), 'an operator is answered once')
        break
      case 'answer-looker':
        assert.fail('nobody only looks')
        break
      case 'connect-relay':
      case 'cut-relay':
        break // What goes through relays is told by word of mouth here.
      case 'close-client':
        // A task of a worker that is gone, which will know of that soon.
        assert.equal(instruction.code, 'ERR_HEDDLE_CONNECTION_LOST', `a client was refused: ${instruction.reason}`)
        this.#clients.get(instruction.client)?.cut()
    }
  }

  /** Does anything wait for a worker's next sign of life? */
  get awaitsPulses(): boolean {
    return [...this.state.workers.values()].some(({ copies }) => copies.resting.size > 0)
  }

  /**
   * A scheduler that took the place of this one now, by its journal, would know of every task what this one does, but for what
   * workers have.
   */
  checkSuccessor(): void {
    if (this.state.config.keepsState !== true) return
    const known = digestOf(this.state)
    assert.deepEqual(digestOf(this.#successor(this.#kept)), known, 'by its journal')
  }

  #successor(kept: readonly Uint8Array[]): SchedulerState {
    const state = createState(this.state.config)
    for (const bytes of kept) replay(state, decode(journalRecord, bytes))
    endReplay(state, this.state.nowMs)
    checkInvariants(state)
    return state
  }

  /** Nothing is left of any task. */
  checkHoldsNoTasks(): void {
    const { state } = this
    assert.equal(state.arrays.size, 0, 'the scheduler has arrays left')
    assert.equal(state.keys.size, 0, 'the scheduler has keys left')
    assert.equal(state.queueDeadlines.length, 0, 'the scheduler has deadlines of waits left')
    assert.equal(state.delayed.length, 0, 'the scheduler has tasks to try again left')
    assert.equal(state.inline.sizeBytes, 0, 'the scheduler has values left')
    assert.equal(state.nestings.size, 0, 'the scheduler has tasks with children left')
    assert.equal(state.ready.next(), undefined, 'the scheduler has ready tasks left')
    for (const worker of state.workers.values()) {
      assert.equal(worker.processing.size, 0, `the scheduler waits for tasks of worker ${worker.id}`)
      assert.equal(worker.suspended.size, 0, `worker ${worker.id} has tasks left that wait for others`)
      assert.equal(worker.lingering.size, 0, `tasks that are gone still take of worker ${worker.id}`)
      assert.equal(worker.reservedFor, undefined, `worker ${worker.id} is kept free for nothing`)
    }
  }

  /** Nothing is left of any client. */
  checkHoldsNoClients(): void {
    assert.equal(this.#operations.size, 0, 'operators wait for answers')
    assert.equal(this.state.clients.size, 0, 'the scheduler has clients left')
    assert.equal(this.state.spreads.size, 0, 'the scheduler has values to copy left')
    assert.equal(this.state.scatters.size, 0, 'the scheduler has values that clients bring left')
    assert.equal(this.state.copying.size, 0, 'the scheduler waits for copies')
    assert.equal(this.state.relays.size, 0, 'the scheduler has relays left')
    for (const { declaration, taken, waiting } of this.state.limits.values()) {
      assert.deepEqual([taken, waiting.size], [0, 0], `units of ${declaration.name} are taken by nobody`)
    }
    assert.equal(this.state.codes.size, 0, 'the scheduler has code left')
    for (const { name, templates } of this.state.functions.values()) {
      assert.equal(templates, 0, `the scheduler has templates of ${name} left`)
    }
  }
}

/** What is known of each task, and who holds it. What tasks submitted is not kept: they submit it again. */
function digestOf({ arrays, clients, datasets, nextArray }: SchedulerState): unknown {
  const tasks: [number, string][] = []
  const lasting = [...clients.values()].filter(({ session }) => session !== '')
  const codes = new Set<string>()
  for (const client of lasting) for (const { define } of client.codes) codes.add(define.code)
  for (const array of arrays.values()) {
    if (array.nesting !== undefined) continue
    array.flags.forEach((flags, index) => {
      const task = array.tasks[index]
      const isHeld = (flags & HELD) !== 0
      if (!isHeld && task === undefined) return
      const { type } = task?.state ?? { type: 'ready' }
      const what = type === 'in-memory' || type === 'failed' || type === 'released' ? type : 'pending'
      tasks.push([
        taskId(array.id, index),
        `${what} ${isHeld} ${task?.isDetached ?? false} ${task?.inputs.length ?? 0}`,
      ])
    })
  }
  return {
    tasks: tasks.sort(([a], [b]) => a - b),
    said: lasting.map(({ session, saidCount }) => `${session} ${saidCount}`).sort(),
    codes: [...codes].sort(),
    datasets: [...datasets.keys()].sort(),
    nextArray,
  }
}

function costOfCheck({ arrays, workers }: SchedulerState): number {
  let cost = 10 + 2 * workers.size
  for (const { flags } of arrays.values()) cost += 2 * flags.length
  return cost
}
