/**
 * One client's link to its scheduler: the task arrays it has, what the scheduler says of them, and the questions that are
 * open. All views of a client (`client.with(…)`) share one session.
 */
import { present, unreachable } from '../common/assert.js'
import { Fifo } from '../common/fifo.js'
import { entryOf, ownBytes, type Packed } from '../common/packed.js'
import { HeddleError, NotSerializableError, SchedulerUnreachableError, TimeoutError } from '../protocol/errors.js'
import { ARRAY_CAPACITY, arrayOf, indexOf, type ArrayId, type CodeHash, type TaskId } from '../protocol/ids.js'
import type { Blocked, ClientToScheduler, ScatterTo, SchedulerToClient } from '../protocol/messages/client.js'
import type { Explanation } from '../protocol/messages/explanation.js'
import type { ClusterStatus } from '../protocol/messages/status.js'
import { CLOSED } from '../protocol/transport/link.js'
import { Pieces } from '../protocol/transport/pieces.js'
import { RelayPort } from '../protocol/transport/relay.js'
import type { Socket } from '../protocol/transport/socket.js'
import { encodeError, encodeInPieces } from '../protocol/values/encode.js'
import { Announcement } from './announcement.js'
import { AbortWatch, resolveCancelOptions, type CancelResult, type ResolvedCancelOptions } from './cancellation.js'
import { Attachment } from './attachment.js'
import { DroppedLists, type MadeList } from './dropped-lists.js'
import { cancelledError, type Failure } from './failure.js'
import { ofStreams } from './failure-options.js'
import type { Future } from './future.js'
import { unmadeFutures } from './future-list.js'
import { gather, type ErrorMode } from './gather.js'
import type { GraphCall } from './graph-call.js'
import { GraphSubmitter, type GraphOptions } from './graph-submitter.js'
import { interruptible } from './interruptible.js'
import { LastingConnection, type LastingHandlers, type LastingLink } from './lasting-connection.js'
import { LendingWaiter } from './lending-waiter.js'
import { Leases } from './leases.js'
import { Limits } from './limits.js'
import { LocatedValues } from './located-values.js'
import type { Items } from './map-slice.js'
import { MapStream } from './map-stream.js'
import { checkTimeout } from './options.js'
import { Outgoing } from './outgoing.js'
import type { TaskParent } from './parent.js'
import type { RawGraph } from './raw-graph.js'
import { ModuleSource } from './remote-module.js'
import { Replicator } from './replicator.js'
import { scatterMessage, ScatteredValues, type ResolvedScatterOptions } from './scattered-value.js'
import { Submitter, type Made } from './submitter.js'
import { stretchesOf, type Place, type Places, type TaskArray, type Waiter } from './task-array.js'
import { TaskFuture, type FutureGroup, type FutureOwner } from './task-future.js'
import { DEFAULT_TASK_OPTIONS, type ResolvedMapOptions, type ResolvedTaskOptions } from './task-options.js'
import { nameOnly, type CodeSource } from './template.js'
import { Templates, type TaskFunction } from './templates.js'
import { ValueStream } from './value-stream.js'

/** What the event `blocked` tells: tasks are ready, and can't run as things stand. */
export interface BlockedTasks {
  /** What they need, as in `gpu=1, memory=2 GiB`. */
  readonly needs: string
  /** Why they wait. */
  readonly reason: string
  /** The names of this client's functions that are of this kind. */
  readonly functions: readonly string[]
}

export interface SessionOptions {
  /** The scheduler's address, for errors. */
  readonly address: string
  /** What the client is called in logs and on the status page. */
  readonly name: string
  /** Ids to begin with, before the scheduler gives any. */
  readonly firstLease?: { readonly first: ArrayId; readonly count: number }
  dialHolder(address: string, signal: AbortSignal): Promise<Socket>
  /** Told of the caller's functions, by their code. */
  readonly onFunction?: ((code: CodeHash, fn: TaskFunction) => void) | undefined
}

export interface OpenOptions extends SessionOptions {
  readonly socket: Socket
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Dials the scheduler again, after a cut. */
  redial(signal: AbortSignal): Promise<Socket>
}

