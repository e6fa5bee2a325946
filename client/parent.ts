/** The task in whose code a client is used, as the client sees it. What is submitted there are its children. */
import type { Attempt, TaskId } from '../protocol/ids.js'

export interface TaskParent {
  readonly task: TaskId
  readonly attempt: Attempt
  /** Of its children: 1 where the parent is a client's own task. */
  readonly depth: number
  /** Its own priority, which its children have too unless told otherwise. */
  readonly priority: number
  /** It has ended, and submits no more. */
  readonly isOver: boolean
  /** Numbers this many children, and returns the first number. */
  takeCalls(count: number): number
  /** The value of a child is awaited. */
  beginWait(): void
  endWait(): void
  /** What it awaits won't come, for the way to the scheduler is lost: it starts again, and what it still does is dropped. */
  orphan(): void
}
