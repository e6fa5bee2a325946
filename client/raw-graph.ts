/** Graphs as plain objects: a call under each key, and `ref(key)` among the arguments for the value of another. */
import { GraphError } from '../protocol/errors.js'
import type { Future } from './future.js'
import { resolveKeys } from './graph/resolve.js'
import type { KeyTable } from './graph/key-table.js'
import { findInputs, IN_CLUSTER, type Found } from './graph/scan.js'
import type { Steps } from './graph/slices.js'
import { checkPortable, GraphCall } from './graph-call.js'
import { describe } from './options.js'
import { TaskFuture } from './task-future.js'

/** Stands for the value of another call of the same graph; {@link ref} makes it. */
export interface Ref {
  /** The key of that call. */
  readonly key: string
}

/** A call in a raw graph: a function and its arguments, which may hold futures and `ref(key)` at any depth. */
export type RawCall = readonly [fn: (...args: never[]) => unknown, ...args: readonly unknown[]]

/** A graph for {@link Client.submitGraph}: a call under each key. */
export type RawGraph = Readonly<Record<string, RawCall>>

/** The futures of the calls under the keys `K`. */
export type RawFutures<G extends RawGraph, K extends readonly string[]> = {
  -readonly [I in keyof K]: Future<Awaited<ReturnType<G[K[I]][0]>>>
}

class RawRef implements Ref {
  readonly key: string

  constructor(key: string) {
    this.key = key
  }
}

/**
 * Stands for the value of the call under `key`, among the arguments of another call of a raw graph.
 *
 * @example
 * ```ts
 * const graph = { three: [() => 3], double: [(n: number) => n * 2, ref('three')] } as const
 * const [double] = client.submitGraph(graph, ['double'])
 * console.log(await double) // => 6
 * ```
 */
export function ref(key: string): Ref {
  if (typeof key !== 'string') throw new GraphError(`ref() takes the key of a call, and not ${describe(key)}.`)
  return new RawRef(key)
}

/** Calls by their keys. */
export type ResolvedGraph = KeyTable<GraphCall>

/** The calls that the keys need. Throws what is wrong with the graph. */
export function resolveRawGraph(graph: RawGraph, keys: readonly string[]): Steps<ResolvedGraph> {
  /** Of the call that was looked into last, or of one on the way to it. */
  const found = new Map<string, Found<string>>()
  return resolveKeys<GraphCall>(
    {
      has: (key) => Object.hasOwn(graph, key),
      inputsOf: (key) => {
        checkCall(key, graph[key])
        const inputs = findInputs(graph[key]!.slice(1), lookUp)
        found.set(key, inputs)
        return inputs.inputs
      },
      make: (key, inputs) => {
        const [fn, ...args] = graph[key]!
        const { link } = found.get(key)!
        found.delete(key)
        return new GraphCall({ fn, args, inputs, link, options: {} })
      },
    },
    keys,
  )
}

/** The call that a reference stands for. */
export function callOfRef(object: object, graph: ResolvedGraph): GraphCall | undefined {
  return object instanceof RawRef ? graph.get(object.key) : undefined
}

function lookUp(object: object): string | typeof IN_CLUSTER | undefined {
  if (object instanceof RawRef) return object.key
  return object instanceof TaskFuture ? IN_CLUSTER : undefined
}

/** A graph may come from code without types. */
function checkCall(key: string, call: unknown): void {
  if (Array.isArray(call) && typeof call[0] === 'function') return checkPortable(call[0] as RawCall[0])
  const found = Array.isArray(call) ? `an array that begins with ${describe(call[0])}` : describe(call)
  throw new GraphError(`"${key}" in the graph is ${found}; give [function, ...arguments].`)
}
