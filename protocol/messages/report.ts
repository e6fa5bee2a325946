/** What clients ask workers, or the scheduler, for people who look into what a cluster does. */
import {
  about,
  bytes,
  integer,
  list,
  message,
  oneOf,
  optional,
  packed,
  real,
  record,
  taskIds,
  text,
  type Infer,
} from '../schema.js'
import { task } from './common.js'
import { askProfile } from './profile.js'

/** `logs`: the last lines of the worker's log. `runs`: the last tasks that it ran. */
const subject = oneOf('logs', 'runs')
export type Subject = Infer<typeof subject>

/** To be asked of these workers, by name; of all, if there are none. Answered by `workers-told`. */
export const askWorkers = message('ask-workers', { request: integer, subject, workers: list(text) })
/** Answered by `dump`. */
export const askDump = message('ask-dump', { request: integer })

const UNMEASURED =
  'left out where that was not measured, as of what still runs, and of a long run right behind a short one'

/** How long a run took, and what that went into. */
export const runTimes = {
  durationMs: about('To take its inputs apart, to run, and to encode its result.', real),
  decodeMs: optional(about(`Of durationMs, to take arguments and inputs apart; ${UNMEASURED}.`, real)),
  runMs: optional(about(`Of durationMs, in the function itself; ${UNMEASURED}.`, real)),
  encodeMs: optional(about(`Of durationMs, to encode the result; ${UNMEASURED}.`, real)),
}

/** What a worker tells of its runs: tasks that followed each other, or one. Times are of its clock, since 1970. */
export const ranTasks = record({
  name: text,
  key: text,
  count: integer,
  thread: integer,
  atMs: real,
  failed: integer,
  ...runTimes,
})
export type RanTasks = Infer<typeof ranTasks>

/** A line that it logged, or that the task of this key printed. */
export const keptLine = record({
  atMs: real,
  level: oneOf('info', 'warn', 'error'),
  text,
  task: optional(text),
})

/** What clients say. */
export const reportCalls = [askWorkers, askProfile, askDump] as const
export type ReportCall = Infer<(typeof reportCalls)[number]>

/** What each worker told, under its name, as JSON, to `ask-workers` or `ask-profile`. `unknown` are names that no worker has: then nobody was asked. */
export const workersTold = message('workers-told', {
  request: integer,
  unknown: list(text),
  workers: list(text),
  reports: packed,
})
/** What the scheduler knows, as JSON: no values, no arguments, no secrets. */
export const dump = message('dump', { request: integer, state: text })

/** What the scheduler answers. */
export const reportAnswers = [workersTold, dump] as const

/** The scheduler asks a worker. Answered by `told`. */
export const tell = message('tell', { question: integer, subject })
export type Tell = Infer<typeof tell>
/** The same about one task, which had these inputs: when the worker had it, what it ran of it, what that printed. */
export const tellOfTask = message('tell-of-task', { question: integer, task, key: text, inputs: taskIds })
export type TellOfTask = Infer<typeof tellOfTask>
/** A worker answers, as JSON. */
export const told = message('told', { question: integer, report: bytes })
export type Told = Infer<typeof told>
