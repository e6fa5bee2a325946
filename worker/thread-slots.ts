/**
 * The slots of the thread pool with the batches that they run: turns what the core wants run into requests for threads,
 * and what threads write into their lanes into events for the core.
 */
import { assert, present } from '../common/assert.js'
import type { Attempt, CodeHash, TaskId } from '../protocol/ids.js'
import { createBatchRequest } from './batch-request.js'
import type { Outcomes, WorkerEvent } from './core/events.js'
import type { BatchTask, WorkerInstruction } from './core/instructions.js'
import type { StopCause } from './core/stopping.js'
import { idsOf, keepOutcome } from './outcomes.js'
import type { BatchEnd, ThreadExit, ThreadPool } from './thread-pool.js'
import type { LaneReader } from './thread/lane.js'
import type { ThreadMessage } from './thread/thread-message.js'
import type { ValueStore } from './value-store.js'

type RunBatch = Extract<WorkerInstruction, { readonly type: 'run-batch' }>
type ExtendBatch = Extract<WorkerInstruction, { readonly type: 'extend-batch' }>

export interface ThreadSlotsOptions {
  readonly lanes: readonly LaneReader[]
  /** The worker's name. */
  readonly worker: string
  readonly pool: ThreadPool
  readonly store: ValueStore
  readonly urlOf: (code: CodeHash) => string
  readonly submit: (event: WorkerEvent) => void
}

/** A task that left its batch to wait for others, and goes on in the same thread. */
interface LentTask {
  readonly task: BatchTask
  readonly threadId: number
  isAwaiting: boolean
}

/** A thread deep in a task can't ring for the results before it; so its lane is looked at while a batch runs. */
const LOOK_INTERVAL_MS = 20
/** So long a batch of tasks that can wait seldom takes. */
const PATIENT_LOOK_INTERVAL_MS = 250

interface Slot {
  readonly lane: LaneReader
  /** That of its batch. */
  number: number
  /** What it runs; nothing while it is free. */
  tasks: readonly BatchTask[]
}

export class ThreadSlots {
  readonly #options: ThreadSlotsOptions
  readonly #slots: readonly Slot[]
  #batchCount = 0
  readonly #lent = new Map<string, LentTask>()
  /** Threads that are ended for a task that is lent there: what else they run is not to blame. */
  readonly #ending = new Set<number>()

  constructor(options: ThreadSlotsOptions) {
    this.#options = options
    this.#slots = options.lanes.map((lane) => ({ lane, number: 0, tasks: [] }))
  }

  /** Runs a batch in a free slot. `codeStored` resolves when all code of it is where threads find it. */
  async run(
    { thread, tasks, isLarge, makers, wanted, isPatient, mayGrow }: RunBatch,
    codeStored: Promise<void> | undefined,
  ): Promise<void> {
    const { worker, pool, store, urlOf, submit } = this.#options
    const slot = this.#slotOf(thread)
    assert(slot.tasks.length === 0, `slot ${thread} was given a batch while it runs another`)
    slot.tasks = tasks
    slot.number = ++this.#batchCount
    slot.lane.reset()
    // At once: by the time that the code is stored, the inputs may have been let go.
    const request = createBatchRequest({
      thread,
      number: mayGrow ? slot.number : undefined,
      worker,
      tasks,
      isLarge,
      makers,
      wanted,
      isPatient,
      valueOf: (input: TaskId) => store.get(input),
      urlOf,
    })
    if (codeStored !== undefined) await codeStored
    const lookMs = isPatient ? PATIENT_LOOK_INTERVAL_MS : LOOK_INTERVAL_MS
    const looking = tasks.length > 1 ? setInterval(() => this.readOutcomes(thread), lookMs) : undefined
    const end = await pool.run(request)
    clearInterval(looking)
    this.readOutcomes(thread)
    const isInnocent = end.type === 'exited' && this.#ending.has(end.threadId)
    if (end.type === 'replied' && end.reply.large !== undefined) {
      submit({
        type: 'tasks-ended',
        nowMs: performance.now(),
        thread,
        outcomes: keepOutcome(store, slot.tasks, end.reply.large),
      })
    }
    const firstUnstarted = slot.lane.takeBack(slot.tasks.length)
    slot.tasks = []
    const culprit = isInnocent ? undefined : slot.lane.running
    submit(endEvent(thread, end, firstUnstarted, culprit))
    if (end.type !== 'exited') return
    this.#loseLent(end.threadId, end, culprit === undefined && !isInnocent && !end.wasTerminated)
    this.#ending.delete(end.threadId)
  }

