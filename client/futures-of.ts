/** Finds the futures in a value, wherever a task would find them. */
import { PersistedCall } from './delayed.js'
import type { Future } from './future.js'
import { findInputs } from './graph/scan.js'
import { GraphCall } from './graph-call.js'
import { TaskFuture } from './task-future.js'

/** Each once; those of delayed calls are among the calls' arguments. */
export function futuresOf(value: unknown): Future<unknown>[] {
  const futures = new Set<Future<unknown>>()
  const calls = new Set<GraphCall>()
  const search = (values: readonly unknown[]): void => {
    for (const found of findInputs(values, lookUp).inputs) {
      if (found instanceof GraphCall) calls.add(found)
      else futures.add(found)
    }
  }
  search([value])
  for (const { args } of calls) search(args) // What it adds is looked into by the same loop.
  return [...futures]
}

function lookUp(object: object): Future<unknown> | GraphCall | undefined {
  if (object instanceof PersistedCall) return object.future
  return object instanceof TaskFuture || object instanceof GraphCall ? object : undefined
}
