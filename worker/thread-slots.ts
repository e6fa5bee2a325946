/**
 * The slots of the thread pool with the batches that they run: turns what the core wants run into requests for threads,
 * and what threads write into their lanes into events for the core.
 */
import { assert, present } from '../common/assert.js'
import type { CodeHash, TaskId } from '../protocol/ids.js'
import { createBatchRequest } from './batch-request.js'
import type { Outcomes, WorkerEvent } from './core/events.js'
import type { BatchTask, WorkerInstruction } from './core/instructions.js'
import type { StopCause } from './core/stopping.js'
import { idsOf, keepOutcome } from './outcomes.js'
import type { BatchEnd, ThreadPool } from './thread-pool.js'
import type { LaneReader } from './thread/lane.js'
import type { ValueStore } from './value-store.js'

/** An event of the core before somebody says when it was. */
export type UntimedEvent = WorkerEvent extends infer E ? (E extends WorkerEvent ? Omit<E, 'nowMs'> : never) : never

type RunBatch = Extract<WorkerInstruction, { readonly type: 'run-batch' }>

export interface ThreadSlotsOptions {
  readonly lanes: readonly LaneReader[]
  /** The worker's name. */
  readonly worker: string
  readonly pool: ThreadPool
  readonly store: ValueStore
  readonly urlOf: (code: CodeHash) => string
  readonly submit: (event: UntimedEvent) => void
}

/** A thread deep in a task can't ring for the results before it; so its lane is looked at while a batch runs. */
const LOOK_INTERVAL_MS = 20

interface Slot {
  readonly lane: LaneReader
  /** What it runs; nothing while it is free. */
  tasks: readonly BatchTask[]
}

export class ThreadSlots {
  readonly #options: ThreadSlotsOptions
  readonly #slots: readonly Slot[]

  constructor(options: ThreadSlotsOptions) {
    this.#options = options
    this.#slots = options.lanes.map((lane) => ({ lane, tasks: [] }))
  }

  /** Runs a batch in a free slot. `codeStored` resolves when all code of it is where threads find it. */
  async run({ thread, tasks, isLarge }: RunBatch, codeStored: Promise<void> | undefined): Promise<void> {
    const { worker, pool, store, urlOf, submit } = this.#options
    const slot = this.#slotOf(thread)
    assert(slot.tasks.length === 0, `slot ${thread} was given a batch while it runs another`)
    slot.tasks = tasks
    slot.lane.reset()
    // At once: by the time that the code is stored, the inputs may have been let go.
    const request = createBatchRequest({
      thread,
      worker,
      tasks,
      isLarge,
      valueOf: (input: TaskId) => store.get(input),
      urlOf,
    })
    if (codeStored !== undefined) await codeStored
    const looking = tasks.length > 1 ? setInterval(() => this.readOutcomes(thread), LOOK_INTERVAL_MS) : undefined
    const end = await pool.run(request)
    clearInterval(looking)
    this.readOutcomes(thread)
    if (end.type === 'replied' && end.reply.large !== undefined) {
      submit({ type: 'tasks-ended', thread, outcomes: keepOutcome(store, tasks, end.reply.large) })
    }
    const firstUnstarted = slot.lane.takeBack(tasks.length)
    slot.tasks = []
    submit(endEvent(thread, end, firstUnstarted, slot.lane.running))
  }

  /** Keeps a thread from starting more of its batch. */
  takeBack(thread: number): void {
    const { lane, tasks } = this.#slotOf(thread)
    // One that ended just now has said so already, and what it did not start.
    if (tasks.length === 0) return
    this.#options.submit({ type: 'batch-cut', thread, firstUnstarted: lane.takeBack(tasks.length) })
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
    submit({ type: 'stop-asked', thread, wasTold, canTerminate: pool.canTerminate })
  }

  /** Sees how long the task at `place` has run. What ended before is said first. */
  lookAtRun(thread: number, place: number): void {
    this.readOutcomes(thread)
    const { lane, tasks } = this.#slotOf(thread)
    if (tasks.length === 0) return // Its batch ended just now, and that has been said.
    this.#options.submit({ type: 'run-looked-at', thread, ranMs: lane.ranMs(place) })
  }

  /** Reads what a thread wrote since the last time. */
  readOutcomes(thread: number): void {
    const { lane, tasks } = this.#slotOf(thread)
    const outcomes = tasks.length === 0 ? undefined : lane.drain()
    if (outcomes === undefined) return
    this.#storeValues(tasks, outcomes)
    this.#options.submit({ type: 'tasks-ended', thread, outcomes })
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

function endEvent(thread: number, end: BatchEnd, firstUnstarted: number, culprit: number | undefined): UntimedEvent {
  if (end.type === 'replied') return { type: 'batch-ended', thread, firstUnstarted }
  const { exitCode, reason } = end
  return { type: 'thread-exited', thread, culprit, firstUnstarted, exitCode, reason }
}
