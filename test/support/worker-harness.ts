/**
 * Drives a worker's core in unit tests: send events, end a turn, take instructions. Every invariant is checked after
 * each event and each turn.
 */
import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import { Packer } from '../../common/packed.js'
import {
  arrayId,
  attempt,
  codeHash,
  taskId,
  templateId,
  workerId,
  type TaskId,
  type TemplateId,
  type WorkerId,
} from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { FailureRecord } from '../../protocol/messages/common.js'
import type { RunTasks, WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { Heard, Outcomes, WorkerEvent } from '../../worker/core/events.js'
import type { WorkerInstruction } from '../../worker/core/instructions.js'
import { checkInvariants } from '../../worker/core/invariants.js'
import { endTurn, handleEvent, nextDeadlineMs } from '../../worker/core/machine.js'
import { isPaused, runsNothing } from '../../worker/core/memory.js'
import { createWorkerState, type WorkerConfig, type WorkerState } from '../../worker/core/state.js'

type Unstamped<E> = E extends unknown ? Omit<E, 'nowMs'> : never
type Message<T extends WorkerToScheduler['type']> = Extract<WorkerToScheduler, { readonly type: T }>
type InstructionOf<T extends WorkerInstruction['type']> = Extract<WorkerInstruction, { readonly type: T }>

export const OURSELVES = workerId(1)
export const PEER = workerId(2)
export const OTHER_PEER = workerId(3)
/** The template that tasks of the harness have unless told otherwise. */
export const PLAIN = templateId(1)
export const CODE = codeHash('c0de')

/** The id of the `n`th task of one array. */
export const task = (n: number): TaskId => taskId(arrayId(7), n)
export const tasks = (count: number): TaskId[] => Array.from({ length: count }, (_, n) => task(n))

export interface RunOptions {
  readonly attempt?: number
  readonly priority?: number
  readonly patienceUs?: number
  readonly template?: TemplateId
  /** The inputs of each task. */
  readonly inputs?: readonly TaskId[]
  /** Who holds which input. */
  readonly remote?: readonly (readonly [input: TaskId, holder: WorkerId])[]
  /** How large each of `remote` is. */
  /** Inputs that are still to be made, by whom, and after how many tasks. */
  readonly pending?: readonly (readonly [TaskId, WorkerId, number?])[]
  readonly remoteBytes?: number
  readonly keys?: RunTasks['keys']
  readonly unstarted?: RunTasks['unstarted']
  /** Those inputs that failed, for `INPUT_FAILURE`. */
  readonly failed?: readonly TaskId[]
}

/** Why inputs fail here that do. */
export const INPUT_FAILURE: FailureRecord = {
  error: Uint8Array.of(66),
  code: '',
  reason: '',
  worker: 'elsewhere',
  attempt: 1,
  culpritKey: 'culprit',
  death: undefined,
}

export interface Ended {
  /** Encoded size of each value or error; from above the inline limit on it stays in the store. */
  readonly sizeBytes?: number
  readonly durationUs?: number
  readonly threw?: boolean
}

export class WorkerHarness {
  readonly state: WorkerState
  nowMs = 0
  #unread: WorkerInstruction[] = []

  /** A worker that a scheduler and two peers know, and that knows the template `PLAIN`. */
  constructor(
    threads = 1,
    {
      memoryLimitBytes = 2 ** 40,
      diskLimitBytes = 2 ** 40,
      maxFetchBytes,
      maxPauseMs,
      ioTasks = 256,
    }: Partial<Omit<WorkerConfig, 'threads'>> = {},
  ) {
    this.state = createWorkerState({
      threads,
      ioTasks,
      memoryLimitBytes,
      diskLimitBytes,
      ...(maxFetchBytes !== undefined && { maxFetchBytes }),
      ...(maxPauseMs !== undefined && { maxPauseMs }),
    })
    this.join()
  }

  join(keepsState = false): void {
    this.tell({
      type: 'joined',
      worker: OURSELVES,
      peerSecret: 'secret',
      keepsState,
      firstArray: arrayId(1),
      arrayCount: 1,
    })
    if (keepsState) return
    this.tell({ type: 'peers', workers: [PEER, OTHER_PEER], addresses: ['ws://peer', 'ws://other'] })
    this.define(PLAIN)
    this.expectSilence()
  }

  send(event: Unstamped<WorkerEvent>): void {
    this.#unread.push(...handleEvent(this.state, { nowMs: this.nowMs, ...event }))
    checkInvariants(this.state)
  }

  /** The scheduler says something. */
  tell(message: Heard): void {
    this.send({ type: 'scheduler-message', message })
  }

  endTurn(): void {
    this.#unread.push(...endTurn(this.state, this.nowMs))
    checkInvariants(this.state)
    const isOneByOne = isPaused(this.state) || this.state.heldBackBytes > 0
    const { batches, config, pause, spills } = this.state
    const isIdle = isOneByOne ? runsNothing(this.state) : batches.slice(0, config.threads).includes(undefined)
    const mayStart = pause.draining === 'no' && !(isPaused(this.state) && spills.spillingBytes > 0)
    if (isIdle && mayStart && this.state.link.type !== 'closed')
      assert.equal(this.state.ready.length, 0, 'an idle thread beside a ready task')
  }

  /** Lets time pass until the core asks for a turn, and gives it one. */
  wakeUp(): void {
    const deadlineMs = nextDeadlineMs(this.state)
    assert.ok(deadlineMs !== undefined, 'the worker waits for no time')
    this.nowMs = Math.max(this.nowMs, deadlineMs)
    this.endTurn()
  }

  get deadlineMs(): number | undefined {
    return nextDeadlineMs(this.state)
  }

  define(template: TemplateId, outputs = 0, memoryBytes = 0, isIo = false, timeoutMs = 0, isStream = false): void {
    const type = 'define-template'
    this.tell({
      type,
      template,
      name: 'f',
      code: CODE,
      exportName: 'default',
      constants: new Uint8Array(0),
      constantInputs: [],
      outputs,
      memoryBytes,
      isCounted: memoryBytes > 0 || isIo,
      isIo,
      timeoutMs,
      retryFilter: '',
      isStream,
    })
  }

  /** The scheduler sends tasks; the turn is not over. */
  queue(ids: readonly TaskId[], options: RunOptions = {}): void {
    const inputs = options.inputs ?? []
    const remote = options.remote ?? []
    const args = new Packer()
    ids.forEach((_, place) => args.add(Uint8Array.of(place & 0xff)))
    this.tell({
      type: 'run-tasks',
      tasks: ids,
      attempts: options.attempt === undefined ? [] : ids.map(() => options.attempt!),
      runs: [options.template ?? PLAIN, ids.length],
      priority: options.priority ?? 0,
      patienceUs: options.patienceUs ?? 0,
      args: args.take(),
      inputCounts: inputs.length === 0 ? [] : ids.map(() => inputs.length),
      inputs: ids.flatMap(() => inputs),
      remoteInputs: remote.map(([input]) => input),
      remoteHolders: remote.map(([, holder]) => holder),
      remoteSizes: remote.map(() => options.remoteBytes ?? 8),
      pendingInputs: (options.pending ?? []).map(([input]) => input),
      pendingHolders: (options.pending ?? []).map(([, holder]) => holder),
      pendingAfter: (options.pending ?? []).map(([, , after = 0]) => after),
      keys: options.keys ?? [],
      unstarted: options.unstarted ?? [],
      failedInputs: options.failed ?? [],
      failedBy: (options.failed ?? []).map(() => 0),
      failures: options.failed === undefined ? [] : [INPUT_FAILURE],
    })
  }

  /** The scheduler sends tasks, and the turn ends. */
  run(ids: readonly TaskId[], options: RunOptions = {}): void {
    this.queue(ids, options)
    this.endTurn()
  }

  /** The thread ran the tasks at these places of its batch. */
  end(thread: number, places: readonly number[], { sizeBytes = 4, durationUs = 100, threw = false }: Ended = {}): void {
    this.send({ type: 'tasks-ended', thread, outcomes: outcomes(places, { sizeBytes, durationUs, threw }) })
  }

  /** The thread ran its whole batch of `count`, and the turn ends. */
  finish(thread: number, count = 1, ended: Ended = {}): void {
    this.end(
      thread,
      Array.from({ length: count }, (_, place) => place),
      ended,
    )
    this.send({ type: 'batch-ended', thread, firstUnstarted: count })
    this.endTurn()
  }

  /** The thread is gone in which this task, lent, waited or went on; and the turn ends. */
  loseLent(id: TaskId, hasCulprit: boolean, exitCode = 1): void {
    this.send({
      type: 'lent-lost',
      tasks: [{ task: id, attempt: attempt(1) }],
      hasCulprit,
      exitCode,
      reason: 'gone',
      isOutOfMemory: false,
    })
    this.endTurn()
  }

  /** Teaches the core how long tasks of a template take and how large their values are, by running one. */
  teach(ended: Ended, template = PLAIN): void {
    const id = task(1_000 + template)
    this.run([id], { template })
    this.takeBatch()
    this.finish(0, 1, ended)
    this.takeMessage('tasks-finished')
    this.tell({ type: 'free-tasks', tasks: [id] })
    this.endTurn()
    this.takeInstruction('drop')
    this.expectSilence()
  }

  /** Puts a value into the store by running its task. */
  hold(id: TaskId): void {
    this.run([id])
    this.takeBatch()
    this.finish(0)
    this.takeMessage('tasks-finished')
    this.expectSilence()
  }

  /** Removes and returns the oldest unread instruction, which is of this type. */
  takeInstruction<T extends WorkerInstruction['type']>(type: T): InstructionOf<T> {
    const next = this.#unread.shift()
    assert.equal(next?.type, type, `expected ${type}, got ${inspect(next, { depth: 2 })}`)
    return next as InstructionOf<T>
  }

  /** Removes and returns the message that the oldest unread instruction sends. */
  takeMessage<T extends WorkerToScheduler['type']>(type: T): Message<T> {
    const { message } = this.takeInstruction('send')
    assert.equal(message.type, type)
    return message as Message<T>
  }

  /** The next instruction starts a batch: in which thread, of which tasks. */
  takeBatch(): { readonly thread: number; readonly tasks: readonly TaskId[] } {
    const batch = this.takeInstruction('run-batch')
    return { thread: batch.thread, tasks: batch.tasks.map((each) => each.task) }
  }

  expectSilence(): void {
    assert.deepEqual(this.#unread, [])
  }
}

function outcomes(places: readonly number[], { sizeBytes, durationUs, threw }: Required<Ended>): Outcomes {
  const values = new Packer()
  for (const place of places) {
    values.add(
      !threw && sizeBytes > MAX_INLINE_RESULT_BYTES ? new Uint8Array(0) : new Uint8Array(sizeBytes).fill(place),
    )
  }
  return {
    places,
    threw: new Map(threw ? places.map((_, i) => [i, 'may-retry'] as const) : []),
    durationsUs: places.map(() => durationUs),
    sizes: places.map(() => sizeBytes),
    values: values.take(),
  }
}
