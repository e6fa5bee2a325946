/**
 * A graph on its way to the scheduler: planned, then encoded in its order, both a little at a time, so that a graph of a
 * million calls does not stop the program. Its outputs have their futures, and so their places, from the beginning; all
 * other tasks are let go of as soon as everything that needs them was submitted, so that their results go when they are
 * used up.
 */
import { assert } from '../common/assert.js'
import { NotSerializableError } from '../protocol/errors.js'
import { arrayOf, type TaskId } from '../protocol/ids.js'
import { NO_RULES } from '../protocol/messages/rules.js'
import { encodeValue } from '../protocol/values/encode.js'
import { chainOf } from './capture/chain.js'
import { PersistedCall } from './delayed.js'
import type { Failure } from './failure.js'
import { planGraph, type Plan } from './graph/plan.js'
import { runUntil, type Steps } from './graph/slices.js'
import { GraphCall, mayFuse } from './graph-call.js'
import { InputSink } from './input-sink.js'
import { callOfRef, type ResolvedGraph } from './raw-graph.js'
import { Submission } from './submission.js'
import type { Place, TaskArray } from './task-array.js'
import type { FutureOwner } from './task-future.js'
import { completeTaskOptions, type ResolvedTaskOptions } from './task-options.js'
import { nameOnly, type Template } from './template.js'
import type { TaskFunction, Templates } from './templates.js'

/** What is asked of a graph. */
export interface GraphRequest {
  /** The calls asked for; of a raw graph that is large, they are still to be found. */
  readonly calls: Steps<RequestedCalls>
  readonly fuse: boolean
}

export interface RequestedCalls {
  readonly outputs: readonly GraphCall[]
  /** What references among the arguments stand for. */
  readonly byKey: ResolvedGraph | undefined
}

/** Who brings the tasks to the scheduler. */
export interface GraphOutlet {
  /** A task that does not exist: what needs it never runs. */
  noTask(): TaskId
  /** An array that no future stands in; `undefined` when the scheduler must give new ids first. */
  newHiddenArray(): TaskArray | undefined
  refuse(array: TaskArray, index: number, failure: Failure): void
  send(submission: Submission): void
  release(tasks: readonly TaskId[]): void
}

/** `goes on`: there is more to do at once. `waits`: for code or for ids; whoever brings them sends what is queued. */
export type Progress = 'goes on' | 'waits' | 'done'

/** How many tasks are encoded between two looks at the clock. */
const TASKS_PER_LOOK = 16

/** For the places of tasks without futures. */
const HIDDEN_TEMPLATE = nameOnly('hidden')

/** Stands for a function whose code is not to be had. It never runs. */
const nothing: TaskFunction = () => undefined

/** What is to be encoded for one task. */
interface Call {
  readonly template: Template
  readonly args: readonly unknown[]
}

export class GraphSubmission {
  readonly #request: GraphRequest
  readonly #places: readonly Place[]
  readonly #templates: Templates
  readonly #options: ResolvedTaskOptions
  readonly #sink: GraphSink
  readonly #optionsOf = new Map<object, ResolvedTaskOptions>()
  readonly #chains = new Map<string, TaskFunction>()
  readonly #functions = new Map<TaskFunction, number>()
  #planning: Steps<Plan<GraphCall>> | undefined
  #encoding: Encoding | undefined

  /** `places` are those of the outputs, one for each, in their order. */
  constructor(
    owner: FutureOwner,
    templates: Templates,
    request: GraphRequest,
    places: readonly Place[],
    options: ResolvedTaskOptions,
  ) {
    this.#request = request
    this.#places = places
    this.#templates = templates
    this.#options = options
    this.#sink = new GraphSink(owner)
  }

  /** Goes on until the deadline, or until something is there to be sent. */
  advance(outlet: GraphOutlet, deadlineMs: number, nowMs: () => number): Progress {
    if (this.#encoding === undefined) {
      const plan = this.#plan(outlet, deadlineMs, nowMs)
      if (plan === 'failed') return 'done'
      if (plan === undefined) return 'goes on'
      this.#encoding = new Encoding(plan, this.#places, this.#sink)
      if (nowMs() >= deadlineMs) return 'goes on'
    }
    return this.#encodeSome(this.#encoding, outlet, deadlineMs, nowMs)
  }

  #plan(outlet: GraphOutlet, deadlineMs: number, nowMs: () => number): Plan<GraphCall> | 'failed' | undefined {
    this.#planning ??= this.#planSteps()
    try {
      return runUntil(this.#planning, deadlineMs, nowMs)?.result
    } catch (error) {
      // A raw graph that is too large to be looked through in the call.
      for (const { array, index } of this.#places) {
        array.isAbandoned = true
        outlet.refuse(array, index, { type: 'local', error })
      }
      return 'failed'
    }
  }