/** Workers have higher numbers. */
const NO_WORKER = 0
const DATASET_TEMPLATE = nameOnly('dataset')
/** One question cancels so many tasks. */
const ENOUGH_TO_CANCEL = 8_192

/** A question on its way to its answer. */
interface Asked {
  readonly request: number
  readonly answer: Promise<SchedulerToClient>
}

/** Tasks that follow each other in an array. */
interface Neighbours {
  readonly first: TaskId
  readonly count: number
}

interface Question {
  /** Once it was asked. */
  message: ClientToScheduler | undefined
  resolve(answer: SchedulerToClient): void
  reject(error: Error): void
}

/**
 * Introduces the client to the scheduler behind `socket`. Resolves when tasks can be submitted.
 *
 * @throws What `connectTo` throws.
 * @throws {SchedulerUnreachableError} when the scheduler does not answer in time.
 */
export async function openSession(options: OpenOptions): Promise<Session> {
  const { socket, timeoutMs, signal, address } = options
  let connection: LastingConnection | undefined
  const session = new Session(options, (handlers) => (connection = new LastingConnection(options, handlers)))
  await present(connection, 'the connection of a session').open(socket, { timeoutMs, signal })
  const timedOut = (): Error =>
    new SchedulerUnreachableError(`The scheduler at ${address} did not take this client in ${timeoutMs} ms; try again.`)
  try {
    await interruptible(session.isReady, { timeoutMs, signal, timedOut })
  } catch (error) {
    await session.close()
    throw error
  }
  return session
}

/** A list of futures, and the arrays of which it has not made any. */
interface WatchedList {
  readonly unmade: ReadonlyMap<number, TaskArray>
  readonly made: MadeList
}

