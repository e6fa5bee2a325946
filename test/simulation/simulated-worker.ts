/** A worker's core with a shell on virtual time: threads, a value store, and fetches from peers. */
import assert from 'node:assert/strict'
import { entryOf } from '../../common/packed.js'
import type { Rng } from '../../common/rng.js'
import type { ErrorCode } from '../../protocol/errors.js'
import type { TaskId, WorkerId } from '../../protocol/ids.js'
import type { FailureRecord } from '../../protocol/messages/common.js'
import type { Needs } from '../../protocol/messages/needs.js'
import type { Join, SchedulerToWorker, WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { AwaitAnswer, Awaited } from '../../protocol/transport/value-server.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import type { BatchTask, WorkerInstruction } from '../../worker/core/instructions.js'
import { checkInvariants } from '../../worker/core/invariants.js'
import { isFromSwitch } from '../../protocol/messages/relay.js'
import { createWorkerMachine, type WorkerMachine } from '../../worker/core/machine.js'
import {
  CHILD_LOST,
  decodeNumber,
  encodeNumber,
  FORESEEN_ERROR,
  isOneOf,
  isRefusal,
  REFUSAL,
  UNFORESEEN,
  type Child,
} from './expression.js'
import { Loop, type Unstamped } from './loop.js'
import { SimulatedDisk } from './simulated-disk.js'
import type { Connection, Peer } from './simulated-scheduler.js'
import { SimulatedRelays } from './simulated-relays.js'
import { SimulatedTaskClient, type Brought } from './simulated-task-client.js'
import { sizesOf, type Sizes } from './sizes.js'
import { LARGE_BYTES, SimulatedThread, type Job, type StoredValue } from './simulated-thread.js'
import type { Pace } from './slowness.js'
import { canReach, mayFailUnforeseen, useUnits, type World } from './world.js'

type RunBatch = WorkerInstruction & { readonly type: 'run-batch' }
type ExtendBatch = WorkerInstruction & { readonly type: 'extend-batch' }
type Fetch = WorkerInstruction & { readonly type: 'fetch' }
type Answer = WorkerInstruction & { readonly type: 'answer-await' }
type RelayedFetch = WorkerInstruction & { readonly type: 'fetch-by-relay' }

/** A question of a peer, as whoever is asked has it. */
interface PeerAwait {
  answer(answer: AwaitAnswer, valueOf: (task: TaskId) => StoredValue | undefined): void
  /** Who was asked is gone. */
  lost(): void
}

/** A value that a peer was asked for, if it has it. */
interface Answered {
  readonly task: TaskId
  readonly value: StoredValue | undefined
}

/** A process has so long to answer a dial. */
const DIAL_TIMEOUT_MS = 30

/** What tasks fail with by no doing of their own. */
const UNFORESEEN_CODES: ReadonlySet<string> = new Set<ErrorCode>([
  'ERR_HEDDLE_TASK_CANCELLED',
  'ERR_HEDDLE_WORKER_LOST',
  'ERR_HEDDLE_QUEUE_TIMEOUT',
  'ERR_HEDDLE_UNSATISFIABLE',
  'ERR_HEDDLE_RELEASED',
])

export class SimulatedWorker {
  readonly name: string
  readonly address: string
  readonly #world: World
  readonly #rng: Rng
  readonly #machine: WorkerMachine
  readonly #loop: Loop<WorkerEvent, WorkerInstruction>
  readonly #threads: readonly SimulatedThread[]
  /** By thread: the tasks of its batch, with those that were added. */
  readonly #given: (readonly BatchTask[])[] = []
  /** One for each slot behind the threads: they run at once, and die together. */
  readonly #ioThreads = new Map<number, SimulatedThread>()
  readonly #ioTasks: number
  readonly #zone: string
  readonly #store = new Map<TaskId, StoredValue>()
  readonly #listens: boolean
  readonly #gpuThousandths: number
  readonly #pace: Pace
  readonly #relays = new SimulatedRelays((message) => {
    this.#connection?.send(message)
    this.#connection?.flush()
  })
  readonly #disk: SimulatedDisk
  /** Threads of an inline worker can't be terminated. */
  readonly #canTerminate: boolean
  /** What peers await here, by the number of the question. */
  readonly #awaits = new Map<number, PeerAwait>()
  #lastQuestion = 0
  /** What calls off each question of ours. */
  readonly #questions = new Set<() => void>()
  #connection: Connection<WorkerToScheduler> | undefined
  /** Of the tasks that run here; with the connection of the worker it goes. */
  #taskClient: SimulatedTaskClient | undefined
  #firstArray = 0
  #isGone = false
  #isAskedToGo = false

  constructor(world: World, name: string, givenThreads: number) {
    const threads = Math.max(world.leastThreads, givenThreads)
    this.#world = world
    this.#rng = world.rng.fork()
    this.name = name
    this.address = `ws://${name}`
    this.#canTerminate = world.cancelRng.chance(0.8)
    this.#listens = !world.separationRng.chance(world.separation / 2)
    this.#gpuThousandths = world.needsRng.pick([1_000, 1_000, 2_500])!
    this.#ioTasks = world.needsRng.pick([1, 3, 256])!
    this.#zone = world.needsRng.pick(['a', 'b'])!
    this.#pace = world.slowness.drawPace()
    this.#machine = createWorkerMachine({
      threads,
      ioTasks: this.#ioTasks,
      maxFetchBytes: world.maxFetchBytes,
      maxPauseMs: world.maxPauseMs,
      memoryLimitBytes: world.memoryRng.pick(world.memoryLimits)! * LARGE_BYTES,
      diskLimitBytes: world.memoryRng.pick(world.diskLimits)! * LARGE_BYTES,
    })
    const { agenda } = world
    const { state } = this.#machine
    this.#loop = new Loop({
      agenda,
      rng: this.#rng,
      core: {
        handleEvent: (event: WorkerEvent) => this.#machine.handleEvent(event),
        endTurn: (nowMs) => this.#machine.endTurn(nowMs),
        nextDeadlineMs: () => this.#machine.nextDeadlineMs(),
        checkInvariants: () => checkInvariants(state),
        costOfCheck: () => 5 + 0.5 * state.tasks.size + 0.1 * state.held.count,
      },
      perform: (instruction) => this.#perform(instruction),
      flush: () => this.#connection?.flush(),
      trace: world.traceOf?.(name),
    })
    this.#threads = Array.from({ length: threads }, (_, thread) => this.#newThread(thread))
    const submit = (event: Unstamped<WorkerEvent>): void => this.#loop.submit(event)
    this.#disk = new SimulatedDisk({
      world,
      rng: world.memoryRng.fork(),
      store: this.#store,
      submit,
      slowness: this.#pace.serves,
    })
    world.workers.set(this.address, this)
    this.#dial()
  }

  #newThread(thread: number, onExit?: () => void): SimulatedThread {
    const world = this.#world
    return new SimulatedThread({
      agenda: world.agenda,
      rng: this.#rng,
      thread,
      slowness: this.#pace.runs,
      submit: (event) => this.#loop.submit(event),
      keep: (id, value) => this.#store.set(id, value),
      canTerminate: this.#canTerminate,
      onRun: (task) => this.#onRun(task),
      submitChildren: (parent, children, done) => this.#submitChildren(parent, children, done),
      onBegin: ({ task, template }) => {
        const limits = limitsOf(world, task, template)
        if (limits.length > 0) world.counts.limitedRuns++
        if (template.isIo) world.counts.ioRuns++
        useUnits(world, limits, 1, task)
      },
      flakes: world.flakes,
      streamRng: world.streamRng,
      onEnd: ({ task, template }) => useUnits(world, limitsOf(world, task, template), -1, task),
      ...(onExit !== undefined && { onExit }),
    })
  }

  #ioThreadOf(slot: number): SimulatedThread {
    let thread = this.#ioThreads.get(slot)
    if (thread === undefined) {
      thread = this.#newThread(slot, () => {
        for (const other of this.#ioThreads.values()) other.exitWithOthers()
      })
      this.#ioThreads.set(slot, thread)
    }
    return thread
  }

  get isGone(): boolean {
    return this.#isGone
  }

  /** How many records it keeps, by field of its core; and values. */
  get sizes(): Sizes {
    return { ...sizesOf(this.#machine.state, ['config']), store: this.#store.size }
  }

  /** Asks the worker to go, as SIGTERM does. */
  leave(): void {
    this.#isAskedToGo = true
    this.#loop.submit({ type: 'leave' })
  }

  /** It dies without a word. */
  kill(): void {
    this.#end()
  }

  /** Its connection breaks, and it dials again. */
  disconnect(): void {
    this.#connection?.cut()
  }

  /** It dies, is asked to go, or loses its connection. */
  suffer(): void {
    if (this.#isGone) return
    this.#world.counts.workersLost++
    this.#rng.pick([() => this.kill(), () => this.leave(), () => this.disconnect()])!()
  }

  /** It starts nothing until it has measured its memory again. */
  get awaitsPulse(): boolean {
    return this.#machine.state.pause.draining !== 'no'
  }

  /** Nothing runs any more that could submit tasks. */
  leaveTaskClient(): void {
    this.#taskClient?.cut()
    this.#taskClient = undefined
  }

  pulse(): void {
    // Without faults none goes for want of memory: once nothing runs there, it is free again.
    const mayBeFull = this.#world.pauseRng.chance(0.3) && !this.#world.hasMemory
    const isFull = mayBeFull && (this.#world.hasDeaths || !this.awaitsPulse)
    const memoryBytes = isFull ? 2 ** 40 : 1
    this.#loop.submit({ type: 'pulse', memoryBytes, cpuSeconds: 1 })
  }

  /** How many times longer than usual it takes to hand a value over. */
  get servesAt(): number {
    return this.#pace.serves
  }

  /** What a peer or a client gets who asks for a value. */
  valueOf(task: TaskId): StoredValue | undefined {
    const value = this.#store.get(task)
    if (value === undefined) return this.#disk.valueOf(task)
    if (value.sizeBytes === LARGE_BYTES) this.#loop.submit({ type: 'value-served', task })
    return value
  }

  /** A client brings a value. */
  put(task: TaskId, value: StoredValue): void {
    if (this.#isGone) return
    this.#store.set(task, value)
    this.#loop.submit({ type: 'value-put', task, sizeBytes: value.sizeBytes })
  }

  /** Nothing is left of any task. */
  checkHoldsNothing(): void {
    const { tasks, held, fetches, ready, batches } = this.#machine.state
    assert.deepEqual([...tasks.keys()], [], `${this.name} has tasks left`)
    assert.deepEqual([...held.tasks], [], `${this.name} has values left`)
    assert.deepEqual([...this.#store.keys()], [], `${this.name} has values in its store that its core does not know`)
    this.#disk.checkEmpty(this.name)
    assert.equal(fetches.size, 0, `${this.name} has fetches left`)
    assert.equal(this.#machine.state.awaits.count, 0, `${this.name} has peers waiting`)
    assert.equal(ready.length, 0, `${this.name} has ready tasks left`)
    assert.equal(this.#machine.state.lent.size, 0, `${this.name} has tasks left that wait for others`)
    assert.ok(
      batches.every((batch) => batch === undefined),
      `${this.name} has batches left`,
    )
  }

  checkHoldsNoTemplates(): void {
    assert.equal(this.#machine.state.templates.size, 0, `${this.name} has templates left`)
  }

  #submitChildren(parent: BatchTask, children: readonly Child[], done: (brought: Brought) => void): void {
    if (this.#connection === undefined) {
      this.#world.agenda.in(1, () => done('orphaned'))
      return
    }
    if (this.#taskClient === undefined || this.#taskClient.isLost) {
      this.#taskClient = new SimulatedTaskClient(this.#world, this.name, this.#firstArray)
      // As much as one client takes.
      this.#firstArray += 10_000
    }
    this.#taskClient.submit(parent, children, done)
  }

  #onRun(task: TaskId): void {
    const { counts, strikesAtRun, agenda } = this.#world
    counts.runs++
    if (this.#pace.runs > 1) counts.slowRuns++
    this.#world.ranTasks.add(task)
    if (strikesAtRun.has(counts.runs)) agenda.in(this.#rng.between(0, 1), () => this.suffer())
  }

  #dial(): void {
    if (this.#isGone) return
    const peer: Peer<SchedulerToWorker> = {
      receive: (messages: readonly SchedulerToWorker[]) => {
        for (const message of messages) {
          if (message.type === 'joined') this.#firstArray = message.firstArray
          if (isFromSwitch(message)) this.#relays.receive(message)
          else if (message.type !== 'watch' && message.type !== 'tell-of-task') {
            if (message.type === 'recall') this.#world.counts.recalled += message.tasks.length
            this.#loop.submit({ type: 'scheduler-message', message })
          }
        }
      },
      connectionLost: () => {
        if (this.#connection !== connection) return
        this.#connection = undefined
        this.leaveTaskClient()
        this.#relays.reset()
        this.#loop.submit({ type: 'scheduler-lost' })
        this.#world.agenda.in(this.#rng.between(0, 100), () => this.#dial())
      },
    }
    const connection = this.#world.scheduler.connectWorker(peer, this.#pace.says)
    this.#connection = connection
    const { memoryLimitBytes } = this.#machine.state.config
    connection.send({
      ...joinOf(this.name, this.#listens ? this.address : '', this.#threads.length),
      memoryLimitBytes,
      resources: [{ name: 'gpu', thousandths: this.#gpuThousandths }],
      ioTasks: this.#ioTasks,
      tags: [`zone=${this.#zone}`],
      isWatched: true,
    })
    connection.flush()
  }

  #perform(instruction: WorkerInstruction): void {
    const world = this.#world
    const { counts, agenda } = world
    switch (instruction.type) {
      case 'send':
        if (instruction.message.type === 'tasks-returned') counts.returned += instruction.message.tasks.length
        if (instruction.message.type === 'tasks-kept') counts.kept += instruction.message.tasks.length
        if (instruction.message.type === 'task-exited') counts.exits++
        if (instruction.message.type === 'outputs-finished') counts.split += instruction.message.tasks.length
        if (instruction.message.type === 'tasks-finished') this.#noteFinished(instruction.message.tasks)
        if (instruction.message.type === 'tasks-timed-out') {
          const { tasks, goOn } = instruction.message
          for (const place of goOn) this.#world.goneOn.add(tasks[place]!)
        }
        this.#connection?.send(instruction.message)
        break
      case 'tell':
      case 'take-profile':
        throw new Error('nobody asks for reports here')
      case 'store-code': {
        const { code } = instruction.define
        if (code !== 'refused') break
        const refuse = (): void => this.#loop.submit({ type: 'code-refused', code, error: encodeNumber(REFUSAL) })
        agenda.in(this.#rng.between(0, 2), refuse)
        break
      }
      case 'store-values': {
        const { tasks, values } = instruction
        counts.given += tasks.length
        for (const [i, task] of tasks.entries()) this.#store.set(task, storedValue(entryOf(values, i)))
        break
      }
      case 'run-batch':
        counts.batches++
        if (instruction.makers !== undefined) counts.chains++
        if (instruction.isPatient && instruction.tasks.length > 1) counts.patientBatches++
        this.#given[instruction.thread] = instruction.tasks
        this.#threads[instruction.thread]!.run(this.#jobsOf(instruction))
        break
      case 'extend-batch': {
        const { thread, tasks } = instruction
        const before = this.#given[thread]!
        this.#given[thread] = [...before, ...tasks]
        this.#threads[thread]!.extend(this.#jobsOf(instruction, before), before.length, (isInTime) => {
          if (isInTime) counts.extensions++
          else counts.lateExtensions++
        })
        break
      }
      case 'hurry-batch':
        counts.hurries++
        this.#threads[instruction.thread]!.hurry()
        break
      case 'run-io-task': {
        const { slot, task } = instruction
        this.#ioThreadOf(slot).run([{ task, inputs: task.inputs.map((input) => this.#inputOf(task, input)) }])
        break
      }
      case 'ask-io-to-stop': {
        const thread = this.#ioThreadOf(instruction.slot)
        const isListening = world.cancelRng.chance(0.5) || thread.isStreaming
        if (isListening) counts.told++
        thread.askToStop(0, { isListening, canTerminate: false })
        break
      }
      case 'take-back':
        counts.takeBacks++
        counts.cutTasks += this.#threads[instruction.thread]!.takeBack()
        break
      case 'ask-to-stop': {
        const { thread, place } = instruction
        const isListening = world.cancelRng.chance(0.5) || this.#threads[thread]!.isStreaming
        if (isListening) counts.told++
        this.#threads[thread]!.askToStop(place, { isListening, canTerminate: this.#canTerminate })
        break
      }
      case 'look-at-run':
        this.#threads[instruction.thread]!.lookAtRun(instruction.place)
        break
      case 'terminate':
        counts.terminated++
        if (world.hasDeaths && world.cancelRng.chance(0.1)) this.#threads[instruction.thread]!.hang()
        else this.#threads[instruction.thread]!.terminate()
        break
      case 'tell-taken':
        for (const thread of [...this.#threads, ...this.#ioThreads.values()]) thread.onTaken(instruction)
        break
      case 'ask-lent-to-stop': {
        const isListening = world.cancelRng.chance(0.5)
        for (const thread of this.#threads) thread.askLentToStop(instruction, isListening)
        break
      }
      case 'terminate-lent':
        counts.terminatedLent++
        for (const thread of this.#threads) thread.terminateLent(instruction)
        break
      case 'abort':
        this.#end()
        this.#startAgain()
        break
      case 'fetch':
        this.#fetch(instruction)
        break
      case 'answer-await':
        this.#answerAwait(instruction)
        break
      case 'fetch-by-relay':
        this.#fetchByRelay(instruction)
        break
      case 'drop':
        for (const task of instruction.tasks) this.#store.delete(task)
        this.#disk.forget(instruction.tasks)
        break
      case 'spill':
        this.#disk.spill(instruction.task, instruction.file)
        break
      case 'evict':
        this.#disk.evict(instruction.task, instruction.file)
        break
      case 'load':
        this.#disk.load(instruction.task, instruction.file)
        break
      case 'discard-files':
        this.#disk.discard(instruction.files)
        break
      case 'collect':
        break
      case 'tell-disk-full':
        break
      case 'hang-up':
        assert.fail(`${this.name} hung up: ${instruction.reason}`)
        break
      case 'restart': {
        this.#end()
        const { name, address } = this
        agenda.in(this.#rng.between(1, 200), () => {
          if (!world.workers.has(address)) new SimulatedWorker(world, name, this.#threads.length)
        })
        break
      }
      case 'close':
        this.#end()
        if (instruction.reason !== undefined) this.#startAgain()
    }
  }

  /** What workers that leave hold moves away: nothing is ever made a second time, but where things break. */
  #noteFinished(tasks: readonly TaskId[]): void {
    const { finishedOnce, letGo, takenBack } = this.#world
    if (finishedOnce === undefined) return
    for (const task of tasks) {
      assert(!finishedOnce.has(task) || letGo.has(task) || takenBack.has(task), `${task} was made a second time`)
      finishedOnce.add(task)
    }
  }

  /** @param before - The tasks to which these are added, where some of the makers may be. */
  #jobsOf({ tasks, makers }: RunBatch | ExtendBatch, before: readonly BatchTask[] = []): Job[] {
    const places = new Map<TaskId, number>()
    for (const [place, { task }] of before.entries()) if (makers?.has(task) === true) places.set(task, place)
    return tasks.map((task, place) => {
      const inputs = task.inputs.map((input) => {
        const maker = places.get(input)
        return maker === undefined ? this.#inputOf(task, input) : { maker }
      })
      if (makers?.has(task.task) === true) places.set(task.task, before.length + place)
      return { task, inputs }
    })
  }

  #inputOf({ task, failures }: BatchTask, input: TaskId): StoredValue {
    const failure = failures?.get(input)
    if (failure !== undefined) return this.#errorInPlaceOf(input, failure)
    const value = this.#store.get(input)
    assert(value !== undefined, `${this.name} runs ${task} without its input ${input}`)
    return value
  }

  /** One that its task always throws, or one that comes of what happened to it. */
  #errorInPlaceOf(input: TaskId, failure: FailureRecord): StoredValue {
    const { counts, foreseen } = this.#world
    const { code, culpritKey, error } = failure
    counts.passedErrors++
    const isForeseen = isOneOf(foreseen.get(input) ?? new Set(), failure) !== undefined
    const isOfChild = error.length > 0 && decodeNumber(error) === CHILD_LOST
    const isUnforeseen = UNFORESEEN_CODES.has(code) || isRefusal(failure)
    assert(
      isForeseen || isOfChild || (isUnforeseen && mayFailUnforeseen(this.#world)),
      `${input} failed by ${culpritKey}: ${code} ${failure.reason}, and that is not why it should`,
    )
    const bytes = encodeNumber(isForeseen ? FORESEEN_ERROR : UNFORESEEN)
    return { bytes, sizeBytes: bytes.length }
  }

  /** The question travels to the peer and the answers back, in parts and in any order. */
  #fetch({ holder, address, tasks, after }: Fetch): void {
    const { agenda, counts, workers } = this.#world
    const slowness = slownessOf(this.#world, address, this.address)
    counts.fetches += tasks.length
    if (!canReach(this.#world, this.address, address)) {
      agenda.in(this.#rng.between(0.05, DIAL_TIMEOUT_MS), () => {
        if (!this.#isGone) this.#loop.submit({ type: 'values-unreachable', holder, tasks })
      })
      return
    }
    if (after !== undefined) {
      counts.awaited += tasks.length
      agenda.in(this.#rng.between(0.05, 5) * slowness, () => {
        const peer = workers.get(address)
        if (peer === undefined) this.#lost(holder, tasks)
        else if (!this.#isGone) {
          const await_ = this.#awaitOf(holder, tasks, { peer, slowness })
          this.#questions.add(peer.onAwait({ tasks, worker: holder, after }, await_))
        }
      })
      return
    }
    agenda.in(this.#rng.between(0.05, 5) * slowness, () => {
      const peer = workers.get(address)
      const parts = Math.min(tasks.length, this.#rng.integer(1, 3))
      for (let part = 0; part < parts; part++) {
        const asked = tasks.filter((_, i) => i % parts === part)
        const answers = asked.map((task) => ({ task, value: this.#ask(address, task) }))
        agenda.in(this.#rng.between(0.05, 20) * slowness, () => {
          if (slowness === 1 || this.#cameSlowly(holder, answers, peer)) this.#answered(holder, answers)
        })
      }
    })
  }

  /** What is long under way is lost with its holder; what is soon there may come after its death. */
  #cameSlowly(holder: WorkerId, answers: readonly Answered[], peer: SimulatedWorker | undefined): boolean {
    if (this.#isGone) return false
    const { counts } = this.#world
    if (peer?.isGone === true) {
      counts.cutShort += answers.length
      const tasks = answers.map(({ task }) => task)
      this.#lost(holder, tasks)
      return false
    }
    counts.slowlyServed += answers.filter(({ value }) => value !== undefined).length
    return true
  }

  #lost(holder: WorkerId, tasks: readonly TaskId[]): void {
    if (!this.#isGone && tasks.length > 0) this.#loop.submit({ type: 'values-unreachable', holder, tasks })
  }

  /** Values that are still to be made by the peer. */
  #awaitOf(
    holder: WorkerId,
    tasks: readonly TaskId[],
    { peer, slowness }: { readonly peer: SimulatedWorker; readonly slowness: number },
  ): PeerAwait {
    const owed = new Set(tasks)
    return {
      answer: ({ settled, located, sizes }, valueOf) => {
        const { agenda, fetchFailure, counts } = this.#world
        for (const task of [...settled, ...located]) owed.delete(task)
        const answers = settled.map((task) => ({
          task,
          value: this.#rng.chance(fetchFailure) ? undefined : valueOf(task),
        }))
        const pushed = answers.filter(({ value }) => value !== undefined).length
        counts.pushed += pushed
        agenda.in(this.#rng.between(0.05, 5) * slowness, () => {
          if (slowness > 1 && !this.#cameSlowly(holder, answers, peer)) {
            this.#lost(holder, located)
            return
          }
          if (slowness > 1) counts.slowlyPushed += pushed
          this.#answered(holder, answers)
          if (!this.#isGone && located.length > 0) {
            this.#loop.submit({ type: 'values-located', holder, tasks: located, sizes })
          }
        })
      },
      lost: () => this.#world.agenda.in(this.#rng.between(0.05, 5), () => this.#lost(holder, [...owed])),
    }
  }

  /** A peer awaits values that are to be made here. */
  onAwait(asked: Awaited, await_: PeerAwait): () => void {
    const question = ++this.#lastQuestion
    this.#awaits.set(question, await_)
    this.#loop.submit({ type: 'values-awaited', question, ...asked })
    return () => {
      if (this.#awaits.delete(question) && !this.#isGone) this.#loop.submit({ type: 'await-ended', question })
    }
  }

  #answerAwait(answer: Answer): void {
    const await_ = this.#awaits.get(answer.question)
    if (answer.isLast) this.#awaits.delete(answer.question)
    await_?.answer(answer, (task) => this.valueOf(task))
  }

  /** The scheduler is asked for a way to the peer, which may close at any time. */
  #fetchByRelay({ holder, tasks }: RelayedFetch): void {
    const { agenda, counts, scheduler } = this.#world
    counts.relayed += tasks.length
    const failed = (): void =>
      this.#answered(
        holder,
        tasks.map((task) => ({ task, value: undefined })),
      )
    this.#relays.ask({
      holder,
      failed,
      opened: (finish) => {
        const address = scheduler.addressOf(holder)
        const slowness = slownessOf(this.#world, address, this.address)
        const answers = tasks.map((task) => ({ task, value: this.#ask(address, task) }))
        agenda.in(this.#rng.between(0.1, 40) * slowness, () => {
          if (!finish()) return
          if (slowness > 1) counts.slowlyRelayed += tasks.length
          this.#answered(holder, answers)
        })
      },
    })
  }

  #ask(address: string, task: TaskId): StoredValue | undefined {
    if (this.#rng.chance(this.#world.fetchFailure)) return undefined
    return this.#world.workers.get(address)?.valueOf(task)
  }

  #answered(holder: WorkerId, answers: readonly Answered[]): void {
    if (this.#isGone) return
    const tasks: TaskId[] = []
    const sizes: number[] = []
    const missing: TaskId[] = []
    for (const { task, value } of answers) {
      if (value === undefined) {
        missing.push(task)
        continue
      }
      this.#store.set(task, value)
      tasks.push(task)
      sizes.push(value.sizeBytes)
    }
    this.#world.counts.missing += missing.length
    if (tasks.length > 0) this.#loop.submit({ type: 'values-fetched', holder, tasks, sizes })
    if (missing.length > 0) this.#loop.submit({ type: 'values-missing', holder, tasks: missing })
  }

  /** As its nanny does with a worker that ran out of memory, or ended itself, unless that is to go. */
  #startAgain(): void {
    if (this.#isAskedToGo) return
    const { counts, agenda } = this.#world
    counts.recycled++
    agenda.in(this.#rng.between(0, 100), () => new SimulatedWorker(this.#world, this.name, this.#threads.length))
  }

  #end(): void {
    if (this.#isGone) return
    this.#isGone = true
    this.#world.workers.delete(this.address)
    this.#loop.stop()
    for (const await_ of this.#awaits.values()) await_.lost()
    for (const callOff of this.#questions) callOff()
    for (const thread of [...this.#threads, ...this.#ioThreads.values()]) thread.stop()
    this.leaveTaskClient()
    const connection = this.#connection
    this.#connection = undefined
    connection?.cut()
  }
}

/** How many times longer than usual a value takes from the worker at an address to a member. */
export function slownessOf({ workers, slowness }: World, address: string, to: string): number {
  return Math.max(workers.get(address)?.servesAt ?? 1, slowness.ofWay(address, to))
}

function storedValue(bytes: Uint8Array): StoredValue {
  return { bytes, sizeBytes: bytes.length }
}

function joinOf(name: string, address: string, threads: number): Join {
  return {
    type: 'join',
    name,
    address,
    threads,
    memoryLimitBytes: 1,
    pid: 1,
    host: 'simulated',
    packageVersion: '0',
    nodeVersion: '0',
    incarnation: name,
    resources: [],
    ioTasks: 256,
    tags: [],
    isWatched: true,
    lastDeath: undefined,
  }
}

/** What a running task has of limits. Code that was refused does not run, though it may look so here until that is known. */
function limitsOf(world: World, task: TaskId, { name }: { readonly name: string }): Needs['limits'] {
  return name.startsWith('refused') ? [] : (world.limitsOfTask.get(task) ?? [])
}
