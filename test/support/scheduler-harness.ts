/**
 * A scheduler's core for tests: events in, instructions out, all invariants checked after every event. It plays the
 * clients and the workers, so a test reads as a conversation.
 */
import assert from 'node:assert/strict'
import { entryOf, NO_BYTES, Packer } from '../../common/packed.js'
import {
  ARRAY_CAPACITY,
  arrayId,
  attempt,
  clientId,
  codeHash,
  taskId,
  templateId,
  workerId,
  type ArrayId,
  type ClientId,
  type TaskId,
  type WorkerId,
} from '../../protocol/ids.js'
import { NO_NEEDS, type Needs } from '../../protocol/messages/needs.js'
import { NO_RULES, type Rules } from '../../protocol/messages/rules.js'
import type { SchedulerToClient } from '../../protocol/messages/client.js'
import { PRIORITY_BASE } from '../../protocol/urgency.js'
import type { Join, Pulse, SchedulerToWorker } from '../../protocol/messages/worker.js'
import { decode, encode } from '../../protocol/transport/codec.js'
import type { HeardFromClient, HeardFromWorker } from '../../scheduler/core/events.js'
import type { SchedulerInstruction } from '../../scheduler/core/instructions.js'
import type { Newcomer } from '../../scheduler/core/clients/client-record.js'
import { checkInvariants } from '../../scheduler/core/invariants.js'
import { endTurn, handleEvent, nextDeadlineMs } from '../../scheduler/core/machine.js'
import { journalRecord, type JournalRecord } from '../../scheduler/core/durable/journal-record.js'
import { endReplay, replay } from '../../scheduler/core/durable/replay.js'
import { snapshotOf } from '../../scheduler/core/durable/snapshot.js'
import { createState, type SchedulerConfig } from '../../scheduler/core/state.js'
import { statusOf } from '../../scheduler/core/views/status.js'

type Message<U extends { readonly type: string }, T extends U['type']> = Extract<U, { readonly type: T }>

export class SchedulerHarness {
  readonly state
  nowMs = 1_000
  /** What the journal has, if it keeps its state. */
  readonly kept: JournalRecord[] = []
  #unread: SchedulerInstruction[] = []
  #nextWorker = 1
  #nextClient = 1

  constructor(config: Partial<SchedulerConfig> = {}) {
    this.state = createState({
      peerSecret: 'secret',
      seed: 1,
      firstArray: arrayId(1),
      startedAtMs: 0,
      packageVersion: '0',
      nodeVersion: '20',
      ...config,
    })
  }

  client(name = 'client', session = this.state.config.keepsState === true ? `session of ${name}` : ''): TestClient {
    return this.#join({ name, session })
  }

  /** The client of the tasks that the worker of this name runs. */
  clientOfTasks(tasksOf: string): TestClient {
    return this.#join({ name: `tasks of ${tasksOf}`, tasksOf })
  }

  #join(newcomer: Newcomer): TestClient {
    const id = clientId(this.#nextClient++)
    this.turn({ type: 'client-joined', client: id, ...newcomer })
    const { first } = this.takeFor(id, 'lease')
    return new TestClient(this, id, first)
  }

  /**
   * The scheduler that takes the place of this one, which died: it has read the journal, or, with `snapshot`, one that begins
   * with the state as it is now.
   */
  successor(from: 'journal' | 'snapshot' = 'journal'): SchedulerHarness {
    const next = new SchedulerHarness(this.state.config)
    next.nowMs = this.nowMs
    const records = from === 'journal' ? this.kept : [...snapshotOf(this.state)]
    for (const record of records) {
      replay(next.state, decode(journalRecord, encode(journalRecord, record, 0)))
      next.kept.push(record)
    }
    endReplay(next.state, next.nowMs)
    next.#nextClient = this.#nextClient
    next.#nextWorker = this.#nextWorker
    checkInvariants(next.state)
    next.turn()
    return next
  }

