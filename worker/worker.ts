/**
 * The worker process: sockets, threads and the value store. What happens to them becomes events for the core; what the
 * core answers is carried out by one `switch`. It decides nothing.
 */
import { hostname } from 'node:os'
import { unreachable } from '../common/assert.js'
import { EventLoop } from '../common/node/event-loop.js'
import type { Log } from '../common/node/log.js'
import { packageVersion } from '../common/node/package-version.js'
import { ScratchFolder } from '../common/node/scratch-folder.js'
import { HeddleError, OutOfMemoryError } from '../protocol/errors.js'
import { attempt, codeHash, type CodeHash, type WorkerId } from '../protocol/ids.js'
import {
  HIGH_HEAP_MS,
  MIN_HIGH_HEAP_BYTES,
  HEARTBEAT_INTERVAL_MS,
  KILL_AFTER_MS,
  MAX_FETCH_BYTES,
  MAX_LENT_BYTES,
} from '../protocol/limits.js'
import { taskReport } from '../protocol/messages/api.js'
import type { DefineCode } from '../protocol/messages/common.js'
import { isFromSwitch } from '../protocol/messages/relay.js'
import { workerProfile, type TakeProfile } from '../protocol/messages/profile.js'
import { keptLine, ranTasks, type Subject } from '../protocol/messages/report.js'
import type { Join, SchedulerToWorker } from '../protocol/messages/worker.js'
import type { WorkerDeath } from '../protocol/messages/worker-death.js'
import { list } from '../protocol/schema.js'
import type { CloseReason } from '../protocol/transport/connection.js'
import type { Socket } from '../protocol/transport/socket.js'
import { writeTold } from '../protocol/transport/told.js'
import type { Lookup } from '../protocol/transport/value-server.js'
import { encodeError } from '../protocol/values/encode.js'
import { CodeCache } from './code-cache.js'
import type { WorkerEvent } from './core/events.js'
import type { BatchTask, WorkerInstruction } from './core/instructions.js'
import { createWorkerMachine } from './core/machine.js'
import { IoSlots } from './io-slots.js'
import { keepingLog, LogRing } from './log-ring.js'
import { LogWatch } from './log-watch.js'
import { openInspector } from './open-inspector.js'
import { takeProfile } from './profiler.js'
import { RunHistory } from './run-history.js'
import { RunWatch } from './run-watch.js'
import { webSocketNetwork, type Listener, type Network } from './network.js'
import type { WorkerOptions } from './options.js'
import { RelayPort } from '../protocol/transport/relay.js'
import { SchedulerLink } from './scheduler-link.js'
import type { PoolHost, ThreadPool } from './thread-pool.js'
import { TaskHistory } from './task-history.js'
import { Spiller } from './spiller.js'
import { ThreadSlots } from './thread-slots.js'
import { ArrayIds } from './thread/array-ids.js'
import { LaneReader } from './thread/lane.js'
import type { ThreadMessage } from './thread/thread-message.js'
import { ValueExchange } from './value-exchange.js'
import { ValueStore } from './value-store.js'

/** What of its memory a worker lets values on their way take, in each direction. */
const TRANSFER_MEMORY_SHARE = 1 / 8
const MIB = 2 ** 20
/** Of what a worker may use for each of its threads, a heap that is high: tasks left it behind. */
const HIGH_HEAP_SHARE = 1 / 2

/** What a worker is put together from. */
export interface WorkerParts {
  readonly log: Log
  /** Where goes what tasks print. */
  readonly taskLog: Log
  /** Default: WebSockets, as the options say. */
  readonly network?: Network
  /** Default: threads by Piscina. */
  readonly createPool?: (host: PoolHost) => ThreadPool
  /** Default: a scratch folder, which is removed when the worker closes, and code in files there. */
  readonly files?: WorkerFiles
  /** Gives up waiting for a scheduler. */
  readonly signal?: AbortSignal
  /** Somebody starts this process again when it ends. Default: nobody does. */
  readonly isWatched?: boolean
  /** How the process before this one ended. */
  readonly lastDeath?: WorkerDeath | undefined
}

/** Where a worker puts values that have no room in its memory, and the code that it was sent. */
export interface WorkerFiles {
  readonly scratch: Pick<ScratchFolder, 'path' | typeof Symbol.asyncDispose>
  readonly codes: Pick<CodeCache, 'store' | 'urlOf'>
}

