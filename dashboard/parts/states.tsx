/** The states of tasks: their colours, their names, and how many there are in each as a bar. */
import type { StateCounts } from '../../protocol/messages/status.js'
import type { FunctionView } from '../../protocol/messages/watch.js'
import { whole } from '../model/words.js'
import type { Part } from './bar.js'

/** In the order in which a task goes through them. */
export const STATES: readonly { readonly state: keyof StateCounts; readonly kind: string; readonly words: string }[] = [
  { state: 'waiting', kind: 'waiting', words: 'waiting for inputs' },
  { state: 'ready', kind: 'ready', words: 'ready' },
  { state: 'processing', kind: 'processing', words: 'processing' },
  { state: 'delayed', kind: 'delayed', words: 'to be retried' },
  { state: 'in-memory', kind: 'done', words: 'in memory' },
  { state: 'failed', kind: 'failed', words: 'failed' },
  { state: 'released', kind: 'released', words: 'let go' },
]

/** Those that have ended well first. What was let go is done, too. */
export function partsOfStates({ tasks, finished }: Pick<FunctionView, 'tasks' | 'finished'>): Part[] {
  const done = { kind: 'done', amount: finished, words: `${whole(finished)} done` }
  const open = STATES.filter(({ state }) => state !== 'in-memory' && state !== 'released')
    .map(({ state, kind, words }) => ({ kind, amount: tasks[state], words: `${whole(tasks[state])} ${words}` }))
    .reverse()
  return [done, ...open]
}