  worker(options: Partial<Join> = {}): TestWorker {
    const id = workerId(this.#nextWorker++)
    const join: Join = {
      type: 'join',
      name: `w${id}`,
      address: `ws://w${id}`,
      threads: 1,
      memoryLimitBytes: 2 ** 30,
      pid: 1000 + id,
      host: 'host',
      packageVersion: '0',
      nodeVersion: '20',
      incarnation: `i${id}`,
      resources: [],
      ioTasks: 256,
      tags: [],
      isWatched: false,
      lastDeath: undefined,
      ...options,
    }
    this.turn({ type: 'worker-joined', worker: id, join })
    return new TestWorker(this, id, join)
  }

  /** Applies events as one turn. */
  turn(...events: Unstamped[]): void {
    for (const event of events) {
      this.#unread.push(...handleEvent(this.state, { ...event, nowMs: this.nowMs }))
      checkInvariants(this.state)
    }
    for (const instruction of endTurn(this.state, this.nowMs)) {
      this.#unread.push(...(instruction.type === 'keep' ? this.#keep(instruction) : [instruction]))
    }
    checkInvariants(this.state)
  }

  /** Lets time pass until the core asks for a turn, and gives it one. Returns how long that took. */
  wakeUp(): number {
    const deadlineMs = nextDeadlineMs(this.state)
    assert.ok(deadlineMs !== undefined, 'the scheduler waits for no time')
    const passedMs = deadlineMs - this.nowMs
    this.nowMs = Math.max(this.nowMs, deadlineMs)
    this.turn()
    return passedMs
  }

  get deadlineMs(): number | undefined {
    return nextDeadlineMs(this.state)
  }

  get tasks() {
    return statusOf(this.state).tasks
  }

  /** Removes and returns the oldest unread message of the type for a worker or client; fails when there is none. */
  takeFor<T extends SchedulerToClient['type']>(client: ClientId, type: T): Message<SchedulerToClient, T> {
    return this.#take((i) => i.type === 'to-client' && i.client === client, type) as Message<SchedulerToClient, T>
  }

  takeForWorker<T extends SchedulerToWorker['type']>(worker: WorkerId, type: T): Message<SchedulerToWorker, T> {
    return this.#take((i) => i.type === 'to-worker' && i.worker === worker, type) as Message<SchedulerToWorker, T>
  }

  takeClosing(): SchedulerInstruction & { readonly type: 'close-client' | 'close-worker' } {
    const place = this.#unread.findIndex(({ type }) => type === 'close-client' || type === 'close-worker')
    assert.notEqual(place, -1, 'no connection was closed')
    return this.#unread.splice(place, 1)[0] as never
  }

  /** Removes and returns the oldest unread instruction of the type, which is no message. */
  takeOrder<T extends SchedulerInstruction['type']>(type: T): Extract<SchedulerInstruction, { readonly type: T }> {
    const place = this.#unread.findIndex((instruction) => instruction.type === type)
    assert.notEqual(place, -1, `no ${type}`)
    return this.#unread.splice(place, 1)[0] as never
  }

  /** The types of all unread messages to a worker or a client. */
  unreadTypes(to: WorkerId | ClientId, kind: 'to-worker' | 'to-client'): string[] {
    return this.#unread.flatMap((i) => {
      if (i.type === 'to-worker' && kind === i.type && i.worker === to) return [i.message.type]
      if (i.type === 'to-client' && kind === i.type && i.client === to) return [i.message.type]
      return []
    })
  }

  skip(): void {
    this.#unread = []
  }

  /** Forgets what is unread of other types. */
  skipAllBut(type: SchedulerToWorker['type']): void {
    this.#unread = this.#unread.filter((i) => 'message' in i && i.message.type === type)
  }

  expectSilence(): void {
    assert.deepEqual(this.#unread, [])
  }

  /** Nothing is left of any task. */
  expectEmpty(): void {
    assert.equal(this.state.arrays.size, 0, 'arrays are left')
    assert.equal(this.state.keys.size, 0, 'keys are left')
    assert.equal(this.state.inline.sizeBytes, 0, 'inline values are left')
    for (const worker of this.state.workers.values())
      assert.equal(worker.processing.size, 0, 'tasks are left on a worker')
  }

  /** It is kept at once, and clients are told. */
  #keep({ records, tell }: SchedulerInstruction & { readonly type: 'keep' }): SchedulerInstruction[] {
    this.kept.push(...records)
    return tell.map(({ client, message }) => ({ type: 'to-client', client, message }))
  }

  #take(isFor: (instruction: SchedulerInstruction) => boolean, type: string): { readonly type: string } {
    const place = this.#unread.findIndex((i) => isFor(i) && 'message' in i && i.message.type === type)
    assert.notEqual(
      place,
      -1,
      `no ${type}; unread: ${JSON.stringify(this.#unread.map((i) => ('message' in i ? i.message.type : i.type)))}`,
    )
    const [instruction] = this.#unread.splice(place, 1)
    assert(instruction !== undefined && 'message' in instruction)
    return instruction.message
  }
}

