/** Why a task is where it is, as `future.explain()`, `client.explain()` and `heddle explain` tell it. */
import { integer, list, message, oneOf, record, text, type Infer } from '../schema.js'
import { task } from './common.js'

export const explanation = record({
  key: text,
  /** The state that the scheduler has the task in; `unknown` when it has no such task. */
  state: oneOf('waiting', 'ready', 'delayed', 'processing', 'in-memory', 'failed', 'released', 'unknown'),
  /** One sentence for people: what it waits for, or what became of it. */
  reason: text,
  /** What else there is to know, a sentence each. */
  details: list(text),
  /** Inputs whose values are not there; the first of them, if there are many. */
  waitsFor: list(record({ key: text, state: text })),
  /** Workers that can't take it now, and why; the first of them, if there are many. */
  workers: list(record({ name: text, reason: text })),
  /** About how many ready tasks come before it; 0 when it is not ready. */
  ahead: integer,
})
/**
 * Why a task is where it is.
 * @interface
 */
export type Explanation = Infer<typeof explanation>

/** Why is this task where it is? It is named by its id or, where that is 0, by its key. Answered by `explained`. */
export const askExplanation = message('ask-explanation', { request: integer, task, key: text })
export const explained = message('explained', { request: integer, explanation })
