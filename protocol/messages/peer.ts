/**
 * The link to a worker over which its peers and clients fetch values, and clients bring theirs. Every question has a
 * number, and one answer a task.
 */
import { integer, message, packed, taskIds, union, type Infer } from '../schema.js'
import { task } from './common.js'

/** Asks for values. Answered by any number of `values`, `large-value` and `gone`, in any order. */
export const getValues = message('get-values', { request: integer, tasks: taskIds })

/** Heads the payload that carries a value which the worker is to hold. Answered by `put-held`. */
export const putValue = message('put-value', { task })

export const toHolder = union([getValues, putValue])
export type ToHolder = Infer<typeof toHolder>

/** Small values, many in one. */
export const peerValues = message('peer-values', { request: integer, tasks: taskIds, values: packed })
/** Heads the payload that carries one large value. */
export const largeValue = message('large-value', { request: integer, task })
/** These are not held here (any more). */
export const gone = message('gone', { request: integer, tasks: taskIds })
/** The value that was put is held here now. */
export const putHeld = message('put-held', { task })

export const fromHolder = union([peerValues, largeValue, gone, putHeld])
export type FromHolder = Infer<typeof fromHolder>
