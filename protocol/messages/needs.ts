/** What a task needs of the worker that runs it, and what a worker offers. */
import { integer, list, record, text, type Infer } from '../schema.js'

export const amounts = list(record({ name: text, thousandths: integer }))

/** Taken from a worker while it has the task. */
export const needs = record({
  /** How many of its threads, 1 or more. */
  threads: integer,
  /** How much of its memory limit; 0 when the task does not say. */
  memoryBytes: integer,
  /** In the order of their names. */
  others: amounts,
})
export type Needs = Infer<typeof needs>

/** One thread, and nothing else that is counted: what tasks need that do not say. */
export const NO_NEEDS: Needs = Object.freeze({ threads: 1, memoryBytes: 0, others: Object.freeze([]) })
