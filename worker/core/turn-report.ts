/**
 * What the events of one turn lead to and leaves at its end in as few messages as can be: finished tasks, tasks that go
 * back, new copies, and values to drop.
 */
import { Packer, startOf, type Packed } from '../../common/packed.js'
import type { TaskId } from '../../protocol/ids.js'
import type { Stopper } from '../../protocol/messages/common.js'
import type { Outcomes } from './events.js'
import type { HeldValues } from './held-values.js'
import type { WorkerInstruction } from './instructions.js'
import { OutputReport } from './output-report.js'
import { Attempts, Timings } from './report-columns.js'
import type { Task } from './task.js'

/** News that can wait is told after so long, or once it is of so many tasks, or so many bytes. */
const MAX_WAIT_MS = 2
const MAX_WAITING_TASKS = 256
const MAX_WAITING_BYTES = 256 * 1024

export class TurnReport {
  /** There is news that is to be told when the turn ends. */
  #isUrgent = false
  /** Since when there is news; `undefined` for none. */
  #sinceMs: number | undefined
  readonly #outputs = new OutputReport()
  #finished = new Attempts()
  #sizes: number[] = []
  readonly #values = new Packer()
  readonly #timings = new Timings()
  #returned = new Attempts()
  /** Places in `#returned`: two attempts of a task may come back at the same time. */
  #begun: number[] = []
  #kept: TaskId[] = []
  #copies: { readonly task: TaskId; readonly sizeBytes: number; readonly isOrdered: boolean }[] = []
  #missingCopies: TaskId[] = []
  #stopped = new Attempts()
  #stoppedBy: Stopper[] = []
  #timedOut = new Attempts()
  /** Places in `#timedOut`. */
  #goOn: number[] = []
  #dropped: TaskId[] = []
  /** Tasks that came to wait for others, or went on. */
  readonly #awaiting = new Set<Task>()

  /** News that can wait is told with what can't, or a little later. */
  hurry(): void {
    this.#isUrgent = true
  }