  *#planSteps(): Steps<Plan<GraphCall>> {
    const { outputs, byKey } = yield* this.#request.calls
    const fuses = this.#request.fuse && this.#options.rules === NO_RULES
    const plan = yield* planGraph(outputs, ({ inputs }) => inputs, fuses ? mayFuse : undefined)
    this.#sink.setPlan(plan, byKey)
    return plan
  }

  #encodeSome(encoding: Encoding, outlet: GraphOutlet, deadlineMs: number, nowMs: () => number): Progress {
    for (let tasks = 1; !encoding.isAtEnd; tasks++) {
      const { template, args } = this.#callOf(encoding.next)
      const { state } = template.source
      const isReady = state.type !== 'bundling' && encoding.makeRoom(outlet)
      if (!isReady) {
        encoding.flush(outlet)
        return 'waits'
      }
      if (state.type === 'failed') {
        const stand = this.#templates.of(nothing, this.#options)
        encoding.add(outlet, stand, undefined, { type: 'local', error: state.error })
      } else encoding.add(outlet, template, args, undefined)
      if (encoding.isLargeEnough) break
      if (tasks % TASKS_PER_LOOK === 0 && nowMs() >= deadlineMs) break
    }
    encoding.flush(outlet)
    return encoding.isAtEnd ? 'done' : 'goes on'
  }

  #callOf(task: number): Call {
    const calls = this.#encoding!.callsOf(task)
    const last = calls.at(-1)!
    const options = this.#resolve(last)
    if (calls.length === 1) return { template: this.#templates.of(last.fn, options), args: last.args }
    const functions = [...new Set(calls.map(({ fn }) => fn))]
    const which = calls.map(({ fn }) => functions.indexOf(fn))
    const lists = calls.map(({ args, link }, i) => (i === 0 ? args : args.with(link, undefined)))
    const template = this.#templates.of(this.#chainOf(functions), { ...options, name: options.name ?? last.name })
    return { template, args: [which, calls.map(({ link }) => link), lists] }
  }

  #chainOf(functions: readonly TaskFunction[]): TaskFunction {
    const id = functions.map((fn) => this.#numberOf(fn)).join()
    let chain = this.#chains.get(id)
    if (chain === undefined) this.#chains.set(id, (chain = chainOf(functions)))
    return chain
  }

  #numberOf(fn: TaskFunction): number {
    let number = this.#functions.get(fn)
    if (number === undefined) this.#functions.set(fn, (number = this.#functions.size))
    return number
  }

  #resolve({ options }: GraphCall): ResolvedTaskOptions {
    let resolved = this.#optionsOf.get(options)
    if (resolved === undefined) this.#optionsOf.set(options, (resolved = completeTaskOptions(options, this.#options)))
    return resolved
  }
}

/** The encoding of a plan, as far as it got. */
class Encoding {
  readonly #plan: Plan<GraphCall>
  readonly #sink: GraphSink
  readonly #places = new Map<number, Place>()
  /** How many tasks that need a task are still to be encoded. */
  readonly #users: Int32Array
  #done = 0
  #hidden: Submission | undefined
  #outputs: Submission | undefined
  /** The outputs in `#outputs`. */
  readonly #unsentOutputs = new Set<number>()
  /** Tasks that nothing will need which is still to be encoded. */
  #usedUp: TaskId[] = []

