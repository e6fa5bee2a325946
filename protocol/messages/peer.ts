/** The link to a worker over which its peers and clients fetch values. Every question has a number, and one answer a task. */
import { integer, message, packed, taskIds, union, type Infer } from '../schema.js'
import { task } from './common.js'

/** Asks for values. Answered by any number of `values`, `large-value` and `gone`, in any order. */
export const getValues = message('get-values', { request: integer, tasks: taskIds })

export const toHolder = union([getValues])
export type ToHolder = Infer<typeof toHolder>

/** Small values, many in one. */
export const peerValues = message('peer-values', { request: integer, tasks: taskIds, values: packed })
/** Heads the payload that carries one large value. */
export const largeValue = message('large-value', { request: integer, task })
/** These are not held here (any more). */
export const gone = message('gone', { request: integer, tasks: taskIds })

export const fromHolder = union([peerValues, largeValue, gone])
export type FromHolder = Infer<typeof fromHolder>
