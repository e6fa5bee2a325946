/** Peers await values that are to be made here, and tasks of ours those of others of ours. Answered when a turn ends. */
import type { TaskId } from '../../protocol/ids.js'
import { MAX_AWAITED_VALUES, MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { MAX_BEATS, type Await, type Due } from './awaits.js'
import { hurryBatchOf } from './batch.js'
import type { WorkerEvent } from './events.js'
import { OWN_TASK } from './fetch-plan.js'
import type { WorkerInstruction } from './instructions.js'
import { onValuesMissing } from './on-transfer.js'
import type { WorkerState } from './state.js'

type Event<T extends WorkerEvent['type']> = Extract<WorkerEvent, { readonly type: T }>

/** Where too many are awaited already, the question is answered as things stand. */
export function onValuesAwaited(
  state: WorkerState,
  { question, tasks, worker, after }: Event<'values-awaited'>,
  out: WorkerInstruction[],
): void {
  if (state.awaits.count + tasks.length > MAX_AWAITED_VALUES) {
    answer(state, { question, tasks, isLast: true }, out)
    return
  }
  state.awaits.add(question, { owed: new Set(tasks), worker, after, beats: 0 })
  for (const task of tasks) hurryBatchOf(state, task, out)
}

/** At the end of a turn, when all has gone back that does: answers what can be answered of peers' questions. */
export function answerAwaits(state: WorkerState, out: WorkerInstruction[]): void {
  if (state.awaits.count === 0) return
  const due = state.awaits.take((task, asked) => !state.held.has(task) && mayCome(state, task, asked))
  for (const each of due) answer(state, each, out)
}

function answer({ held }: WorkerState, { question, tasks, isLast }: Due, out: WorkerInstruction[]): void {
  const located = tasks.filter((task) => (held.sizeOf(task) ?? 0) > MAX_INLINE_RESULT_BYTES)
  const settled = located.length === 0 ? tasks : tasks.filter((task) => !located.includes(task))
  const sizes = located.map((task) => held.sizeOf(task)!)
  out.push({ type: 'answer-await', question, settled, located, sizes, isLast })
}

function mayCome({ link, tasks, taskCount }: WorkerState, task: TaskId, { worker, after, beats }: Await): boolean {
  if (tasks.has(task)) return true
  if ((link.type !== 'joined' && link.type !== 'leaving') || link.worker !== worker) return false
  return taskCount < after && beats < MAX_BEATS
}

/** Gives back tasks of ours that wait for others of ours which ended without a value, or went back. Returns false when none did. */
export function giveUpOwn(state: WorkerState, out: WorkerInstruction[]): boolean {
  let isAny = false
  for (const { input } of state.fetches.own) {
    if (state.tasks.has(input)) continue
    onValuesMissing(state, OWN_TASK, [input], out)
    isAny = true
  }
  return isAny
}