  /** Adds to the batch of a slot. Where code of it is not stored yet it goes without: the tasks are unstarted when it ends. */
  extend({ thread, tasks, makers, wanted }: ExtendBatch, isCodeStored: boolean): void {
    const { worker, pool, store, urlOf } = this.#options
    const slot = this.#slotOf(thread)
    const before = slot.tasks
    // One that ended just now has said so already: the others are unstarted as it is.
    if (before.length === 0) return
    slot.tasks = [...before, ...tasks]
    if (!isCodeStored) return
    const valueOf = (input: TaskId): Uint8Array | undefined => store.get(input)
    const { number } = slot
    pool.extend(
      createBatchRequest({ thread, number, before, worker, tasks, isLarge: false, makers, wanted, valueOf, urlOf }),
    )
  }

  /** A thread is gone that ran no batch. If one of its lent tasks went on, that is why. */
  onThreadExit(threadId: number, exit: ThreadExit): void {
    this.#loseLent(threadId, exit, !this.#ending.has(threadId))
    this.#ending.delete(threadId)
  }

  /** What is lent in a thread, and how much of it goes on. */
  lentIn(threadId: number): { readonly count: number; readonly resumed: number } {
    let count = 0
    let resumed = 0
    for (const lent of this.#lent.values()) {
      if (lent.threadId !== threadId) continue
      count++
      if (!lent.isAwaiting) resumed++
    }
    return { count, resumed }
  }