  /** May all that there is to tell wait, with more to come soon? */
  mayWait(nowMs: number): boolean {
    if (this.#isUrgent || this.#finished.tasks.length > MAX_WAITING_TASKS) return false
    if (this.#values.sizeBytes > MAX_WAITING_BYTES || this.#dropped.length > 0) return false
    if (this.#finished.tasks.length + this.#copies.length === 0) return true
    this.#sinceMs ??= nowMs
    return nowMs < this.#sinceMs + MAX_WAIT_MS
  }

  /** When what waits is told at the latest. */
  get dueMs(): number {
    return this.#sinceMs === undefined ? Infinity : this.#sinceMs + MAX_WAIT_MS
  }

  /** The task ran; entry `place` of `values` is its value, or is empty when that stays here. May wait. */
  addFinished(task: Task, sizeBytes: number, values: Packed, place: number, durationUs: number): void {
    this.#finished.add(task)
    this.#sizes.push(sizeBytes)
    this.#values.add(values.bytes, startOf(values, place), values.ends[place]!)
    this.#timings.add(task.template.template, durationUs)
  }

  /** The task ran; entries `first` and on of the columns are its outputs. */
  addOutputs(task: Task, outcomes: Outcomes, first: number, durationUs: number): void {
    this.#isUrgent = true
    this.#outputs.add(task, outcomes, first, durationUs)
  }

  /** The task goes back: unstarted, or having begun in vain. */
  addReturned(task: Task, hasBegun = false): void {
    this.#isUrgent = true
    if (hasBegun) this.#begun.push(this.#returned.tasks.length)
    this.#returned.add(task)
  }

  /** The scheduler wanted the task back, and it has started. */
  addKept(task: Task): void {
    this.#isUrgent = true
    this.#kept.push(task.task)
  }

  /** A value that a peer gave is held from now on. May wait. */
  addCopy(task: TaskId, sizeBytes: number): void {
    this.#copies.push({ task, sizeBytes, isOrdered: false })
  }

  /** As `addCopy`, and the scheduler waits for word of it. */
  addOrderedCopy(task: TaskId, sizeBytes: number): void {
    this.#isUrgent = true
    this.#copies.push({ task, sizeBytes, isOrdered: true })
  }

  /** A copy that the scheduler ordered could not be had. */
  addMissingCopy(task: TaskId): void {
    this.#isUrgent = true
    this.#missingCopies.push(task)
  }

  /** The slot of an attempt that was to stop is free. */
  addStopped(task: Pick<Task, 'task' | 'attempt'>, stoppedBy: Stopper): void {
    this.#isUrgent = true
    this.#stopped.add(task)
    this.#stoppedBy.push(stoppedBy)
  }

  /** The slot of a task that had its time is free, or it goes on where nothing can stop it. */
  addTimedOut(task: Task, goesOn: boolean): void {
    this.#isUrgent = true
    if (goesOn) this.#goOn.push(this.#timedOut.tasks.length)
    this.#timedOut.add(task)
  }

  /** A task that is lent waits, or goes on. What it does when the turn ends is told. */
  noteAwaiting(task: Task): void {
    this.#isUrgent = true
    this.#awaiting.add(task)
  }

  /** The value is of no use here, unless it is held again before the turn ends. */
  addDropped(task: TaskId): void {
    this.#dropped.push(task)
  }

  /** Adds the attempts of which there is an outcome to tell. */
  addUntold(attempts: Attempts): void {
    this.#finished.addTo(attempts)
    this.#outputs.addUntold(attempts)
    this.#timedOut.addTo(attempts)
  }

  /** Nobody is there to be told. What nobody needs is dropped all the same. */
  flushDropped(held: HeldValues, out: WorkerInstruction[]): void {
    if (this.#dropped.length > 0) this.#flushDropped(held, out)
  }

  /** Nobody is there to be told, and nobody will be. */
  forgetNews(): void {
    this.#isUrgent = false
    this.#sinceMs = undefined
    this.#takeFinished()
    this.#outputs.take()
    this.#takeReturned()
    this.#kept = []
    this.#copies = []
    this.#missingCopies = []
    this.#takeStopped()
    this.#takeTimedOut()
    this.#awaiting.clear()
  }

  flush(held: HeldValues, out: WorkerInstruction[]): void {
    this.#isUrgent = false
    this.#sinceMs = undefined
    if (this.#finished.tasks.length > 0) out.push(this.#takeFinished())
    const outputs = this.#outputs.take()
    if (outputs !== undefined) out.push({ type: 'send', message: outputs })
    if (this.#returned.tasks.length > 0) out.push(this.#takeReturned())
    if (this.#kept.length > 0) out.push({ type: 'send', message: { type: 'tasks-kept', tasks: this.#kept } })
    if (this.#kept.length > 0) this.#kept = []
    if (this.#copies.length > 0) this.#flushCopies(held, out)
    if (this.#missingCopies.length > 0) {
      out.push({ type: 'send', message: { type: 'copies-missing', tasks: this.#missingCopies } })
      this.#missingCopies = []
    }
    if (this.#stopped.tasks.length > 0) out.push(this.#takeStopped())
    if (this.#timedOut.tasks.length > 0) out.push(this.#takeTimedOut())
    if (this.#awaiting.size > 0) this.#flushAwaiting(out)
    if (this.#dropped.length > 0) this.#flushDropped(held, out)
  }

  #takeFinished(): WorkerInstruction {
    const { tasks, attempts } = this.#finished
    const timings = this.#timings.take()
    const sizes = this.#sizes
    this.#finished = new Attempts()
    this.#sizes = []
    return {
      type: 'send',
      message: { type: 'tasks-finished', tasks, attempts, sizes, values: this.#values.take(), timings },
    }
  }

  #takeReturned(): WorkerInstruction {
    const { tasks, attempts } = this.#returned
    const begun = this.#begun
    this.#returned = new Attempts()
    this.#begun = []
    return { type: 'send', message: { type: 'tasks-returned', tasks, attempts, begun } }
  }

  #takeStopped(): WorkerInstruction {
    const { tasks, attempts } = this.#stopped
    const stoppedBy = this.#stoppedBy
    this.#stopped = new Attempts()
    this.#stoppedBy = []
    return { type: 'send', message: { type: 'tasks-stopped', tasks, attempts, stoppedBy } }
  }

  #takeTimedOut(): WorkerInstruction {
    const { tasks, attempts } = this.#timedOut
    const goOn = this.#goOn
    this.#timedOut = new Attempts()
    this.#goOn = []
    return { type: 'send', message: { type: 'tasks-timed-out', tasks, attempts, goOn } }
  }

  #flushAwaiting(out: WorkerInstruction[]): void {
    const suspended = { tasks: [] as TaskId[], attempts: [] as number[] }
    const resumed = { tasks: [] as TaskId[], attempts: [] as number[] }
    for (const { task, attempt, state } of this.#awaiting) {
      if (state.type !== 'lent' || !state.isWanted || state.isAwaiting === state.wasAwaiting) continue
      state.wasAwaiting = state.isAwaiting
      const { tasks, attempts } = state.isAwaiting ? suspended : resumed
      tasks.push(task)
      attempts.push(attempt)
    }
    this.#awaiting.clear()
    if (suspended.tasks.length > 0) out.push({ type: 'send', message: { type: 'tasks-suspended', ...suspended } })
    if (resumed.tasks.length > 0) out.push({ type: 'send', message: { type: 'tasks-resumed', ...resumed } })
  }

  /** A copy may have been freed in the turn that brought it. */
  #flushCopies(held: HeldValues, out: WorkerInstruction[]): void {
    const copies = this.#copies.filter(({ task }) => held.has(task))
    for (const { task, isOrdered } of this.#copies) if (isOrdered && !held.has(task)) this.#missingCopies.push(task)
    this.#copies = []
    if (copies.length === 0) return
    const tasks = copies.map(({ task }) => task)
    const sizes = copies.map(({ sizeBytes }) => sizeBytes)
    out.push({ type: 'send', message: { type: 'copies-held', tasks, sizes } })
  }

  /** A value may have been let go and made, or fetched, again in one turn: the store has the new one by now. */
  #flushDropped(held: HeldValues, out: WorkerInstruction[]): void {
    const tasks = this.#dropped.filter((task) => !held.has(task))
    this.#dropped = []
    if (tasks.length > 0) out.push({ type: 'drop', tasks })
  }
}
