/** Takes graphs in: gives their outputs places and futures at once, and queues the rest, however large it is. */
import { ARRAY_CAPACITY } from '../protocol/ids.js'
import type { Future } from './future.js'
import type { GraphCall } from './graph-call.js'
import { GraphSubmission, type RequestedCalls } from './graph-submission.js'
import { runUntil, type Steps } from './graph/slices.js'
import type { Outgoing } from './outgoing.js'
import { resolveRawGraph, type RawGraph, type ResolvedGraph } from './raw-graph.js'
import { SubmitSites } from './submit-site.js'
import type { Place, TaskArray } from './task-array.js'
import type { FutureOwner } from './task-future.js'
import { completeTaskOptions, type ResolvedTaskOptions } from './task-options.js'
import type { TaskFunction, Templates } from './templates.js'

/** How many steps of looking through a raw graph are done in the call, which then throws what is wrong with it. */
const STEPS_AT_ONCE = 4

export interface GraphOptions {
  readonly fuse: boolean
  /** What the calls' own options don't say. */
  readonly task: ResolvedTaskOptions
}

export interface GraphSubmitterOptions {
  readonly owner: FutureOwner
  readonly outgoing: Outgoing
  readonly templates: Templates
  readonly makeFuture: (array: TaskArray, index: number) => Future<unknown>
}

/** An output, as far as its name goes. */
type Output = Pick<GraphCall, 'fn' | 'options'>

export class GraphSubmitter {
  readonly #owner: FutureOwner
  readonly #outgoing: Outgoing
  readonly #templates: Templates
  readonly #makeFuture: GraphSubmitterOptions['makeFuture']
  readonly #sites = new SubmitSites()

  constructor({ owner, outgoing, templates, makeFuture }: GraphSubmitterOptions) {
    this.#owner = owner
    this.#outgoing = outgoing
    this.#templates = templates
    this.#makeFuture = makeFuture
  }

  /** A future for each call; the same one where a call is asked for again. */
  compute(calls: readonly GraphCall[], options: GraphOptions, called: TaskFunction): Future<unknown>[] {
    return this.#computeOf(calls, undefined, options, called)
  }

  /** A future for each key; the same one where a key is asked for again. */
  submitGraph(
    graph: RawGraph,
    keys: readonly string[],
    options: GraphOptions,
    called: TaskFunction,
  ): Future<unknown>[] {
    const distinct = [...new Set(keys)]
    const steps = resolveRawGraph(graph, distinct)
    let looks = 0
    const resolved = runUntil(steps, STEPS_AT_ONCE, () => (looks += 1))?.result
    if (resolved !== undefined) {
      const outputs = keys.map((key) => resolved.get(key)!)
      return this.#computeOf(outputs, resolved, options, called)
    }
    // Which of them need others is not known yet, so each has an array of its own, which is sent when its turn comes.
    const groups = distinct.map((key) => [{ fn: graph[key]![0], options: {} }])
    const futures = this.#place(groups, outputsOf(steps, distinct), options, called)
    const byKey = new Map(distinct.map((key, i) => [key, futures[i]!]))
    return keys.map((key) => byKey.get(key)!)
  }

  #computeOf(
    calls: readonly GraphCall[],
    byKey: ResolvedGraph | undefined,
    options: GraphOptions,
    called: TaskFunction,
  ): Future<unknown>[] {
    // None of them needs one that was made later, so in this order they fit into few arrays.
    const outputs = [...new Set(calls)].sort((a, b) => a.serial - b.serial)
    const groups: GraphCall[][] = []
    for (let i = 0; i < outputs.length; i += ARRAY_CAPACITY) groups.push(outputs.slice(i, i + ARRAY_CAPACITY))
    const futures = this.#place(groups, found({ outputs, byKey }), options, called)
    const byCall = new Map(outputs.map((output, i) => [output, futures[i]!]))
    return calls.map((call) => byCall.get(call)!)
  }

  /** Gives the outputs their places, an array for each group, and queues the graph. */
  #place(
    groups: readonly (readonly Output[])[],
    calls: Steps<RequestedCalls>,
    { fuse, task }: GraphOptions,
    called: TaskFunction,
  ): Future<unknown>[] {
    if (groups.length === 0) return []
    // Whatever is wrong with an output's function is thrown before there is a place for it.
    const named = groups.map((group) =>
      group.map(({ fn, options }) => this.#templates.of(fn, completeTaskOptions(options, task))),
    )
    this.#outgoing.beginSlices(groups.length)
    const site = this.#sites.take(called, calls, this.#outgoing.turn)
    const places: Place[] = []
    for (const templates of named) {
      const array = this.#outgoing.newArray(task.parent)
      for (const template of templates) places.push({ array, index: array.add(1, template, site) })
    }
    this.#outgoing.addGraph(new GraphSubmission(this.#owner, this.#templates, { calls, fuse }, places, task))
    return places.map(({ array, index }) => this.#makeFuture(array, index))
  }
}

function* outputsOf(steps: Steps<ResolvedGraph>, keys: readonly string[]): Steps<RequestedCalls> {
  const byKey = yield* steps
  return { outputs: keys.map((key) => byKey.get(key)!), byKey }
}

/** Nothing is left to be done for it. */
function* found(calls: RequestedCalls): Steps<RequestedCalls> {
  return calls
}