export class Session implements FutureOwner {
  /** Resolves when the scheduler has given the first lease. */
  readonly isReady: Promise<void>
  readonly #connection: LastingLink
  readonly #options: SessionOptions
  readonly #arrays = new Map<number, TaskArray>()
  readonly #leases: Leases
  readonly #outgoing: Outgoing
  readonly #submitter: Submitter
  readonly #graphs: GraphSubmitter
  readonly #modules = new Map<string, ModuleSource>()
  readonly #questions = new Map<number, Question>()
  /** These must stay reachable, or nothing is collected. */
  readonly #collected = new FinalizationRegistry<TaskId>((id) => this.#onCollected(id))
  readonly #droppedLists = new DroppedLists()
  readonly #collectedLists = new FinalizationRegistry<WatchedList>(({ unmade, made }) => {
    this.#droppedLists.onCollected(made)
    for (const array of unmade.values()) this.#unreachable.push(array)
    if (!this.#isReleasing) this.#releaseUnreachable()
  })
  /** All tasks of these are to be let go of. */
  readonly #unreachable = new Fifo<TaskArray>()
  /** Are some of them let go of in the next turn? */
  #isReleasing = false
  readonly #collectedGroups = new FinalizationRegistry<Neighbours>((held) => this.#onGroupCollected(held))
  /** Those that somebody may read. */
  readonly #streams = new Map<TaskId, WeakRef<ValueStream<unknown>>>()
  readonly #collectedStreams = new FinalizationRegistry<TaskId>((task) => {
    this.#streams.delete(task)
    this.#onCollected(task)
  })
  /** Of futures that are watched one by one. */
  #lastGroup: FutureGroup | undefined
  readonly #relays: RelayPort
  readonly #scattered = new ScatteredValues()
  readonly #replicator = new Replicator((tasks, copies) => this.#askForCopies(tasks, copies))
  readonly limits: Limits
  readonly #blockedListeners = new Set<(blocked: BlockedTasks) => void>()
  readonly #aborts = new AbortWatch((places, reason) => this.#onAborted(places, reason))
  #lastRequest = 0
  /** How much of what must be said before this client may close was not said yet. */
  #toSay = 0
  #onAllSaid = (): void => undefined
  #hasDetached = false
  #located: LocatedValues | undefined
  #onReady: { readonly resolve: () => void; readonly reject: (error: Error) => void } | undefined
  /** Why nothing goes any more: what calls and pending futures get. */
  #end: Error | undefined
  /** The array that the last message was about: the next one is usually about it too. */
  #lastArray: TaskArray | undefined

  /** `link` makes what the scheduler is talked to over, which tells what it hears. */
  constructor(options: SessionOptions, link: (handlers: LastingHandlers) => LastingLink) {
    this.#options = options
    const connection = link({
      onMessage: (message) => this.#onMessage(message),
      onPayload: (message, payload) => {
        if (message.type === 'relay-frame') this.#relays.onPayload(message, payload)
      },
      onLost: () => this.#onLost(),
      onReturned: ({ first, count }) => this.#onReturned(first, count),
      onEnd: (error) => this.#onEnd(error),
    })
    this.#connection = connection
    this.#relays = new RelayPort({ link: connection })
    this.#relays.open()
    this.#leases = new Leases(() => connection.send({ type: 'ask-lease' }))
    if (options.firstLease !== undefined) this.#leases.add(options.firstLease.first, options.firstLease.count)
    this.#outgoing = new Outgoing(connection, this.#leases, this.#arrays)
    const templates = new Templates((template) => this.#outgoing.forget(template), options.onFunction)
    const makeFuture = (array: TaskArray, index: number): TaskFuture<unknown> => this.#makeFuture(array, index)
    const makeGroup = (array: TaskArray, first: number, count: number): FutureGroup =>
      this.#makeGroup(array, first, count)
    const shared = { owner: this, outgoing: this.#outgoing, templates, makeFuture }
    const watchList = (list: object, unmade: ReadonlyMap<number, TaskArray>): void => {
      const made = this.#droppedLists.onMade(unmade.size * ARRAY_CAPACITY)
      this.#collectedLists.register(list, { unmade, made })
    }
    this.#submitter = new Submitter({ ...shared, makeGroup, watchList })
    this.#graphs = new GraphSubmitter(shared)
    this.limits = new Limits({
      send: (message) => {
        if (this.#end === undefined) connection.send(message)
      },
      ask: (question) => this.#ask(question),
      forget: (request) => void this.#questions.delete(request),
    })
    this.isReady = new Promise((resolve, reject) => (this.#onReady = { resolve, reject }))
    this.isReady.catch(() => undefined) // Whoever opens the session may have given up.
  }

  get isEnded(): boolean {
    return this.#end !== undefined
  }

  /** Closes the connection, once it has been said what is to go on without it. What is pending is rejected. */
  async close(): Promise<void> {
    if (this.#toSay > 0 && this.#end === undefined) {
      await new Promise<void>((resolve) => {
        const before = this.#onAllSaid
        this.#onAllSaid = () => {
          before()
          resolve()
        }
      })
    }
    if (this.#hasDetached && this.#end === undefined) await this.#connection.whenAcknowledged()
    this.#onEnd(new HeddleError('ERR_HEDDLE_CLOSED', 'This client is closed; open another one with connect().'))
    await this.#connection.close(CLOSED)
  }

  /** @throws {HeddleError} when the client is closed or its connection ended. */
  checkOpen(): void {
    // A new error each time, so that its stack tells who called.
    if (this.#end instanceof SchedulerUnreachableError) throw new SchedulerUnreachableError(this.#end.message)
    if (this.#end !== undefined) throw new HeddleError('ERR_HEDDLE_CLOSED', this.#end.message)
  }

  submit(fn: TaskFunction, args: readonly unknown[], called: TaskFunction, options: ResolvedTaskOptions): Made {
    this.checkOpen()
    const made = this.#submitter.submit(fn, args, options, called)
    this.#cancelWith(options.signal, [made])
    return made
  }

  /** A task whose values come one by one. */
  stream(
    fn: TaskFunction,
    args: readonly unknown[],
    called: TaskFunction,
    options: ResolvedTaskOptions,
  ): ValueStream<unknown> {
    const { rules } = options
    // A task with one result: the caller saw to it that there are no outputs.
    const future = this.submit(fn, args, called, { ...options, rules: ofStreams(rules) }) as TaskFuture<unknown>
    const task = idOf(future)
    const stream = new ValueStream<unknown>({
      future,
      tellTaken: (taken) => {
        if (this.#end === undefined) this.#connection.send({ type: 'stream-taken', task, taken })
      },
      onOver: () => {
        this.#streams.delete(task)
        // A run of it that fails later has nobody to read it.
        if (this.#end === undefined && !future.array.isPending(future.index)) future.release()
      },
    })
    this.#streams.set(task, new WeakRef(stream))
    this.#collectedStreams.register(stream, task)
    return stream
  }

  /** Submits for one of our futures: a task with one result. */
  pipe(fn: TaskFunction, args: readonly unknown[], called: TaskFunction): Future<unknown> {
    const [future] = args
    const parent = future instanceof TaskFuture ? future.array.parent : undefined
    const options =
      parent === undefined ? DEFAULT_TASK_OPTIONS : { ...DEFAULT_TASK_OPTIONS, priority: parent.priority, parent }
    return this.submit(fn, args, called, options) as Future<unknown>
  }

  map(fn: TaskFunction, items: Items, options: ResolvedMapOptions, called: TaskFunction): Made[] {
    this.checkOpen()
    const made = this.#submitter.map(fn, items, options, called)
    this.#cancelWith(options.signal, made)
    return made
  }

  /** The futures of items that come one after another. */
  mapStream(
    fn: TaskFunction,
    source: AsyncIterable<unknown>,
    options: ResolvedMapOptions,
    inFlight: number,
    called: TaskFunction,
  ): MapStream {
    this.checkOpen()
    const { signal, rules, parent } = options
    const { make, close } = this.#submitter.mapOneByOne(fn, options, called)
    const submit = (item: unknown): TaskFuture<unknown> => {
      this.checkOpen()
      const made = make(item)
      this.#cancelWith(signal, [made])
      return made as TaskFuture<unknown> // Tasks with several outputs are not made so.
    }
    return new MapStream(source, { submit, close, inFlight, signal, maxFailures: rules.maxFailures, parent })
  }

  /** A future for each call. */
  compute(calls: readonly GraphCall[], options: GraphOptions, called: TaskFunction): Future<unknown>[] {
    this.checkOpen()
    const futures = this.#graphs.compute(calls, options, called)
    this.#cancelWith(options.task.signal, futures)
    return futures
  }

  /** A future for each key. */
  submitGraph(
    graph: RawGraph,
    keys: readonly string[],
    options: GraphOptions,
    called: TaskFunction,
  ): Future<unknown>[] {
    this.checkOpen()
    const futures = this.#graphs.submitGraph(graph, keys, options, called)
    this.#cancelWith(options.task.signal, futures)
    return futures
  }

  /** Encodes the value now, but for its large memory, and has it brought to where the scheduler says. */
  scatter(value: unknown, options: ResolvedScatterOptions): Future<unknown> {
    this.checkOpen()
    const encoded = new Pieces(encodeInPieces(value, { path: 'value' }))
    let future: Future<unknown> | undefined
    this.#outgoing.addAlone((array) => {
      const index = this.#scattered.add(array, encoded)
      future = this.#makeFuture(array, index)
      return new Announcement(array, scatterMessage(array, encoded.length, options))
    })
    return present(future, 'the future of a scattered value')
  }

  /** One more future of the task with this key, whoever submitted it. */
  attach(key: string, parent: TaskParent | undefined): Future<unknown> {
    this.checkOpen()
    let future: Future<unknown> | undefined
    this.#outgoing.addAlone((array) => {
      const attachment = new Attachment(array, key)
      future = this.#makeFuture(array, 0)
      return attachment
    }, parent)
    return present(future, 'the future of a key')
  }

  /** These go on until they have an outcome, though nobody may hold them. The client stays until it has said so. */
  detach(futures: readonly TaskFuture<unknown>[]): void {
    this.checkOpen()
    const released = futures.find(({ array, index }) => array.isReleased(index))
    if (released !== undefined) throw releasedError(released.key)
    const tasks = futures.filter(({ array, index }) => array.isPending(index)).map(idOf)
    if (tasks.length === 0) return
    this.#toSay += 1
    this.#hasDetached = true
    this.#outgoing.whenSubmitted(() => {
      for (let start = 0; start < tasks.length; start += ENOUGH_TO_CANCEL) {
        this.#connection.send({ type: 'detach', tasks: tasks.slice(start, start + ENOUGH_TO_CANCEL) })
      }
      this.#toSay -= 1
      if (this.#toSay === 0) this.#onAllSaid()
    })
  }

  retry(array: TaskArray, index: number): void {
    this.checkOpen()
    const failure = array.failureOf(index)
    if (array.isReleased(index)) throw releasedError(array.keyOf(index))
    if (failure === undefined) return
    if (failure.type === 'local') throw failure.error // What could not be sent still can't.
    array.onRetried(index)
    this.#outgoing.retry(array.idOf(index))
  }

  /** A future of what is published under the name. */
  openDataset(name: string): Future<unknown> {
    this.checkOpen()
    let future: Future<unknown> | undefined
    this.#outgoing.addAlone((array) => {
      future = this.#makeFuture(array, array.add(1, DATASET_TEMPLATE, undefined))
      return new Announcement(array, { type: 'open-dataset', array: array.id, name })
    })
    return present(future, 'the future of a dataset')
  }

  /** Code of a module. It is bundled once, when it is first asked for. */
  module(location: URL | string): CodeSource {
    this.checkOpen()
    const name = String(location)
    let source = this.#modules.get(name)
    if (source === undefined) {
      source = new ModuleSource(location, () => this.#outgoing.flushSoon())
      this.#modules.set(name, source)
    }
    return source
  }

  gather(futures: Places, mode: ErrorMode): Promise<unknown[]> {
    return gather(futures, mode, (array, index, waiter) => this.wait(array, index, waiter))
  }

  wait(array: TaskArray, index: number, waiter: Waiter): void {
    if (this.#end !== undefined && array.failureOf(index) === undefined && !array.isReleased(index)) {
      waiter.onError(index, this.#end)
      return
    }
    const lending = array.parent === undefined ? undefined : new LendingWaiter(waiter, array.parent)
    if (array.wait(index, lending ?? waiter)) this.#outgoing.ask(array)
    lending?.begin()
  }

  /** Resolves when no value that was scattered as one of these is only in this program. @throws {HeddleError} when it is closed. */
  async whenScattered(tasks: readonly TaskId[]): Promise<void> {
    await Promise.all(tasks.map((task) => this.#scattered.whenSettled(task)))
    this.checkOpen()
  }

  release(array: TaskArray, index: number): void {
    if (array.release(index)) this.#outgoing.release(array)
  }

  /** Whoever awaits these hears of it at once; the promise is about their slots. */
  async cancel(places: readonly Place[], { reason, graceMs }: ResolvedCancelOptions): Promise<CancelResult[]> {
    const results = places.map((): CancelResult => ({ stoppedBy: 'none' }))
    const pending: number[] = []
    places.forEach(({ array, index }, place) => {
      if (!array.isPending(index)) return
      pending.push(place)
      this.#outgoing.refuse(array, index, { type: 'cancelled', key: array.keyOf(index), reason })
    })
    const error = encodeError(cancelledError('The task', reason))
    const answers: Promise<void>[] = []
    for (let start = 0; start < pending.length; start += ENOUGH_TO_CANCEL) {
      const some = pending.slice(start, start + ENOUGH_TO_CANCEL)
      const tasks = some.map((place) => places[place]!.array.idOf(places[place]!.index))
      const question = (request: number): ClientToScheduler => ({ type: 'cancel', request, tasks, graceMs, error })
      const { answer } = this.#ask(question, (say) => this.#outgoing.whenSubmitted(say))
      const fill = (cancelled: SchedulerToClient): void => {
        if (cancelled.type !== 'cancelled') throw unexpected(cancelled)
        some.forEach((place, i) => (results[place] = { stoppedBy: cancelled.stoppedBy[i] ?? 'none' }))
      }
      answers.push(answer.then(fill))
    }
    // Their errors are known here; the scheduler need not keep anything for them.
    for (const place of pending) this.release(places[place]!.array, places[place]!.index)
    await Promise.all(answers)
    return results
  }

  /** The task is named by its id or, when that is 0, by its key. */
  async explain(task: TaskId | 0, key: string): Promise<Explanation> {
    const question = (request: number): ClientToScheduler => ({
      type: 'ask-explanation',
      request,
      task: task as TaskId,
      key,
    })
    const { answer } = this.#ask(question, (say) => this.#outgoing.whenSubmitted(say))
    const explained = await answer
    if (explained.type !== 'explained') throw unexpected(explained)
    return explained.explanation
  }

  async explainFuture(array: TaskArray, index: number): Promise<Explanation> {
    const { key, ...rest } = await this.explain(array.idOf(index), '')
    return { key: rest.state === 'unknown' ? array.keyOf(index) : key, ...rest }
  }

  async status(): Promise<ClusterStatus> {
    const answer = await this.#ask((request) => ({ type: 'ask-status', request })).answer
    if (answer.type !== 'status') throw unexpected(answer)
    return answer.status
  }

  /** Returns how many values could not be copied often enough. */
  async replicate(futures: readonly TaskFuture<unknown>[], copies: number): Promise<number> {
    this.checkOpen()
    return await this.#replicator.replicate(
      futures.map(({ array, index }) => array.idOf(index)),
      copies,
    )
  }

  async #askForCopies(tasks: readonly TaskId[], copies: number): Promise<number> {
    const question = (request: number): ClientToScheduler => ({ type: 'replicate', request, tasks, copies })
    const answer = await this.#ask(question, (say) => this.#outgoing.whenSubmitted(say)).answer
    if (answer.type !== 'replicated') throw unexpected(answer)
    return answer.missing
  }

  async waitForWorkers(count: number, timeoutMs?: number, signal?: AbortSignal): Promise<void> {
    const timedOut = (): Error => {
      const message = `Fewer than ${count} workers joined ${this.#options.address} in ${timeoutMs} ms; start more, or wait longer.`
      return new TimeoutError(message)
    }
    checkTimeout(timeoutMs)
    signal?.throwIfAborted()
    const { request, answer } = this.#ask((number) => ({ type: 'await-workers', request: number, count }))
    try {
      await interruptible(answer, { timeoutMs, signal, timedOut })
    } finally {
      // Given up or not: an answer that still comes is for nobody.
      this.#questions.delete(request)
    }
  }

  /** Asks, once all that was submitted before has been sent. */
  async question<T extends SchedulerToClient['type']>(
    question: (request: number) => ClientToScheduler,
    type: T,
  ): Promise<Extract<SchedulerToClient, { readonly type: T }>> {
    const answer = await this.#ask(question, (say) => this.#outgoing.whenSubmitted(say)).answer
    if (isOfType(answer, type)) return answer
    throw unexpected(answer)
  }

  #ask(question: (request: number) => ClientToScheduler, when = (say: () => void): void => say()): Asked {
    this.checkOpen()
    this.#lastRequest += 1
    const request = this.#lastRequest
    const answer = new Promise<SchedulerToClient>((resolve, reject) => {
      const asked: Question = { message: undefined, resolve, reject }
      this.#questions.set(request, asked)
      when(() => {
        asked.message = question(request)
        this.#connection.send(asked.message)
      })
    })
    return { request, answer }
  }

  #cancelWith(signal: AbortSignal | undefined, made: readonly Made[]): void {
    if (signal === undefined) return
    const stretches = unmadeFutures(made, this)?.stretches ?? stretchesOf(made.flat() as TaskFuture<unknown>[])
    for (const stretch of stretches) this.#aborts.add(signal, stretch)
  }

  /** Nobody waits for the answer; that the tasks are cancelled is told by their futures. */
  readonly #onAborted = (places: readonly Place[], reason: unknown): void => {
    if (this.#end !== undefined) return
    this.cancel(places, resolveCancelOptions('signal', { reason })).catch(() => undefined)
  }

  #makeFuture(array: TaskArray, index: number): TaskFuture<unknown> {
    if (this.#lastGroup?.array !== array) this.#lastGroup = { owner: this, array }
    const future = new TaskFuture<unknown>(this.#lastGroup, index)
    this.#collected.register(future, array.idOf(index))
    return future
  }

  /** The futures of these tasks, which the caller makes, are let go of together. */
  #makeGroup(array: TaskArray, first: number, count: number): FutureGroup {
    const group: FutureGroup = { owner: this, array }
    this.#collectedGroups.register(group, { first: array.idOf(first), count })
    return group
  }

  /** One array in a turn of the event loop: a million tasks take 40 ms, which other work of the program is not to wait for. */
  readonly #releaseUnreachable = (): void => {
    const array = this.#unreachable.shift()
    this.#isReleasing = array !== undefined && this.#end === undefined
    if (array === undefined || this.#end !== undefined) return
    for (let index = 0; index < array.count; index++) this.release(array, index)
    setImmediate(this.#releaseUnreachable)
  }

  #onCollected(id: TaskId): void {
    const array = this.#find(id)
    if (array !== undefined && this.#end === undefined) this.release(array, indexOf(id))
  }

  #onGroupCollected({ first, count }: Neighbours): void {
    for (let i = 0; i < count; i++) this.#onCollected((first + i) as TaskId)
  }

  /** The array of a task; `undefined` when all its futures were released. */
  #find(id: TaskId): TaskArray | undefined {
    const number = arrayOf(id)
    if (this.#lastArray?.id !== number) this.#lastArray = this.#arrays.get(number)
    return this.#lastArray
  }

  #onMessage(message: SchedulerToClient): void {
    switch (message.type) {
      case 'lease':
        this.#leases.add(message.first, message.count)
        this.#located ??= this.#locatedValues(message.peerSecret)
        this.#onReady?.resolve()
        this.#outgoing.flushSoon()
        break
      case 'accepted':
        break
      case 'retirement-waits':
        break // The workers of client.info() say it too.
      case 'finished':
        for (const id of message.tasks) this.#find(id)?.onFinished(indexOf(id))
        break
      case 'scattered':
        for (const id of message.tasks) this.#scattered.settle(id)
        break
      case 'scatter-to':
        this.#putScattered(message)
        break
      case 'values':
        this.#onValues(message.tasks, message.values)
        break
      case 'located':
        this.#located?.fetch(message)
        break
      case 'failed': {
        const failure: Failure = { ...message, type: 'remote', error: ownBytes(message.error) }
        for (const id of message.tasks) this.#find(id)?.onFailed(indexOf(id), failure)
        break
      }
      case 'progressed': {
        const { tasks, attempt, fraction, note } = message
        for (const id of tasks) this.#find(id)?.onReported(indexOf(id), { fraction, note, attempt })
        break
      }
      case 'stream-chunk':
        this.#streams.get(message.task)?.deref()?.push(message.index, ownBytes(message.value))
        break
      case 'retried':
        for (const id of message.tasks) this.#find(id)?.onRetried(indexOf(id))
        break
      case 'status':
      case 'workers-present':
      case 'replicated':
      case 'cancelled':
      case 'unit-taken':
      case 'unit-refused':
      case 'explained':
      case 'held-by':
      case 'published':
      case 'unpublished':
      case 'datasets':
      case 'rebalanced':
      case 'retired':
      case 'restarted':
      case 'workers-told':
      case 'dump':
        this.#questions.get(message.request)?.resolve(message)
        this.#questions.delete(message.request)
        break
      case 'limit-refused':
        this.limits.onRefused(message.name, message.reason)
        break
      case 'blocked':
        this.#tellBlocked(message)
        break
      case 'relay-opened':
      case 'relay-offered':
      case 'relay-closed':
      case 'relay-frame':
      case 'relay-taken':
        this.#relays.onMessage(message)
        break
      default:
        unreachable(message)
    }
  }

  /** It may come back. Values of streams that were on their way don't. */
  #onLost(): void {
    this.#relays.close('The connection to the scheduler is gone.')
    for (const stream of [...this.#streams.values()]) stream.deref()?.break()
  }

  /** On a new connection: what was under way on the old one is asked again. What must not be lost has been said. */
  #onReturned(first: ArrayId, count: number): void {
    this.#relays.open()
    this.#leases.resume(first, count)
    for (const [request, { message, reject }] of this.#questions) {
      if (message?.type === 'restart') {
        // It has begun, or will: to say it again could cancel what was submitted since.
        this.#questions.delete(request)
        reject(
          new SchedulerUnreachableError('The connection broke while the cluster was restarted; look at its workers.'),
        )
      } else if (message !== undefined) this.#connection.send(message)
    }
    this.#askWhatToKeep()
    this.#outgoing.askAgain()
    this.#outgoing.flushSoon()
  }

  /** That a value need not be kept may have been said on the old connection. What waits to be sent is kept in any case. */
  #askWhatToKeep(): void {
    for (const task of this.#scattered.tasks) {
      const array = this.#find(task)
      if (array === undefined || array.sentCount > 0)
        this.#connection.send({ type: 'not-scattered', task, worker: NO_WORKER })
    }
  }

  onBlocked(listener: (blocked: BlockedTasks) => void, isOn: boolean): void {
    if (isOn) this.#blockedListeners.add(listener)
    else this.#blockedListeners.delete(listener)
  }

  #tellBlocked({ needs, reason, functions }: Blocked): void {
    for (const listener of [...this.#blockedListeners]) {
      // What a listener throws is its program's, as of any event.
      queueMicrotask(() => listener({ needs, reason, functions }))
    }
  }

  #onValues(tasks: readonly TaskId[], values: Packed): void {
    for (let i = 0; i < tasks.length; i++) {
      const id = tasks[i]!
      this.#find(id)?.onValue(indexOf(id), entryOf(values, i), false)
    }
  }

  #putScattered({ task, worker, address }: ScatterTo): void {
    const value = this.#scattered.get(task)
    if (value === undefined) return
    if (value.isWhole) return this.#located?.put(worker, address, task, value)
    // The scheduler asks a few times more, and then fails whatever needs the value.
    this.#connection.send({ type: 'not-scattered', task, worker })
    const array = this.#find(task)
    if (array === undefined) return
    const message = 'value has memory that was transferred before it was brought to a worker: scatter a copy of it.'
    this.#outgoing.refuse(array, indexOf(task), { type: 'local', error: new NotSerializableError('value', message) })
  }

  #locatedValues(secret: string): LocatedValues {
    const { name, dialHolder } = this.#options
    return new LocatedValues(
      {
        name,
        dialHolder,
        dialByRelay: (holder, signal) => this.#relays.dial(holder, signal),
        isAwaited: (task) => this.#find(task)?.isAwaited(indexOf(task)) === true,
        onValue: (task, encoded, isOwned) => this.#find(task)?.onValue(indexOf(task), encoded, isOwned),
        onMissing: (task, holder) => {
          if (this.#find(task)?.isAwaited(indexOf(task)) === true)
            this.#connection.send({ type: 'missing', task, holder })
        },
        onNotPut: (task, worker) => {
          if (this.#scattered.get(task) !== undefined) this.#connection.send({ type: 'not-scattered', task, worker })
        },
      },
      secret,
    )
  }

  #onEnd(error: Error): void {
    if (this.#end !== undefined) return
    this.#end = error
    this.#onReady?.reject(error)
    this.#onAllSaid()
    this.#outgoing.close()
    this.#scattered.clear()
    this.#located?.close()
    this.#relays.close('The connection to the scheduler is gone.')
    for (const array of this.#arrays.values()) array.onLost(error)
    for (const { reject } of this.#questions.values()) reject(error)
    this.#questions.clear()
  }
}

function idOf({ array, index }: Place): TaskId {
  return array.idOf(index)
}

function releasedError(key: string): HeddleError {
  const message = `The future ${key} was released or cancelled, and nothing of it is left to go on; submit it once more.`
  return new HeddleError('ERR_HEDDLE_RELEASED', message)
}

function isOfType<T extends SchedulerToClient['type']>(
  message: SchedulerToClient,
  type: T,
): message is Extract<SchedulerToClient, { readonly type: T }> {
  return message.type === type
}

function unexpected({ type }: SchedulerToClient): HeddleError {
  return new HeddleError('ERR_HEDDLE_PROTOCOL', `The scheduler answered a question with "${type}".`)
}
