/**
 * What the scheduler's journal is made of: all that a scheduler must know to take the place of one that died. What clients
 * said stands there as they said it; of what became of it only outcomes do, and that values were lost, for what workers have
 * and run they tell themselves when they come back.
 */
import { clientId } from '../../../protocol/ids.js'
import { array, client, failureFields, task, worker } from '../../../protocol/messages/common.js'
import { clientToScheduler } from '../../../protocol/messages/client.js'
import { integer, integers, message, packed, taskIds, text, union, type Infer } from '../../../protocol/schema.js'

/** The first record: what outlives every scheduler of this journal. */
export const begun = message('begun', { peerSecret: text, nextArray: integer })
/** A client is there. `session` is what it will show if it comes back. */
export const clientCame = message('client-came', { client, session: text, name: text })
/** A client may use these array ids, or the tasks of a worker (`TASKS_OF_A_WORKER`). It is told once this is kept. */
export const leased = message('leased', { client, first: array })
/** A client may use ids of these leases and no others; of any, when there are none: then arrays of it follow. */
export const leases = message('leases', { client, firsts: integers })
/** A client said something that must not be lost: see `isKept`. */
export const said = message('said', { client, message: clientToScheduler })
/** So much it had said by then: of clients that a journal begins with, and of what led to nothing. */
export const saidBefore = message('said-before', { client, count: integer })
/** A client is gone for good, and all that it held. */
export const clientWent = message('client-went', { client })
/** Places of an array that nothing stands for any more. */
export const emptied = message('emptied', { array, client, count: integer })
/** These have their values, which workers hold; small ones stand here too, and the entries of the others are empty. */
export const finished = message('finished', { tasks: taskIds, sizes: integers, values: packed })
/** Somebody who looks after the cluster had this failed task run again, and what failed with it. */
export const ranAgain = message('ran-again', { key: text })
/** These failed for one reason. */
export const failed = message('failed', { tasks: taskIds, ...failureFields })
/**
 * A task is tried again: so often it has failed by its own doing, so many workers died with it, so often it was sent to one,
 * and so often it came back from there without having started.
 */
export const tried = message('tried', {
  task,
  failures: integer,
  deaths: integer,
  attempt: integer,
  unstarted: integer,
})
/** A worker is there: it will come back, if it lives, to whoever reads this. */
export const workerCame = message('worker-came', { worker, incarnation: text })
/** It is gone, or went. */
export const workerWent = message('worker-went', { worker })
/** Its task is still held, and stands for it no more: the cluster was restarted since. */
export const keyFreed = message('key-freed', { key: text })
/** Their values can't be had any more. Those that somebody needs are made again, and have no outcome until then. */
export const lost = message('lost', { tasks: taskIds })

/** Stands for no client: array ids that a worker has for the clients of its tasks, of which nothing else is kept. */
export const TASKS_OF_A_WORKER = clientId(0)

export const journalRecord = union([
  begun,
  clientCame,
  leased,
  leases,
  said,
  saidBefore,
  clientWent,
  emptied,
  finished,
  failed,
  tried,
  ranAgain,
  workerCame,
  workerWent,
  keyFreed,
  lost,
])
export type JournalRecord = Infer<typeof journalRecord>
export type FinishedRecord = Infer<typeof finished>
export type LostRecord = Infer<typeof lost>
export type FailedRecord = Infer<typeof failed>
export type TriedRecord = Infer<typeof tried>
