/**
 * How a task that submitted tasks waits for them: while it does, its thread runs others. The first time, it leaves its
 * batch (by its lane, so that nothing it says later comes before that); from then on it tells when it goes on, and when
 * it waits again.
 */
import type { TaskParent } from '../../client/parent.js'
import type { Attempt, TaskId } from '../../protocol/ids.js'
import { depthOf, priorityOf } from '../../protocol/urgency.js'
import type { BatchRequest } from './batch.js'
import type { RunningTask } from './current-task.js'

let lentCount = 0

/** Does a task that is lent go on in this thread? */
export function hasLent(): boolean {
  return lentCount > 0
}

/** Who it is that submits, and what it has submitted. */
class Parent {
  readonly task: TaskId
  readonly attempt: Attempt
  readonly depth: number
  readonly priority: number
  #calls = 0

  constructor({ taskIds, attempts, templates, templateOf }: BatchRequest, place: number) {
    this.task = taskIds[place]!
    this.attempt = attempts[place]! as Attempt
    const { urgency } = templates[templateOf[place]!]!
    this.depth = depthOf(urgency) + 1
    this.priority = priorityOf(urgency)
  }

  takeCalls(count: number): number {
    const first = this.#calls
    this.#calls += count
    return first
  }
}

/** Of a task that takes no thread of its own: it may wait as it likes. */
export class SharedParent extends Parent implements TaskParent {
  readonly #hasEnded: () => boolean
  readonly #onOrphaned: () => void

  constructor(batch: BatchRequest, hasEnded: () => boolean, onOrphaned: () => void) {
    super(batch, 0)
    this.#hasEnded = hasEnded
    this.#onOrphaned = onOrphaned
  }

  get isOver(): boolean {
    return this.#hasEnded()
  }

  beginWait(): void {}

  endWait(): void {}

  orphan(): void {
    if (!this.isOver) this.#onOrphaned()
  }
}

export class Lending extends Parent implements TaskParent {
  isLent = false
  readonly #running: RunningTask
  readonly #startedAtMs = performance.now()
  #waits = 0
  #waitingSinceMs = 0
  #waitedMs = 0
  /** Interrupts the batch that awaits this task. */
  #leaveBatch: (() => void) | undefined

  constructor(running: RunningTask) {
    super(running.batch, running.place)
    this.#running = running
  }

  get isOver(): boolean {
    return this.#running.isOver
  }

  /** What its code took of the thread, and of what else it awaited. */
  get ranMs(): number {
    return performance.now() - this.#startedAtMs - this.#waitedMs
  }

  beginWait(): void {
    this.#waits++
    if (this.#waits > 1) return
    this.#waitingSinceMs = performance.now()
    if (this.isLent) this.#tell(true)
    else if (this.#leaveBatch !== undefined) this.#lend(this.#leaveBatch)
  }

  endWait(): void {
    this.#waits--
    if (this.#waits > 0) return
    this.#waitedMs += performance.now() - this.#waitingSinceMs
    if (this.isLent) this.#tell(false)
  }

  /** The batch awaits the task, until `leave` is called. */
  onAwaited(leave: () => void): void {
    this.#leaveBatch = leave
    if (this.#waits > 0) this.#lend(leave)
  }

  /** The batch awaits it no more: it has an outcome there, or was lent. */
  onAwaitEnded(): void {
    this.#leaveBatch = undefined
  }

  orphan(): void {
    if (this.isOver) return
    if (!this.isLent) {
      // Nobody awaits it: its outcome is on its way, and has nothing to do with what was lost.
      if (this.#leaveBatch === undefined) return
      this.#lend(this.#leaveBatch)
    }
    const { host, batch } = this.#running
    host.tell({ type: 'orphaned', thread: batch.thread, task: this.task, attempt: this.attempt })
  }

  /** The task, which was lent, has ended. */
  end(): void {
    lentCount--
  }

  #lend(leave: () => void): void {
    const { batch, lane, place, host } = this.#running
    this.isLent = true
    lentCount++
    lane.lend(batch.first + place, host.threadId)
    leave()
  }

  #tell(isAwaiting: boolean): void {
    const { host, batch } = this.#running
    host.tell({ type: 'awaits', thread: batch.thread, task: this.task, attempt: this.attempt, isAwaiting })
  }
}