  /** A task that is lent goes on, waits again, waits in vain, or has ended. Its lane says first that it is lent. */
  onLent(message: Extract<ThreadMessage, { readonly type: 'awaits' | 'orphaned' | 'ended' }>): void {
    this.readOutcomes(message.thread)
    const label = labelOf(message.task, message.attempt)
    const lent = this.#lent.get(label)
    if (lent === undefined) return
    const { task, attempt } = lent.task
    if (message.type === 'awaits') {
      lent.isAwaiting = message.isAwaiting
      this.#options.submit({
        type: 'lent-awaits',
        nowMs: performance.now(),
        task,
        attempt,
        isAwaiting: message.isAwaiting,
      })
      return
    }
    if (message.type === 'orphaned') {
      this.#options.submit({ type: 'lent-orphaned', nowMs: performance.now(), task, attempt })
      return
    }
    this.#lent.delete(label)
    const outcomes = keepOutcome(this.#options.store, [lent.task], message.outcome)
    this.#options.submit({ type: 'lent-ended', nowMs: performance.now(), task, attempt, outcomes })
  }

  /** Asks a task that is lent to end. */
  askLentToStop(task: TaskId, attempt: Attempt, cause: StopCause): void {
    if (this.#lent.has(labelOf(task, attempt))) this.#options.pool.tellToStop({ task, attempt, cause })
  }

  /** Ends the thread of a task that is lent. */
  terminateLent(task: TaskId, attempt: Attempt): void {
    const lent = this.#lent.get(labelOf(task, attempt))
    if (lent === undefined) return
    this.#ending.add(lent.threadId)
    this.#options.pool.terminateThread(lent.threadId)
  }

  #loseLent(threadId: number, { exitCode, reason, isOutOfMemory }: ThreadExit, mayBlame: boolean): void {
    const lost = [...this.#lent.values()].filter((each) => each.threadId === threadId)
    if (lost.length === 0) return
    const [culprit, ...others] = lost.filter(({ isAwaiting }) => !isAwaiting)
    const hasCulprit = mayBlame && culprit !== undefined && others.length === 0
    if (hasCulprit) lost.sort((a, b) => Number(a.isAwaiting) - Number(b.isAwaiting))
    for (const { task } of lost) this.#lent.delete(labelOf(task.task, task.attempt))
    const tasks = lost.map(({ task: { task, attempt } }) => ({ task, attempt }))
    this.#options.submit({
      type: 'lent-lost',
      nowMs: performance.now(),
      tasks,
      hasCulprit,
      exitCode,
      reason,
      isOutOfMemory,
    })
  }

  /** Sees what a thread has done of its batch, and is told of what it does from now on. */
  hurry(thread: number): void {
    this.#slotOf(thread).lane.hurry()
    this.readOutcomes(thread)
  }

  /** Keeps a thread from starting more of its batch. */
  takeBack(thread: number): void {
    const { lane, tasks } = this.#slotOf(thread)
    // One that ended just now has said so already, and what it did not start.
    if (tasks.length === 0) return
    this.#options.submit({
      type: 'batch-cut',
      nowMs: performance.now(),
      thread,
      firstUnstarted: lane.takeBack(tasks.length),
    })
  }

  /** Tells the task at `place` to end, if it listens. What ended before is said first. */
  askToStop(thread: number, place: number, cause: StopCause): void {
    const { pool, submit } = this.#options
    this.readOutcomes(thread)
    const { lane, tasks } = this.#slotOf(thread)
    const target = tasks[place]
    if (target === undefined) return // Its batch ended just now, and that has been said.
    const wasTold = lane.isListening(place)
    if (wasTold) pool.tellToStop({ task: target.task, attempt: target.attempt, cause })
    submit({ type: 'stop-asked', nowMs: performance.now(), thread, wasTold, canTerminate: pool.canTerminate })
  }

  /** Sees how long the task at `place` has run. What ended before is said first. */
  lookAtRun(thread: number, place: number): void {
    this.readOutcomes(thread)
    const { lane, tasks } = this.#slotOf(thread)
    if (tasks.length === 0) return // Its batch ended just now, and that has been said.
    this.#options.submit({ type: 'run-looked-at', nowMs: performance.now(), thread, ranMs: lane.ranMs(place) })
  }

  /** Reads what all threads wrote since the last time. */
  readAll(): void {
    for (let thread = 0; thread < this.#slots.length; thread++) this.readOutcomes(thread)
  }

  /** Reads what a thread wrote since the last time. */
  readOutcomes(thread: number): void {
    const { lane, tasks } = this.#slotOf(thread)
    const news = tasks.length === 0 ? undefined : lane.drain()
    if (news === undefined) return
    const { lent, ...outcomes } = news
    if (outcomes.places.length > 0) {
      this.#storeValues(tasks, outcomes)
      this.#options.submit({ type: 'tasks-ended', nowMs: performance.now(), thread, outcomes })
    }
    for (const { place, threadId } of lent) {
      const task = present(tasks[place], 'a task that is lent')
      this.#lent.set(labelOf(task.task, task.attempt), { task, threadId, isAwaiting: true })
      const { canTerminate } = this.#options.pool
      this.#options.submit({
        type: 'task-lent',
        nowMs: performance.now(),
        thread,
        place,
        ranMs: lane.ranMs(place),
        canTerminate,
      })
    }
  }

  #storeValues(tasks: readonly BatchTask[], { places, threw, values }: Outcomes): void {
    const { store } = this.#options
    const ids = idsOf(tasks, places)
    if (threw.size === 0) return store.putMany(ids, values)
    let start = 0
    for (let i = 0; i < places.length; i++) {
      const end = values.ends[i]!
      if (!threw.has(i)) store.put(ids[i]!, values.bytes.subarray(start, end))
      start = end
    }
  }

  #slotOf(thread: number): Slot {
    return present(this.#slots[thread], `slot ${thread}`)
  }
}

function labelOf(task: TaskId, attempt: number): string {
  return `${task} ${attempt}`
}

function endEvent(thread: number, end: BatchEnd, firstUnstarted: number, culprit: number | undefined): WorkerEvent {
  const nowMs = performance.now()
  if (end.type === 'replied') return { type: 'batch-ended', nowMs, thread, firstUnstarted }
  const { exitCode, reason, isOutOfMemory } = end
  return { type: 'thread-exited', nowMs, thread, culprit, firstUnstarted, exitCode, reason, isOutOfMemory }
}