export interface RunningWorker {
  readonly name: string
  /** Where others fetch values; empty when it does not listen. */
  readonly address: string
  /** Resolves when the worker has left or was closed; rejects when it cannot go on. */
  readonly closed: Promise<void>
  /** It closed so that its process is started again. */
  readonly isToRestart: boolean
  /**
   * Ends what runs, gives the rest back, and closes once nothing that it runs is awaited and others have what only it holds.
   */
  leave(): void
  /** Tells the scheduler why, and closes at once; `closed` rejects with the reason. */
  fail(reason: HeddleError): void
  /** Closes at once. Resolves when nothing of it is left. */
  close(): Promise<void>
}

/**
 * Starts a worker. Resolves once a scheduler took it in, however long that takes.
 *
 * @throws {HeddleError} when no scheduler will: wrong token, wrong version, name in use; or when it cannot listen.
 * @throws The reason of `parts.signal`, when it aborts.
 */
export async function startWorker(options: WorkerOptions, parts: WorkerParts): Promise<RunningWorker> {
  // Before there are threads: so that it hears of each.
  if (options.inspectThreads) await openInspector(parts.log)
  const files = parts.files ?? (await openFiles(options))
  const network = parts.network ?? webSocketNetwork(options)
  const createPool = parts.createPool ?? (await piscinaPools())
  const worker = new Worker({ options, parts, network, createPool, ...files })
  await worker.open(parts.signal)
  return worker
}

async function openFiles({ dataDir, preload, remoteCode }: WorkerOptions): Promise<WorkerFiles> {
  const scratch = await ScratchFolder.create(dataDir)
  const workingDirectory = process.cwd()
  const codes = await CodeCache.create({ scratch: scratch.path, workingDirectory, preload, remoteCode })
  return { scratch, codes }
}

/** Loaded on first use: a worker with another pool needs no Piscina. */
async function piscinaPools(): Promise<(host: PoolHost) => ThreadPool> {
  const { PiscinaPool } = await import('./piscina-pool.js')
  return (host) => new PiscinaPool(host)
}

interface WorkerBelongings extends WorkerFiles {
  readonly options: WorkerOptions
  readonly parts: WorkerParts
  readonly network: Network
  readonly createPool: (host: PoolHost) => ThreadPool
}

class Worker implements RunningWorker {
  readonly name: string
  readonly closed: Promise<void>
  readonly #options: WorkerOptions
  readonly #network: Network
  readonly #log: Log
  readonly #taskLog: Log
  readonly #isWatched: boolean
  readonly #lastDeath: WorkerDeath | undefined
  /** For those who ask from afar. */
  readonly #kept = new LogRing()
  readonly #runs = new RunHistory()
  readonly #runWatch: RunWatch
  readonly #logWatch: LogWatch
  readonly #history = new TaskHistory(this.#runs, this.#kept)
  readonly #scratch: WorkerFiles['scratch']
  readonly #codes: WorkerFiles['codes']
  readonly #store = new ValueStore()
  readonly #arrayIds = new ArrayIds()
  readonly #pool: ThreadPool
  readonly #slots: ThreadSlots
  readonly #ioSlots: IoSlots
  readonly #spiller: Spiller
  readonly #exchange: ValueExchange
  readonly #link: SchedulerLink
  readonly #relays: RelayPort
  readonly #loop: EventLoop<WorkerEvent, WorkerInstruction>
  readonly #stopped = new AbortController()
  /** Code that is being written to its file. */
  readonly #storing = new Map<CodeHash, Promise<void>>()
  readonly #settleClosed: { readonly resolve: () => void; readonly reject: (error: unknown) => void }
  #listener: Listener | undefined
  #heartbeat: NodeJS.Timeout | undefined
  #closing: Promise<void> | undefined
  #isToRestart = false
  /** How many schedulers it has lost. */
  #schedulers = 0

