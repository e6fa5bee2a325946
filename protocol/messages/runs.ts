/** What workers run and log, told only while somebody looks: it is for people, and no rule of scheduling knows it. */
import { flag, integer, list, message, oneOf, optionalText, record, text, type Infer } from '../schema.js'

/** Whether somebody looks at what the worker's threads run, and at what it logs. */
export const watch = message('watch', { runs: flag, logs: flag })

const run = record({
  function: text,
  /** Of the task, or of the first of several that followed each other and were short. */
  key: text,
  thread: integer,
  /** When it began, before this was sent: so that clocks need not agree. */
  agoUs: integer,
  durationUs: integer,
  count: integer,
  failed: integer,
})
export type Run = Infer<typeof run>

const running = record({ function: text, key: text, thread: integer, agoUs: integer })

/** Values came from another worker, or went to disk, or came back from there. */
const move = record({ kind: oneOf('fetched', 'spilled', 'loaded'), agoUs: integer, count: integer, bytes: integer })
export type Move = Infer<typeof move>

/** What ended since the last such message, what runs now, and how many runs were left out for being too many. */
export const runs = message('runs', { runs: list(run), running: list(running), moves: list(move), leftOut: integer })
export type Runs = Infer<typeof runs>

const line = record({
  /** In milliseconds since 1970, by the worker's clock. */
  atMs: integer,
  level: oneOf('info', 'warn', 'error'),
  text,
  /** The key of the task that printed it. */
  task: optionalText,
})

/** What the worker and its tasks logged since the last such message; before the first one, if it is `isBacklog`. */
export const logged = message('logged', { isBacklog: flag, lines: list(line), leftOut: integer })
export type Logged = Infer<typeof logged>
