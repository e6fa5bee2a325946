/**
 * The link to a worker over which its peers and clients fetch values, and clients bring theirs. Every question has a
 * number, and one answer a task.
 */
import { integer, integers, message, packed, taskIds, union, type Infer } from '../schema.js'
import { task, worker } from './common.js'

/** Asks for values. Answered by any number of `values`, `large-value` and `gone`, in any order. */
export const getValues = message('get-values', { request: integer, tasks: taskIds })

/**
 * Asks a worker for values that are still to be made there. Answered as `get-values`, each as soon as the value is there, or it
 * is plain that it won't be; large values by `values-located`. `after`: how many tasks the worker was sent by then, under its
 * number `worker`, the makers among them.
 */
export const awaitValues = message('await-values', { request: integer, tasks: taskIds, worker, after: integer })
export type AwaitValues = Infer<typeof awaitValues>

/** Heads the payload that carries a value which the worker is to hold. Answered by `put-held`. */
export const putValue = message('put-value', { task })

export const toHolder = union([getValues, awaitValues, putValue])
export type ToHolder = Infer<typeof toHolder>

/** Small values, many in one. */
export const peerValues = message('peer-values', { request: integer, tasks: taskIds, values: packed })
/** Heads the payload that carries one large value. */
export const largeValue = message('large-value', { request: integer, task })
/** These are not held here (any more). */
export const gone = message('gone', { request: integer, tasks: taskIds })
/** These were awaited and are here, and so large that they are to be asked for. */
export const valuesLocated = message('values-located', { request: integer, tasks: taskIds, sizes: integers })
/** The value that was put is held here now. */
export const putHeld = message('put-held', { task })

export const fromHolder = union([peerValues, largeValue, gone, valuesLocated, putHeld])
export type FromHolder = Infer<typeof fromHolder>
