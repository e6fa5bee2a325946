/** The states of tasks, as every view tells and colours them. */
import type { StateCounts } from '../../protocol/messages/status.js'
import type { FunctionView } from '../../protocol/messages/watch.js'
import { whole } from './words.js'

interface StateWords {
  readonly state: keyof StateCounts
  /** The name of its colour in the style sheet. */
  readonly kind: string
  readonly words: string
}

/** In the order in which a task goes through them. */
export const STATES: readonly StateWords[] = [
  { state: 'waiting', kind: 'waiting', words: 'waiting for inputs' },
  { state: 'ready', kind: 'ready', words: 'ready' },
  { state: 'processing', kind: 'processing', words: 'processing' },
  { state: 'delayed', kind: 'delayed', words: 'to be retried' },
  { state: 'in-memory', kind: 'done', words: 'in memory' },
  { state: 'failed', kind: 'failed', words: 'failed' },
  { state: 'released', kind: 'released', words: 'let go' },
]

/** Of what bars of functions show: what has ended well may be in memory or let go. */
export const PROGRESS_KINDS = STATES.filter(({ state }) => state !== 'released').map(({ state, kind, words }) => ({
  kind,
  words: state === 'in-memory' ? 'done' : words,
}))

/** How many tasks of a function are in each state, those that have ended well first. What was let go is done, too. */
export function partsOfStates({ tasks, finished }: Pick<FunctionView, 'tasks' | 'finished'>): {
  readonly kind: string
  readonly amount: number
  readonly words: string
}[] {
  const done = { kind: 'done', amount: finished, words: `${whole(finished)} done` }
  const open = STATES.filter(({ state }) => state !== 'in-memory' && state !== 'released')
    .map(({ state, kind, words }) => ({ kind, amount: tasks[state], words: `${whole(tasks[state])} ${words}` }))
    .reverse()
  return [done, ...open]
}
