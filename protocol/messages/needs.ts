/** What a task needs of the worker that runs it and of the whole cluster, and what a worker offers. */
import { flag, integer, list, record, text, type Infer } from '../schema.js'

export const amounts = list(record({ name: text, thousandths: integer }))

/** Taken from a worker, and from limits of the whole cluster, while the worker has the task. */
export const needs = record({
  /** How many of its threads. 0: the task waits for others nearly all the time, and runs among many on a thread for such. */
  threads: integer,
  /** How much of its memory limit; 0 when the task does not say. */
  memoryBytes: integer,
  /** In the order of their names. */
  others: amounts,
  /** Units of limits of the cluster, in the order of their names. */
  limits: list(record({ name: text, units: integer })),
  /** Names, addresses or tags (`zone=a`) of the workers that may run it; empty for all. */
  workers: list(text),
  /** Others may run it too, while none of `workers` can. */
  allowsOthers: flag,
})
export type Needs = Infer<typeof needs>

/** One thread, and nothing else that is counted: what tasks need that do not say. */
export const NO_NEEDS: Needs = Object.freeze({
  threads: 1,
  memoryBytes: 0,
  others: Object.freeze([]),
  limits: Object.freeze([]),
  workers: Object.freeze([]),
  allowsOthers: false,
})