  constructor({ options, parts, network, createPool, scratch, codes }: WorkerBelongings) {
    const { name, threads, ioTasks, memoryLimitBytes, diskLimitBytes, maxPauseMs } = options
    this.name = name
    this.#options = options
    this.#network = network
    this.#log = keepingLog(parts.log, this.#kept)
    this.#taskLog = keepingLog(parts.taskLog, this.#kept)
    this.#isWatched = parts.isWatched ?? false
    this.#lastDeath = parts.lastDeath
    this.#scratch = scratch
    this.#codes = codes
    const settle = { resolve: (): void => {}, reject: (_error: unknown): void => {} }
    this.closed = new Promise((resolve, reject) => Object.assign(settle, { resolve, reject }))
    // Whoever does not wait for it hears of it in the log.
    this.closed.catch(() => undefined)
    this.#settleClosed = settle
    this.#loop = new EventLoop({
      machine: createWorkerMachine({
        threads,
        ioTasks,
        memoryLimitBytes,
        diskLimitBytes,
        ...(maxPauseMs !== undefined && { maxPauseMs }),
        maxFetchBytes: Math.min(MAX_FETCH_BYTES, memoryLimitBytes * TRANSFER_MEMORY_SHARE),
      }),
      perform: (instruction) => this.#perform(instruction),
      onCrash: (error) => this.#crash(error),
    })
    const submit = (event: WorkerEvent): void => {
      this.#note(event)
      this.#loop.submit(event)
    }
    this.#runWatch = new RunWatch({ history: this.#runs, send: (message) => this.#link.send(message) })
    this.#logWatch = new LogWatch({ ring: this.#kept, send: (message) => this.#link.send(message) })
    const lanes = Array.from({ length: threads }, () => new LaneReader())
    this.#pool = createPool({
      worker: name,
      lanes: lanes.map(({ memory }) => memory),
      scheduler: {
        address: options.schedulerUrl,
        token: options.token,
        tls: options.tls,
        arrayIds: this.#arrayIds.memory,
      },
      onMessage: (message) => this.#onThreadMessage(message),
      heap: {
        limitBytes: options.threadHeapBytes,
        maxBytes: Math.max(MIN_HIGH_HEAP_BYTES, (memoryLimitBytes * HIGH_HEAP_SHARE) / threads),
        maxMs: HIGH_HEAP_MS,
      },
      lentIn: (threadId) => this.#slots.lentIn(threadId),
      onThreadExit: (threadId, exit) => {
        if (!this.#stopped.signal.aborted) this.#slots.onThreadExit(threadId, exit)
      },
      onError: (error, threadsLeft) => {
        this.#log.error({ err: error }, 'a thread failed')
        if (threadsLeft === 0) this.#crash(error)
      },
    })
    const urlOf = (code: CodeHash): string => codes.urlOf(code)
    this.#slots = new ThreadSlots({ lanes, worker: name, pool: this.#pool, store: this.#store, urlOf, submit })
    this.#ioSlots = new IoSlots({ worker: name, pool: this.#pool.io, store: this.#store, urlOf, submit })
    const dial = (address: string, signal: AbortSignal): Promise<Socket> => network.dialPeer(address, signal)
    const dialByRelay = (holder: WorkerId, signal: AbortSignal): Promise<Socket> => this.#relays.dial(holder, signal)
    this.#spiller = new Spiller({
      scratch: scratch.path,
      store: this.#store,
      log: this.#log,
      submit,
      maxLentBytes: Math.min(MAX_LENT_BYTES, memoryLimitBytes * TRANSFER_MEMORY_SHARE),
    })
    const lookup: Lookup = (task) => this.#spiller.lookup(task)
    const values = { store: this.#store, lookup }
    this.#exchange = new ValueExchange({ worker: name, ...values, log: this.#log, dial, dialByRelay, submit })
    this.#link = new SchedulerLink({
      dial: (signal) => network.dialScheduler(signal),
      hello: { role: 'worker', name },
      join: (socket) => this.#join(socket),
      onMessage: (message) => this.#onSchedulerMessage(message),
      onPayload: (message, payload) => {
        if (message.type === 'relay-frame') this.#relays.onPayload(message, payload)
      },
      onLost: (reason) => this.#onSchedulerLost(reason),
      log: this.#log,
    })
    this.#relays = new RelayPort({ link: this.#link, onSocket: (socket) => this.#exchange.accept(socket) })
  }

  get isToRestart(): boolean {
    return this.#isToRestart
  }

  get address(): string {
    return this.#listener?.address ?? ''
  }

  /** Joins a cluster, or closes. */
  async open(giveUp: AbortSignal | undefined): Promise<void> {
    const stopped = this.#stopped.signal
    try {
      await this.#link.open(giveUp === undefined ? stopped : AbortSignal.any([giveUp, stopped]))
    } catch (error) {
      await this.close()
      throw error
    }
    const { name, address } = this
    this.#log.info({ name, address, threads: this.#options.threads }, 'worker joined')
    // At once: what a worker took is known however soon it dies.
    this.#beat()
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_INTERVAL_MS)
  }

  leave(): void {
    this.#loop.submit({ type: 'leave', nowMs: performance.now() })
  }

  fail(reason: HeddleError): void {
    this.#stopped.abort()
    this.#link.close({ code: reason.code, message: reason.message })
    void this.#link.closed().then(() => this.#fail(reason))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().then(this.#settleClosed.resolve, this.#settleClosed.reject)
    return this.closed.catch(() => undefined)
  }

  #perform(instruction: WorkerInstruction): void {
    switch (instruction.type) {
      case 'send':
        this.#link.send(instruction.message)
        break
      case 'store-code':
        this.#storeCode(instruction.define)
        break
      case 'store-values':
        this.#store.putMany(instruction.tasks, instruction.values)
        break
      case 'run-batch':
        this.#runs.begin(instruction.thread, instruction.tasks)
        this.#slots.run(instruction, this.#whenStored(instruction.tasks)).catch((error: unknown) => this.#crash(error))
        break
      case 'extend-batch': {
        const { thread, tasks } = instruction
        this.#runs.extend(thread, tasks)
        this.#slots.extend(instruction, this.#whenStored(tasks) === undefined)
        break
      }
      case 'hurry-batch':
        this.#slots.hurry(instruction.thread)
        break
      case 'run-io-task':
        this.#runs.begin(instruction.slot, [instruction.task])
        this.#runIoTask(instruction.slot, instruction.task)
        break
      case 'ask-io-to-stop':
        this.#ioSlots.askToStop(instruction.slot, instruction.cause)
        break
      case 'take-back':
        this.#slots.takeBack(instruction.thread)
        break
      case 'ask-to-stop':
        this.#slots.askToStop(instruction.thread, instruction.place, instruction.cause)
        break
      case 'look-at-run':
        this.#slots.lookAtRun(instruction.thread, instruction.place)
        break
      case 'terminate':
        this.#pool.terminate(instruction.thread)
        break
      case 'tell-taken':
        this.#pool.tellTaken({ task: instruction.task, attempt: instruction.attempt, taken: instruction.taken })
        break
      case 'ask-lent-to-stop':
        this.#slots.askLentToStop(instruction.task, instruction.attempt, instruction.cause)
        break
      case 'terminate-lent':
        this.#slots.terminateLent(instruction.task, instruction.attempt)
        break
      case 'abort':
        void this.#abort(instruction.reason)
        break
      case 'fetch':
        this.#history.asked(instruction.tasks)
        this.#exchange.fetch(instruction.holder, instruction.address, instruction.tasks, instruction.after)
        break
      case 'fetch-by-relay':
        this.#history.asked(instruction.tasks)
        this.#exchange.fetchByRelay(instruction.holder, instruction.tasks)
        break
      case 'answer-await':
        this.#exchange.answerAwait(instruction.question, instruction)
        break
      case 'drop':
        for (const task of instruction.tasks) this.#store.drop(task)
        this.#spiller.forget(instruction.tasks)
        break
      case 'spill':
        this.#spiller.spill(instruction.task, instruction.file)
        break
      case 'evict':
        this.#spiller.evict(instruction.task, instruction.file)
        break
      case 'load':
        this.#spiller.load(instruction.task, instruction.file)
        break
      case 'discard-files':
        this.#spiller.discard(instruction.files)
        break
      case 'collect':
        this.#pool.collect()
        this.#spiller.collect()
        break
      case 'tell-disk-full':
        this.#spiller.tellFullDisk(instruction.reason)
        break
      case 'hang-up':
        this.#link.close({ code: 'ERR_HEDDLE_PROTOCOL', message: instruction.reason })
        break
      case 'tell':
        this.#link.send({ type: 'told', question: instruction.question, report: this.#reportOn(instruction.subject) })
        break
      case 'take-profile':
        void this.#takeProfile(instruction)
        break
      case 'restart':
        void this.#restart()
        break
      case 'close':
        if (instruction.reason === undefined) void this.close()
        else this.#fail(this.#outOfMemory(instruction.reason))
        break
      default:
        unreachable(instruction)
    }
  }

  /** For people who look at what the threads do. */
  #note(event: WorkerEvent): void {
    switch (event.type) {
      case 'tasks-ended':
        this.#runs.add(event.thread, event.outcomes)
        break
      case 'batch-ended':
      case 'thread-exited':
        this.#runs.end(event.thread)
        break
      case 'task-lent':
        this.#runs.lend(event.thread, event.place)
        break
      case 'lent-ended':
        this.#runs.endLent(event.task, event.attempt, event.outcomes)
        break
      case 'lent-lost':
        for (const { task, attempt } of event.tasks) this.#runs.loseLent(task, attempt)
        break
      case 'values-fetched': {
        const { sizes, tasks } = event
        this.#history.fetched(tasks)
        if (this.#runWatch.isOn)
          this.#runWatch.noteMove(
            'fetched',
            sizes.length,
            sizes.reduce((sum, size) => sum + size, 0),
          )
        break
      }
      case 'value-spilled':
        this.#runWatch.noteMove('spilled', 1, this.#store.get(event.task)?.length ?? 0)
        break
      case 'value-loaded':
        this.#runWatch.noteMove('loaded', 1, event.sizeBytes)
        break
      default: // Nothing that is seen.
    }
  }

  /** The first message to a scheduler. It says where we listen, if we do, so we listen by then. */
  async #join({ localAddress }: Socket): Promise<Join> {
    if (this.#options.listen !== undefined) this.#listener ??= await this.#listen(localAddress)
    const { name, incarnation, threads, memoryLimitBytes, resources, ioTasks, tags } = this.#options
    return {
      type: 'join',
      name,
      address: this.address,
      threads,
      memoryLimitBytes,
      pid: process.pid,
      host: hostname(),
      packageVersion: packageVersion(),
      nodeVersion: process.version,
      incarnation,
      resources,
      ioTasks,
      tags,
      isWatched: this.#isWatched,
      lastDeath: this.#lastDeath,
    }
  }

  async #listen(localAddress: string): Promise<Listener> {
    const listener = await this.#network.listen(localAddress, (socket) => this.#exchange.accept(socket))
    if (this.#stopped.signal.aborted) listener.close()
    return listener
  }

  #onSchedulerMessage(message: SchedulerToWorker): void {
    if (isFromSwitch(message)) {
      this.#relays.onMessage(message)
      return
    }
    if (message.type === 'watch') {
      this.#watch(message)
      return
    }
    if (message.type === 'tell-of-task') {
      const report = writeTold(taskReport, this.#history.of(message))
      this.#link.send({ type: 'told', question: message.question, report })
      return
    }
    if (message.type === 'run-tasks') this.#history.received(message.tasks)
    if (message.type === 'joined') {
      this.#relays.open()
      this.#exchange.useSecret(message.peerSecret)
      this.#arrayIds.set(message.firstArray, message.arrayCount)
    }
    this.#loop.submit({ type: 'scheduler-message', nowMs: performance.now(), message })
  }

  /** For people who look at what the threads do, and at what is logged. */
  #watch({ runs, logs }: { readonly runs: boolean; readonly logs: boolean }): void {
    if (runs) this.#runWatch.start()
    else this.#runWatch.stop()
    if (logs) this.#logWatch.start()
    else this.#logWatch.stop()
  }

  #onSchedulerLost({ message }: CloseReason): void {
    this.#relays.close('The connection to the scheduler is gone.')
    this.#watch({ runs: false, logs: false })
    this.#schedulers += 1
    if (this.#stopped.signal.aborted) return
    this.#loop.submit({ type: 'scheduler-lost', nowMs: performance.now() })
    this.#log.warn({}, `the scheduler is gone, dialling again: ${message}`)
    this.#link.open(this.#stopped.signal).then(
      () => this.#log.info({}, 'worker joined again'),
      (error: unknown) => {
        if (!this.#stopped.signal.aborted) this.#fail(error)
      },
    )
  }

  #onThreadMessage(message: ThreadMessage): void {
    switch (message.type) {
      case 'doorbell':
        this.#slots.readOutcomes(message.thread)
        break
      case 'chunk':
        this.#loop.submit({
          ...message,
          type: 'stream-chunk',
          nowMs: performance.now(),
          attempt: attempt(message.attempt),
        })
        break
      case 'report':
        this.#loop.submit({
          ...message,
          type: 'task-reported',
          nowMs: performance.now(),
          attempt: attempt(message.attempt),
        })
        break
      case 'awaits':
      case 'orphaned':
      case 'ended':
        this.#slots.onLent(message)
        break
      case 'log':
        this.#taskLog[message.level](message.task === undefined ? {} : { task: message.task }, message.text)
        break
      default:
        unreachable(message)
    }
  }

  #storeCode(define: DefineCode): void {
    const { code } = define
    const stored = this.#codes.store(define).then(
      () => undefined,
      (error: unknown) => this.#onCodeNotStored(code, error),
    )
    this.#storing.set(code, stored)
    void stored.then(() => {
      if (this.#storing.get(code) === stored) this.#storing.delete(code)
    })
  }

  /** Only code that is wrong is refused. A full disk is our own trouble, and the code may well run on another worker. */
  #onCodeNotStored(code: CodeHash, error: unknown): void {
    if (error instanceof HeddleError) {
      this.#loop.submit({ type: 'code-refused', nowMs: performance.now(), code, error: encodeError(error) })
    } else if (!this.#stopped.signal.aborted) {
      this.#log.error({ err: error, code }, 'the worker cannot write code to its data directory, and cannot go on')
      this.#fail(error)
    }
  }

  #runIoTask(slot: number, task: BatchTask): void {
    this.#ioSlots.run(slot, task, this.#whenStored([task])).catch((error: unknown) => this.#crash(error))
  }

  #whenStored(tasks: readonly BatchTask[]): Promise<void> | undefined {
    if (this.#storing.size === 0) return undefined
    const codes = new Set(tasks.flatMap(({ template }) => [template.code, codeHash(template.retryFilter)]))
    const missing = [...codes].flatMap((code) => this.#storing.get(code) ?? [])
    return missing.length === 0 ? undefined : Promise.all(missing).then(() => undefined)
  }

  #beat(): void {
    // So that it names what runs, and not what has ended and is still to be told of.
    this.#slots.readAll()
    const { user, system } = process.cpuUsage()
    this.#loop.submit({
      type: 'pulse',
      nowMs: performance.now(),
      memoryBytes: process.memoryUsage.rss(),
      cpuSeconds: (user + system) / 1e6,
    })
  }

  /** Nothing else ends a thread that native code holds, not even an orderly exit of the process. */
  async #abort(reason: string): Promise<void> {
    this.#log.error({}, reason)
    this.#stopped.abort()
    this.#link.close()
    await this.#link.closed()
    process.kill(process.pid, 'SIGKILL')
  }

  #reportOn(subject: Subject): Uint8Array {
    switch (subject) {
      case 'logs':
        return writeTold(
          list(keptLine),
          this.#kept.lines.map((line) => ({ ...line, task: line.task })),
        )
      case 'runs':
        return writeTold(list(ranTasks), this.#runs.entries)
      default:
        return unreachable(subject)
    }
  }

  async #takeProfile({ question, durationMs, intervalMicros }: TakeProfile): Promise<void> {
    const asked = this.#schedulers
    const profile = await takeProfile({ durationMs, intervalMicros }, this.#pool.threads)
    // Another scheduler has other questions under the same numbers.
    if (asked !== this.#schedulers || this.#stopped.signal.aborted) return
    this.#link.send({ type: 'told', question, report: writeTold(workerProfile, profile) })
  }

  /** A thread that native code holds does not keep it. */
  async #restart(): Promise<void> {
    this.#log.info({}, 'a client restarts the cluster: this process ends, and is started again')
    this.#isToRestart = true
    const timer = setTimeout(() => process.kill(process.pid, 'SIGKILL'), KILL_AFTER_MS)
    await this.close()
    clearTimeout(timer)
  }

  #crash(error: unknown): void {
    this.#log.error({ err: error }, 'the worker has a bug and cannot go on; please report this')
    this.#fail(error)
  }

  #fail(error: unknown): void {
    this.#settleClosed.reject(error)
    void this.close()
  }

  #outOfMemory(why: string): HeddleError {
    const limitMib = Math.round(this.#options.memoryLimitBytes / MIB)
    return new OutOfMemoryError(
      `Worker "${this.name}" is out of memory (${limitMib} MiB): ${why}. ` +
        'Give it more with --memory-limit or --disk-limit, or release futures that are not needed any more.',
    )
  }

  async #close(): Promise<void> {
    this.#watch({ runs: false, logs: false })
    this.#stopped.abort()
    this.#loop.stop()
    clearInterval(this.#heartbeat)
    this.#link.close()
    await this.#link.closed()
    this.#exchange.close()
    this.#listener?.close()
    await Promise.all([this.#pool.close(), this.#spiller.close()])
    await this.#scratch[Symbol.asyncDispose]()
  }
}