type Event = Parameters<typeof handleEvent>[1]
export type Unstamped = Event extends infer E ? (E extends unknown ? Omit<E, 'nowMs'> : never) : never

export interface TaskDescription {
  readonly inputs?: readonly TaskId[]
  readonly key?: string
  readonly arg?: number
}

export class TestClient {
  readonly #harness: SchedulerHarness
  readonly id: ClientId
  /** The first of its lease. */
  readonly firstArray: ArrayId
  #nextArray: number
  #nextTemplate = 1

  constructor(harness: SchedulerHarness, id: ClientId, firstArray: ArrayId) {
    this.#harness = harness
    this.id = id
    this.firstArray = firstArray
    this.#nextArray = firstArray
  }

  send(...messages: HeardFromClient[]): void {
    this.#harness.turn(...messages.map((message) => ({ type: 'client-message', client: this.id, message }) as const))
  }

  /** Defines a function; returns the template's number. */
  define(
    name = 'f',
    options: {
      readonly priority?: number
      readonly depth?: number
      readonly constantInputs?: readonly TaskId[]
      readonly outputs?: number
      readonly needs?: Needs
      readonly rules?: Partial<Rules>
    } = {},
  ): number {
    const template = templateId(this.#nextTemplate++)
    this.send(...defineMessages(template, name, options))
    return template
  }

  /** Submits tasks of one template as one array; returns their ids. */
  submit(template: number, descriptions: readonly TaskDescription[]): TaskId[] {
    const { message, ids } = this.submission(template, descriptions)
    this.send(message)
    return ids
  }

  /** Submits one task with `count` outputs, which its template says too; returns their ids. */
  split(template: number, count: number, inputs: readonly TaskId[] = []): { producer: TaskId; outputs: TaskId[] } {
    const places = Array.from({ length: count }, () => ({}))
    const { message, ids } = this.submission(template, [{ inputs }, ...places])
    this.send(message)
    return { producer: ids[0]!, outputs: ids.slice(1) }
  }

  /** `count` independent tasks. */
  map(template: number, count: number): TaskId[] {
    const ids: TaskId[] = []
    for (let left = count; left > 0; left -= ARRAY_CAPACITY) {
      ids.push(...this.submit(template, new Array<TaskDescription>(Math.min(left, ARRAY_CAPACITY)).fill({})))
    }
    return ids
  }

  submission(template: number, descriptions: readonly TaskDescription[]) {
    const array = arrayId(this.#nextArray++)
    const args = new Packer()
    descriptions.forEach(({ arg }, i) => args.add(Uint8Array.of(1, arg ?? i % 256)))
    const hasInputs = descriptions.some(({ inputs }) => inputs !== undefined)
    const message: HeardFromClient = {
      type: 'submit',
      array,
      firstIndex: 0,
      runs: [template, descriptions.length],
      args: args.take(),
      inputCounts: hasInputs ? descriptions.map(({ inputs }) => inputs?.length ?? 0) : [],
      inputs: descriptions.flatMap(({ inputs }) => inputs ?? []),
      keys: descriptions.flatMap(({ key }, place) => (key === undefined ? [] : [{ place, key }])),
    }
    return { message, ids: descriptions.map((_, index) => taskId(array, index)) }
  }

  want(...tasks: TaskId[]): void {
    this.send({ type: 'want', tasks })
  }

  release(...tasks: TaskId[]): void {
    this.send({ type: 'release', tasks })
  }

  leave(): void {
    this.#harness.turn({ type: 'client-left', client: this.id })
  }

  take<T extends SchedulerToClient['type']>(type: T): Message<SchedulerToClient, T> {
    return this.#harness.takeFor(this.id, type)
  }

  /** The values of the next `values` message, by task. */
  takeValues(): Map<TaskId, number[]> {
    const { tasks, values } = this.take('values')
    return new Map(tasks.map((task, i) => [task, [...entryOf(values, i)]]))
  }

  get unread(): string[] {
    return this.#harness.unreadTypes(this.id, 'to-client')
  }
}

export function defineMessages(
  template: ReturnType<typeof templateId>,
  name: string,
  {
    priority = 0,
    depth = 0,
    constantInputs = [],
    outputs = 0,
    needs = NO_NEEDS,
    rules = {},
  }: {
    readonly priority?: number
    readonly depth?: number
    readonly constantInputs?: readonly TaskId[]
    readonly outputs?: number
    readonly needs?: Needs
    readonly rules?: Partial<Rules>
  } = {},
): HeardFromClient[] {
  const code = codeHash(`hash of ${name}`)
  const constants = constantInputs.length > 0 ? Uint8Array.of(9) : new Uint8Array(0)
  return [
    { type: 'define-code', code, kind: 'function', source: Uint8Array.of(1), sourceMap: undefined },
    {
      type: 'define-template',
      template,
      name,
      code,
      exportName: 'default',
      constants,
      constantInputs,
      priority: PRIORITY_BASE + priority,
      depth,
      outputs,
      needs,
      rules: { ...NO_RULES, ...rules },
    },
  ]
}

export class TestWorker {
  readonly #harness: SchedulerHarness
  readonly id: WorkerId
  readonly join: Join

  constructor(harness: SchedulerHarness, id: WorkerId, join: Join) {
    this.#harness = harness
    this.id = id
    this.join = join
  }

  send(...messages: HeardFromWorker[]): void {
    this.#harness.turn(...messages.map((message) => ({ type: 'worker-message', worker: this.id, message }) as const))
  }

  take<T extends SchedulerToWorker['type']>(type: T): Message<SchedulerToWorker, T> {
    return this.#harness.takeForWorker(this.id, type)
  }

  /** All tasks it has been sent and not read yet, in order. */
  takeTasks(): TaskId[] {
    const tasks: TaskId[] = []
    while (this.unread.includes('run-tasks')) tasks.push(...this.take('run-tasks').tasks)
    return tasks
  }

  /** Reports tasks finished, each with a small value, unless `sizeBytes` says that it is a large one. */
  finish(
    tasks: readonly TaskId[],
    options: { sizeBytes?: number; attempts?: number[]; template?: number; us?: number } = {},
  ): void {
    this.send(this.finished(tasks, options))
  }

  finished(
    tasks: readonly TaskId[],
    {
      sizeBytes,
      attempts = [],
      template,
      us = 10,
    }: { sizeBytes?: number; attempts?: number[]; template?: number; us?: number } = {},
  ): HeardFromWorker {
    const values = new Packer()
    for (const task of tasks) values.add(sizeBytes === undefined ? Uint8Array.of(7, task % 256) : NO_BYTES.bytes)
    const sizes = tasks.map(() => sizeBytes ?? 2)
    const timings =
      template === undefined
        ? []
        : [{ template: templateId(template), count: tasks.length, totalUs: us * tasks.length }]
    return { type: 'tasks-finished', tasks, attempts, sizes, values: values.take(), timings }
  }

  /** Reports tasks with so many outputs finished, each output with a small value or, with `sizeBytes`, a large one. */
  finishOutputs(
    tasks: readonly TaskId[],
    count: number,
    options: { sizeBytes?: number; attempts?: number[] } = {},
  ): void {
    const { sizeBytes, attempts = [] } = options
    const values = new Packer()
    const sizes: number[] = []
    for (const task of tasks) {
      for (let output = 0; output < count; output++) {
        values.add(sizeBytes === undefined ? Uint8Array.of(7, (task + 1 + output) % 256) : NO_BYTES.bytes)
        sizes.push(sizeBytes ?? 2)
      }
    }
    const counts = tasks.map(() => count)
    this.send({ type: 'outputs-finished', tasks, attempts, counts, sizes, values: values.take(), timings: [] })
  }

  /** A sign of life. */
  pulse(given: Partial<Pulse> = {}): void {
    const stored = { storedCount: 0, storedBytes: 0, spilledBytes: 0 }
    const troubles = { pausedBy: '' as const, isDiskFull: false, isHoldingBack: false }
    const running = { running: [], attempts: [], runningForMs: [] }
    this.send({ type: 'pulse', memoryBytes: 1, cpuSeconds: 1, ...stored, ...troubles, ...running, ...given })
  }

  fail(task: TaskId, number = 1, isFinal = false): void {
    this.send({ type: 'task-failed', task, attempt: attempt(number), error: Uint8Array.of(66), isFinal })
  }

  leave(reason = 'killed'): void {
    this.#harness.turn({ type: 'worker-left', worker: this.id, reason })
  }

  get unread(): string[] {
    return this.#harness.unreadTypes(this.id, 'to-worker')
  }
}
