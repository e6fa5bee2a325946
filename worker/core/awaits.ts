/**
 * Values that peers want and that are still to be made here: the peers have tasks which were sent ahead of them. Each is
 * answered for as soon as the value is there, or nothing here is to make it. The maker may be on its way to us yet: the peer
 * knows how many tasks we had been sent with it.
 */
import type { TaskId, WorkerId } from '../../protocol/ids.js'
import { MAX_AWAITED_VALUES, MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { WorkerEvent } from './events.js'
import { OWN_TASK } from './fetch-plan.js'
import type { WorkerInstruction } from './instructions.js'
import { onValuesMissing } from './on-transfer.js'
import type { WorkerState } from './state.js'

/** A question of a peer. */
interface Await {
  /** Those that were not answered. */
  readonly owed: Set<TaskId>
  /** The makers were sent to us under this number, among so many tasks. */
  readonly worker: WorkerId
  readonly after: number
  /** How many heartbeats have passed since it was asked. */
  beats: number
}

/** After so many heartbeats a maker that has not come is not on its way. */
const MAX_BEATS = 2

export class Awaits {
  readonly #open = new Map<number, Await>()
  /** How many questions each value is in. */
  readonly #asked = new Map<TaskId, number>()
  #count = 0

  /** How many values are awaited; those in several questions count for each. */
  get count(): number {
    return this.#count
  }

  has(task: TaskId): boolean {
    return this.#asked.has(task)
  }

  add(question: number, asked: Await): void {
    this.#open.set(question, asked)
    this.#count += asked.owed.size
    for (const task of asked.owed) this.#asked.set(task, (this.#asked.get(task) ?? 0) + 1)
  }

  /** Another heartbeat has passed. */
  beat(): void {
    for (const asked of this.#open.values()) asked.beats++
  }

  remove(question: number): void {
    for (const task of this.#open.get(question)?.owed ?? []) this.#leave(task)
    this.#open.delete(question)
  }

  /** Takes those out that are not to be waited for any more. */
  *take(isToCome: (task: TaskId, asked: Await) => boolean): Iterable<readonly [number, TaskId[]]> {
    for (const [question, asked] of this.#open) {
      const due: TaskId[] = []
      for (const task of asked.owed) if (!isToCome(task, asked)) due.push(task)
      if (due.length === 0) continue
      for (const task of due) {
        asked.owed.delete(task)
        this.#leave(task)
      }
      if (asked.owed.size === 0) this.#open.delete(question)
      yield [question, due]
    }
  }

  #leave(task: TaskId): void {
    this.#count--
    const left = (this.#asked.get(task) ?? 1) - 1
    if (left === 0) this.#asked.delete(task)
    else this.#asked.set(task, left)
  }
}

type Event<T extends WorkerEvent['type']> = Extract<WorkerEvent, { readonly type: T }>

export function onValuesAwaited(
  { awaits }: WorkerState,
  { question, tasks, worker, after }: Event<'values-awaited'>,
): void {
  awaits.add(question, { owed: new Set(tasks), worker, after, beats: 0 })
}

/** At the end of a turn: answers what can be answered, of peers' questions and of our own tasks'. */
export function answerAwaits(state: WorkerState, out: WorkerInstruction[]): void {
  giveUpOwn(state, out)
  if (state.awaits.count === 0) return
  const isFull = state.awaits.count > MAX_AWAITED_VALUES
  const due = state.awaits.take((task, asked) => !isFull && !state.held.has(task) && mayCome(state, task, asked))
  for (const [question, tasks] of due) {
    const located = tasks.filter((task) => (state.held.sizeOf(task) ?? 0) > MAX_INLINE_RESULT_BYTES)
    const settled = located.length === 0 ? tasks : tasks.filter((task) => !located.includes(task))
    const sizes = located.map((task) => state.held.sizeOf(task)!)
    out.push({ type: 'answer-await', question, settled, located, sizes })
  }
}

function mayCome({ link, tasks, taskCount }: WorkerState, task: TaskId, { worker, after, beats }: Await): boolean {
  if (tasks.has(task)) return true
  if ((link.type !== 'joined' && link.type !== 'leaving') || link.worker !== worker) return false
  return taskCount < after && beats < MAX_BEATS
}

/** Tasks of ours that wait for others of ours which ended without a value, or went back. */
function giveUpOwn(state: WorkerState, out: WorkerInstruction[]): void {
  for (const { input } of state.fetches.own) {
    if (!state.tasks.has(input)) onValuesMissing(state, OWN_TASK, [input], out)
  }
}
