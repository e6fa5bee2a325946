/** Calls that are written down instead of made: `delayed(fn)` gives a function whose calls are parts of a graph. */
import { writeFileSync } from 'node:fs'
import { FunctionNotPortableError } from '../protocol/errors.js'
import { drawGraph, type DrawingFormat } from './graph/draw.js'
import { findInputs, IN_CLUSTER } from './graph/scan.js'
import type { DelayedInputsOrErrors, Tolerance, TolerantOptions } from './dependency-errors.js'
import { checkPortable, GraphCall } from './graph-call.js'
import type { Future, Leaf } from './future.js'
import { describe, invalidOption } from './options.js'
import { TaskFuture } from './task-future.js'
import { checkTaskOptions, type AnyTaskOptions, type TaskOptions } from './task-options.js'

declare const VALUE: unique symbol

/**
 * A result that nothing was done for yet: a call with all the calls that it needs. `client.compute` and `client.persist`
 * have it worked out; what they don't need of it never runs.
 *
 * @example
 * ```ts
 * const length = delayed((text: string) => text.length)
 * const sum = delayed((lengths: number[]) => lengths.reduce((a, b) => a + b, 0))
 * const total = sum(['warp', 'weft'].map((word) => length(word))) // Delayed<number>
 * console.log(await client.compute(total))                        // => 8
 * ```
 */
export interface Delayed<T> {
  /** What its task is called: the `name` among the options, or that of the function. */
  readonly name: string

  /**
   * Draws the graph into a file: `.svg` is a picture, `.dot` is for Graphviz, `.mmd` for Mermaid. Calls of one function have
   * one colour; what it is asked of is drawn with a thick border.
   *
   * @throws {GraphError} when there are more than 2,000 calls, which nobody could make out.
   * @example
   * ```ts
   * const total = delayed((a: number, b: number) => a + b)(1, 2)
   * total.visualize('total.svg')
   * ```
   */
  visualize(file: string): void

  /** For the compiler only: what the call gives. */
  readonly [VALUE]?: T
}

type Nested<T> = T extends Leaf
  ? never
  : T extends ReadonlyMap<infer K, infer V>
    ? ReadonlyMap<K, DelayedInput<V>>
    : T extends ReadonlySet<infer V>
      ? ReadonlySet<DelayedInput<V>>
      : T extends object
        ? { readonly [K in keyof T]: DelayedInput<T[K]> }
        : never

/**
 * What may be given where a delayed function wants a `T`: a `T`, a `Delayed<T>`, a `Future<T>`, or arrays, plain objects,
 * Maps and Sets with such in the places of values.
 */
export type DelayedInput<T> = T | Delayed<T> | Future<T> | Nested<T>

/** The arguments of a delayed function with the parameters `A`. */
export type DelayedInputs<A extends readonly unknown[]> = { [K in keyof A]: DelayedInput<A[K]> }

/** What {@link delayed} makes of a function: a call of it gives a {@link Delayed}. */
export type DelayedFunction<A extends readonly unknown[], R> = (...args: DelayedInputs<A>) => Delayed<Awaited<R>>

/** Options of the tasks of a delayed function. Those that it doesn't give are as the client says that computes them. */
export type DelayedOptions = Omit<TaskOptions, 'key' | 'signal'>

/** The same for functions whose calls go on when others that they need fail. */
export type TolerantDelayedOptions<M extends Tolerance> = Omit<TolerantOptions<M>, 'key' | 'signal'>

/**
 * Makes a function whose calls run nothing: each gives a {@link Delayed}, which may be an argument of others, at any depth
 * of arrays, plain objects, Maps and Sets. Arguments are encoded when the graph is computed: don't change them until then.
 *
 * The function may also be one of a module: `delayed(client.module<…>(…).load)`.
 *
 * @throws {FunctionNotPortableError} when the function uses names from its surroundings.
 * @example
 * ```ts
 * const load = delayed((file: string) => file.length)
 * const add = delayed((a: number, b: number) => a + b, { priority: 1 })
 * const graph = add(load('a.csv'), load('long.csv'))   // Delayed<number>
 * console.log(await client.compute(graph))             // => 13
 * ```
 */
export function delayed<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options?: DelayedOptions,
): DelayedFunction<A, R>
/** Calls of it give `undefined`, and do not run, when a call that they need fails. */
export function delayed<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: TolerantDelayedOptions<'skip'>,
): (...args: DelayedInputs<A>) => Delayed<Awaited<R> | undefined>
/** Calls of it get the error in the place of the value of a call that fails. */
export function delayed<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: TolerantDelayedOptions<'pass-error'>,
): (...args: DelayedInputsOrErrors<A>) => Delayed<Awaited<R>>
export function delayed<A extends readonly unknown[], R>(
  fn: (...args: A) => R,
  options: Omit<AnyTaskOptions, 'key' | 'signal' | 'outputs'> = {},
): DelayedFunction<A, R> {
  if (typeof fn !== 'function') {
    throw new FunctionNotPortableError(`delayed() takes a function, and not ${describe(fn)}.`)
  }
  checkPortable(fn)
  checkTaskOptions('delayed()', options)
  const own = Object.freeze({ ...options })
  return (...args) => {
    const { inputs, link } = findInputs(args, lookUp)
    // The signature says what the function gives.
    return new DelayedCall({ fn, args, inputs, link, options: own }) as unknown as Delayed<Awaited<R>>
  }
}

/** A call in a graph, with its face for users. */
export class DelayedCall extends GraphCall implements Delayed<unknown> {
  visualize(file: string): void {
    visualize(this, file)
  }
}

/** A call that was persisted: its value is in the cluster, or will be. */
export class PersistedCall implements Delayed<unknown> {
  readonly call: GraphCall
  readonly future: Future<unknown>

  constructor(call: GraphCall, future: Future<unknown>) {
    this.call = call
    this.future = future
  }

  get name(): string {
    return this.call.name
  }

  visualize(file: string): void {
    visualize(this.call, file)
  }
}

/** What an object among the arguments of a call stands for. */
function lookUp(object: object): GraphCall | typeof IN_CLUSTER | undefined {
  if (object instanceof GraphCall) return object
  return object instanceof TaskFuture || object instanceof PersistedCall ? IN_CLUSTER : undefined
}

const FORMATS: readonly (readonly [ending: string, format: DrawingFormat])[] = [
  ['.svg', 'svg'],
  ['.dot', 'dot'],
  ['.mmd', 'mermaid'],
]

function visualize(call: GraphCall, file: unknown): void {
  const format = FORMATS.find(([ending]) => typeof file === 'string' && file.endsWith(ending))?.[1]
  if (format === undefined) {
    throw invalidOption(`visualize() got ${describe(file)}; give a file name that ends in .svg, .dot or .mmd.`)
  }
  writeFileSync(
    file as string,
    drawGraph([call], (node) => node.inputs, format),
  )
}