  constructor(plan: Plan<GraphCall>, places: readonly Place[], sink: GraphSink) {
    this.#plan = plan
    this.#sink = sink
    this.#users = new Int32Array(plan.nodeCount)
    plan.outputs.forEach((output, i) => this.#places.set(output, places[i]!))
  }

  get isAtEnd(): boolean {
    return this.#done === this.#plan.order.length
  }

  get next(): number {
    return this.#plan.order[this.#done]!
  }

  get isLargeEnough(): boolean {
    return this.#hidden?.isLargeEnough === true || this.#outputs?.isLargeEnough === true
  }

  callsOf(task: number): GraphCall[] {
    return this.#plan.callsOf(task)
  }

  /** Makes room for the next task; false if that must wait. Tasks that it needs are sent with it or before it. */
  makeRoom(outlet: GraphOutlet): boolean {
    const place = this.#places.get(this.next)
    if (place !== undefined) {
      if (this.#outputs !== undefined && this.#outputs.array !== place.array) this.flush(outlet)
      this.#outputs ??= new Submission(place.array, place.index)
      assert(place.index === this.#outputs.firstIndex + this.#outputs.tasks.count, 'outputs come in their order')
      return true
    }
    // Of one message each, that with the outputs is sent last.
    if (this.#unsentOutputs.size > 0 && this.#needsUnsent(this.next)) this.flush(outlet)
    if (this.#hidden !== undefined && this.#hidden.array.room > 0) return true
    this.flush(outlet)
    const array = outlet.newHiddenArray()
    if (array === undefined) return false
    this.#hidden = new Submission(array, 0)
    return true
  }

  /** Adds the next task. Without arguments, or with such as can't be sent, it never runs. */
  add(outlet: GraphOutlet, template: Template, args: readonly unknown[] | undefined, known: Failure | undefined): void {
    const task = this.next
    const place = this.#places.get(task)
    const submission = place === undefined ? this.#hidden! : this.#outputs!
    const { array, tasks } = submission
    const index = place?.index ?? array.add(1, HIDDEN_TEMPLATE, undefined)
    const failure = args === undefined ? known : this.#encode(submission, args, outlet)
    if (args === undefined) tasks.addWithout([outlet.noTask()])
    submission.addRun(template, 1)
    this.#sink.setId(task, array.idOf(index))
    if (failure !== undefined) outlet.refuse(array, index, failure)
    if (place !== undefined) this.#unsentOutputs.add(task)
    this.#users[task] = this.#plan.userCountOf(task)
    const count = this.#plan.inputCountOf(task)
    for (let i = 0; i < count; i++) {
      const input = this.#plan.inputAt(task, i)
      this.#users[input]! -= 1
      if (this.#users[input] === 0 && !this.#places.has(input)) this.#usedUp.push(this.#sink.idAt(input))
    }
    this.#done += 1
  }

  /** Sends what was encoded. */
  flush(outlet: GraphOutlet): void {
    const hidden = this.#hidden
    if (hidden !== undefined && hidden.tasks.count > 0) {
      outlet.send(hidden)
      this.#hidden = hidden.array.room > 0 ? new Submission(hidden.array, hidden.array.count) : undefined
    }
    if (this.#outputs !== undefined) outlet.send(this.#outputs)
    this.#outputs = undefined
    this.#unsentOutputs.clear()
    this.#releaseUsedUp(outlet)
  }

  /** Does the task need an output that was encoded and not sent? */
  #needsUnsent(task: number): boolean {
    const count = this.#plan.inputCountOf(task)
    for (let i = 0; i < count; i++) if (this.#unsentOutputs.has(this.#plan.inputAt(task, i))) return true
    return false
  }

  /** An array that gets more tasks must not end before, so those of the last one wait. */
  #releaseUsedUp(outlet: GraphOutlet): void {
    const filling = this.isAtEnd ? undefined : this.#hidden?.array.id
    const released = this.#usedUp.filter((id) => arrayOf(id) !== filling)
    if (released.length === 0) return
    this.#usedUp = this.#usedUp.filter((id) => arrayOf(id) === filling)
    outlet.release(released)
  }

  #encode({ tasks }: Submission, args: readonly unknown[], outlet: GraphOutlet): Failure | undefined {
    try {
      tasks.add(args, this.#sink, 'args')
      return this.#sink.failure
    } catch (error) {
      tasks.addWithout([outlet.noTask()])
      return { type: 'local', error: this.#errorOf(error) }
    }
  }

  /** Names the place among the arguments that the user gave, where a chain has those of several calls. */
  #errorOf(error: unknown): unknown {
    const calls = this.#plan.callsOf(this.next)
    if (calls.length === 1) return error
    try {
      calls.forEach(({ args, link }, i) => {
        encodeValue(i === 0 ? args : args.with(link, undefined), { path: 'args', inputs: this.#sink })
      })
    } catch (ofCall) {
      return ofCall
    }
    return error
  }
}

/** Finds futures among arguments, and the results of other calls of the graph. */
class GraphSink extends InputSink {
  #plan: Plan<GraphCall> | undefined
  #byKey: ResolvedGraph | undefined
  #taskIds = new Float64Array(0)

  constructor(owner: FutureOwner) {
    super(owner, { released: 'until the scheduler knows' })
  }

  /** `byKey` has what references stand for. */
  setPlan(plan: Plan<GraphCall>, byKey: ResolvedGraph | undefined): void {
    this.#plan = plan
    this.#byKey = byKey
    this.#taskIds = new Float64Array(plan.nodeCount)
  }

  setId(task: number, id: TaskId): void {
    this.#taskIds[task] = id
  }

  idAt(task: number): TaskId {
    return this.#taskIds[task] as TaskId
  }

  override idOf(object: object): TaskId | undefined {
    if (object instanceof PersistedCall) return super.idOf(object.future)
    const call = object instanceof GraphCall ? object : this.#byKey && callOfRef(object, this.#byKey)
    if (call === undefined) return super.idOf(object)
    const number = this.#plan!.numberOf(call)
    const id = number === undefined ? 0 : this.#taskIds[number]!
    if (id !== 0) return id as TaskId
    const message = `A call of ${call.name} came among the arguments after they were given; don't change arguments before the graph is computed.`
    throw new NotSerializableError('args', message)
  }
}
