/** Calls about data, on the link between a client and the scheduler: who has it, where it goes, what is published. */
import { flag, integer, list, message, oneOf, taskIds, text, type Infer } from '../schema.js'
import { array, task } from './common.js'

/** Answered by `held-by`. */
export const whoHas = message('who-has', { request: integer, tasks: taskIds })
/** The scheduler itself holds the task under this name, whoever else lets go of it. Answered by `published`. */
export const publish = message('publish', { request: integer, name: text, task })
/** The one task of a new array is one more future of what is published under this name; it fails if nothing is. */
export const openDataset = message('open-dataset', { array, name: text })
/** Answered by `unpublished`. */
export const unpublish = message('unpublish', { request: integer, name: text })
/** Answered by `datasets`. */
export const listDatasets = message('list-datasets', { request: integer })
/** Values move until workers hold about equally many bytes. Answered by `rebalanced`. */
export const rebalance = message('rebalance', { request: integer })
/**
 * Workers leave, named or by address: they end what they run, and what only they hold moves to others. Answered by
 * `retired` once they are gone, or at once if there is none of a name: then nobody leaves. After `deadlineMs` they go
 * whatever is left to do; 0 for never. `retirement-waits` tells of one that can't go as things stand.
 */
export const retireWorkers = message('retire-workers', { request: integer, workers: list(text), deadlineMs: integer })
/**
 * Unfinished work and results of every client fail, and every worker process is started again. Answered by `restarted`,
 * after `timeoutMs` at the latest.
 */
export const restart = message('restart', { request: integer, timeoutMs: integer })

/** What clients say. */
export const dataCalls = [
  whoHas,
  publish,
  openDataset,
  unpublish,
  listDatasets,
  rebalance,
  retireWorkers,
  restart,
] as const
export type DataCall = Infer<(typeof dataCalls)[number]>

/** For each task of the question, the names of the workers that hold its value. */
export const heldBy = message('held-by', { request: integer, workers: list(list(text)) })
/** `full`: as much is published as may be. `gone`: the future was released. */
export const published = message('published', { request: integer, outcome: oneOf('done', 'taken', 'full', 'gone') })
export const unpublished = message('unpublished', { request: integer, wasThere: flag })
export const datasets = message('datasets', { request: integer, names: list(text) })
/** So many values moved, and so many bytes. */
export const rebalanced = message('rebalanced', { request: integer, values: integer, sizeBytes: integer })
/**
 * `unknown` are names that no worker has. So many values moved, and so many bytes; `cutShort` are the names of workers that
 * had more to do at the deadline.
 */
export const retired = message('retired', {
  request: integer,
  unknown: list(text),
  values: integer,
  sizeBytes: integer,
  cutShort: list(text),
})
/** Why a worker that is to leave has not left: others must come first. For people. */
export const retirementWaits = message('retirement-waits', { request: integer, reason: text })
/**
 * `unwatched` are workers that nobody would start again: with one of them, nothing is restarted. `absent` are those that were
 * not back in time.
 */
export const restarted = message('restarted', { request: integer, unwatched: list(text), absent: list(text) })

/** What the scheduler answers. */
export const dataAnswers = [
  heldBy,
  published,
  unpublished,
  datasets,
  rebalanced,
  retired,
  retirementWaits,
  restarted,
] as const
export type DataAnswer = Infer<(typeof dataAnswers)[number]>
