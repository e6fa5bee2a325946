/** What clients ask workers, or the scheduler, for people who look into what a cluster does. */
import { bytes, integer, list, message, oneOf, packed, taskIds, text, type Infer } from '../schema.js'
import { task } from './common.js'
import { askProfile } from './profile.js'

/** `logs`: the last lines of the worker's log. `runs`: the last tasks that it ran. */
const subject = oneOf('logs', 'runs')
export type Subject = Infer<typeof subject>

/** To be asked of these workers, by name; of all, if there are none. Answered by `workers-told`. */
export const askWorkers = message('ask-workers', { request: integer, subject, workers: list(text) })
/** Answered by `dump`. */
export const askDump = message('ask-dump', { request: integer })

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
