/** A worker's thread: runs a batch one task after another, each for a random time, and tells of outcomes now and then. */
import assert from 'node:assert/strict'
import { present } from '../../common/assert.js'
import { entryOf, Packer } from '../../common/packed.js'
import type { Rng } from '../../common/rng.js'
import { outputOf, type TaskId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import type { BatchTask } from '../../worker/core/instructions.js'
import type { Agenda } from '../../testing/agenda.js'
import {
  addUp,
  areUnforeseen,
  CHILD_LOST,
  childrenOf,
  decodeNumber,
  encodeNumber,
  evaluate,
  isOutputLarge,
  mix,
  OPERATIONS,
  outputNumber,
  type Child,
  type Operation,
  type Pace,
  type Result,
} from './expression.js'
import type { Unstamped } from './loop.js'
import { streamedNumber } from './simulated-reader.js'
import type { Brought } from './simulated-task-client.js'

/** What a large value counts as. */
export const LARGE_BYTES = MAX_INLINE_RESULT_BYTES + 1

/** What is endless ends after all where nothing can stop it, long after every time-out and every grace. */
const ENDLESS_MS = 3_000

export interface StoredValue {
  readonly bytes: Uint8Array
  readonly sizeBytes: number
}

/** An input that the task at this place of the same batch makes. */
export interface MadeInput {
  readonly maker: number
}

/** A task with the inputs it had when its batch began, and those that others of it make. */
export interface Job {
  readonly task: BatchTask
  readonly inputs: readonly (StoredValue | MadeInput)[]
}

interface Ended {
  readonly place: number
  readonly durationUs: number
  readonly result: Exclude<Result, { readonly type: 'exit' | 'endless' }>
  readonly mayRetry: boolean
}

export interface ThreadOptions {
  readonly agenda: Agenda
  readonly rng: Rng
  readonly thread: number
  /** How many times longer than usual tasks take. */
  readonly slowness: number
  readonly submit: (event: Unstamped<WorkerEvent>) => void
  readonly keep: (id: TaskId, value: StoredValue) => void
  /** Can it be terminated? */
  readonly canTerminate: boolean
  readonly onRun: (task: TaskId) => void
  readonly onBegin: (task: BatchTask) => void
  readonly onEnd: (task: BatchTask) => void
  /** The thread is gone with what it ran. */
  readonly onExit?: () => void
  /** How often flaky tasks have failed. */
  readonly flakes: Map<TaskId, number>
  /** For what streams give, and when. */
  readonly streamRng: Rng
  /** A task submits others, and waits for their values. */
  readonly submitChildren: (parent: BatchTask, children: readonly Child[], done: (brought: Brought) => void) => void
}

/** The stream that runs. */
interface RunningStream {
  readonly task: BatchTask
  readonly count: number
  /** So many values may be on their way. */
  readonly window: number
  given: number
  taken: number
  isGiving: boolean
}

/** What tells an attempt from all others. */
type Named = Pick<BatchTask, 'task' | 'attempt'>

/** A task that waits, or waited, for others. */
interface Lent {
  readonly task: BatchTask
  readonly sinceMs: number
}

export class SimulatedThread {
  readonly #options: ThreadOptions
  #jobs: readonly Job[] = []
  /** What tasks of the batch gave, by place. */
  readonly #made = new Map<number, StoredValue>()
  /** The next place that is not claimed. */
  #cursor = 0
  /** Places from here on were taken back. */
  #end = 0
  #isTakenBack = false
  #ended: Ended[] = []
  #isTold = false
  #isStopped = false
  #isBusy = false
  #isHanging = false
  /** Numbers the batches. */
  #run = 0
  /** The place whose task was to stop before it listened: a stream hears of it as it begins. */
  #stopped: number | undefined
  /** The place that runs. */
  #running: number | undefined
  #beganAtMs = 0
  #stream: RunningStream | undefined
  readonly #lent = new Set<Lent>()
  /** The batch whose task awaits others, and keeps its slot. */
  #awaitingRun: number | undefined

  constructor(options: ThreadOptions) {
    this.#options = options
  }

  run(jobs: readonly Job[]): void {
    assert(!this.#isBusy, `thread ${this.#options.thread} was given a batch while it runs one`)
    this.#isBusy = true
    this.#run++
    this.#jobs = jobs
    this.#made.clear()
    this.#cursor = 0
    this.#stopped = undefined
    this.#end = jobs.length
    this.#isTakenBack = false
    const { agenda, rng } = this.#options
    const run = this.#run
    agenda.in(rng.between(0, 0.3), () => {
      // The thread may have gone before it began, with others that share it.
      if (this.#run === run && this.#isBusy) this.#next()
    })
  }

  /** These come to the batch from place `first` on, unless it has ended by the time they are here. */
  extend(jobs: readonly Job[], first: number, onHere: (isInTime: boolean) => void): void {
    const { agenda, rng } = this.#options
    const run = this.#run
    agenda.in(rng.between(0, rng.pick([0.3, 0.3, 5])!), () => {
      if (this.#isStopped) return
      const isSame = this.#run === run && this.#isBusy && !this.#isTakenBack
      // What was added before these may have come too late.
      const isInTime = isSame && first === this.#jobs.length
      if (isInTime) {
        this.#jobs = [...this.#jobs, ...jobs]
        this.#end = this.#jobs.length
      }
      onHere(isInTime)
    })
  }

  /** Keeps the thread from claiming more. Returns how many it was kept from. */
  takeBack(): number {
    const cut = Math.max(0, this.#end - this.#cursor)
    this.#end = Math.min(this.#end, this.#cursor)
    this.#isTakenBack = true
    this.#options.submit({ type: 'batch-cut', thread: this.#options.thread, firstUnstarted: this.#cursor })
    return cut
  }

  /** The thread ends, whatever it runs. What it wrote before is read. */
  terminate(): void {
    const { agenda, rng } = this.#options
    const run = this.#run
    agenda.in(rng.between(0, 10), () => {
      if (this.#isStopped || !this.#isBusy || this.#run !== run) return // It ended just before.
      this.#exit(this.#running, 1)
    })
  }

  /** Tells the task at `place` to end, if it listens. It then does, sooner or later. */
  askToStop(place: number, { isListening, canTerminate }: { isListening: boolean; canTerminate: boolean }): void {
    const { agenda, rng, thread, submit } = this.#options
    if (!this.#isBusy) return
    this.#tell()
    const run = this.#run
    const end = (): void => {
      if (this.#run === run && this.#running === place) this.#taskEnded(place, 1)
    }
    if (isListening) agenda.in(rng.between(0, 20), end)
    else this.#stopped = place
    submit({ type: 'stop-asked', thread, wasTold: isListening, canTerminate })
  }

  /** How long has the task at `place` run? */
  lookAtRun(place: number): void {
    const { agenda, thread, submit } = this.#options
    if (!this.#isBusy) return
    this.#tell()
    const ranMs = this.#running === place ? agenda.nowMs - this.#beganAtMs : undefined
    submit({ type: 'run-looked-at', thread, ranMs })
  }

  /** Native code holds it: it neither ends nor can be ended. */
  hang(): void {
    // It may have ended just before.
    if (this.#isBusy) this.#isHanging = true
  }

  /** Streams always listen whether they are to stop. */
  get isStreaming(): boolean {
    return this.#stream !== undefined
  }

  /** So many values of a stream were taken, which may run here. */
  onTaken({ task, attempt, taken }: Pick<BatchTask, 'task' | 'attempt'> & { readonly taken: number }): void {
    const stream = this.#stream
    if (stream?.task.task !== task || stream.task.attempt !== attempt || this.#running === undefined) return
    stream.taken = Math.max(stream.taken, taken)
    if (!stream.isGiving) this.#giveSoon(stream)
  }

  /** It gives one value after another as far as its window goes, and ends when all were taken. */
  #giveSoon(stream: RunningStream): void {
    const { agenda, streamRng: rng, submit } = this.#options
    const run = this.#run
    stream.isGiving = true
    agenda.in(rng.between(0, 0.5), () => {
      stream.isGiving = false
      const place = this.#running
      if (this.#run !== run || this.#stream !== stream || place === undefined || this.#isStopped) return
      const { task, attempt } = stream.task
      while (stream.given < stream.count && stream.given - stream.taken < stream.window) {
        const index = stream.given++
        const value = encodeNumber(streamedNumber(stream.count, index))
        submit({ type: 'stream-chunk', task, attempt, index, value })
        if (rng.chance(0.1)) return this.#giveSoon(stream)
      }
      if (stream.taken === stream.count) this.#taskEnded(place, agenda.nowMs - this.#beganAtMs)
    })
  }

  /** The task says how far it is, in the midst of its run. */
  #reportSoon(durationMs: number): void {
    const { agenda, streamRng: rng, submit } = this.#options
    const run = this.#run
    const place = this.#running
    agenda.in(rng.between(0, durationMs), () => {
      if (this.#isStopped || this.#run !== run || this.#running !== place || place === undefined) return
      const { task, attempt, start } = this.#jobs[place]!.task
      submit({ type: 'task-reported', task, attempt, fraction: 1 / (1 + start), note: '' })
    })
  }

  stop(): void {
    this.#isStopped = true
    this.#endRunning()
    for (const { task } of this.#lent) this.#options.onEnd(task)
    this.#lent.clear()
  }

  /** Another task ended the thread that this one shares with it. */
  exitWithOthers(): void {
    if (!this.#isBusy || this.#isStopped) return
    const { thread, submit } = this.#options
    this.#tell()
    this.#isBusy = false
    this.#endRunning()
    submit({
      type: 'thread-exited',
      thread,
      culprit: undefined,
      firstUnstarted: 1,
      exitCode: 1,
      reason: 'exit',
      isOutOfMemory: false,
    })
  }

  #endRunning(): void {
    if (this.#running !== undefined) this.#options.onEnd(this.#jobs[this.#running]!.task)
    this.#running = undefined
    this.#stream = undefined
  }

  /** Tells a task that is lent to end. It does, sooner or later, if it listens. */
  askLentToStop(named: Named, isListening: boolean): void {
    const lent = this.#findLent(named)
    const { agenda, rng } = this.#options
    if (lent !== undefined && isListening) agenda.in(rng.between(0, 20), () => this.#endLent(lent, undefined))
  }

  /** The thread ends with what is lent in it, if the task is. */
  terminateLent(named: Named): void {
    if (this.#findLent(named) === undefined) return
    const { agenda, rng } = this.#options
    agenda.in(rng.between(0, 10), () => {
      if (this.#isStopped || this.#findLent(named) === undefined) return
      if (this.#isBusy) this.#exit(undefined, 1)
      else this.#loseLent()
    })
  }

  /** Two attempts of one task may wait on two threads. */
  #findLent({ task: id, attempt }: Named): Lent | undefined {
    return [...this.#lent].find(({ task }) => task.task === id && task.attempt === attempt)
  }

  /** The task leaves its batch, and the batch ends. */
  #lend(place: number, children: readonly Child[]): void {
    this.#running = undefined
    this.#tell()
    const { agenda, rng, thread, submit, submitChildren, canTerminate } = this.#options
    const { task } = this.#jobs[place]!
    const lent: Lent = { task, sinceMs: agenda.nowMs }
    this.#lent.add(lent)
    submit({ type: 'task-lent', thread, place, ranMs: agenda.nowMs - this.#beganAtMs, canTerminate })
    submitChildren(task, children, (brought) => {
      if (!this.#lent.has(lent)) return
      // Nobody wants what its code makes of that.
      if (brought === 'orphaned') submit({ type: 'lent-orphaned', task: task.task, attempt: task.attempt })
      const numbers = typeof brought === 'string' ? undefined : brought
      submit({ type: 'lent-awaits', task: task.task, attempt: task.attempt, isAwaiting: false })
      // It has something left to do.
      agenda.in(rng.between(0, 3), () => this.#endLent(lent, numbers))
    })
    this.#endBatch()
  }

  #endLent(lent: Lent, numbers: readonly number[] | undefined): void {
    if (this.#isStopped || !this.#lent.delete(lent)) return
    const { task } = lent
    this.#options.onEnd(task)
    const { outputs } = task.template
    const values = new Packer()
    const sizes: number[] = []
    const add = (number: number, id: TaskId | undefined): void => {
      const bytes = encodeNumber(number)
      sizes.push(bytes.length)
      values.add(bytes)
      if (id !== undefined) this.#options.keep(id, { bytes, sizeBytes: bytes.length })
    }
    const number = numbers === undefined ? undefined : addUp(numbers)
    if (number === undefined) add(CHILD_LOST, undefined)
    else if (outputs === 0) add(number, task.task)
    else for (let i = 0; i < outputs; i++) add(outputNumber(number, i), outputOf(task.task, i))
    const outcomes = {
      places: sizes.map(() => 0),
      threw: new Map(number === undefined ? [[0, 'may-retry' as const]] : []),
      durationsUs: sizes.map(() => Math.round((this.#options.agenda.nowMs - lent.sinceMs) * 1_000)),
      sizes,
      values: values.take(),
    }
    this.#options.submit({ type: 'lent-ended', task: task.task, attempt: task.attempt, outcomes })
  }

  #loseLent(): void {
    if (this.#lent.size === 0) return
    const tasks = [...this.#lent].map(({ task: { task, attempt } }) => ({ task, attempt }))
    for (const { task } of this.#lent) this.#options.onEnd(task)
    this.#lent.clear()
    this.#options.submit({
      type: 'lent-lost',
      tasks,
      hasCulprit: false,
      exitCode: 1,
      reason: 'exit',
      isOutOfMemory: false,
    })
  }

  /** A task that takes no thread waits where it is. */
  #awaitChildren(place: number, children: readonly Child[], durationMs: number): void {
    const { task } = this.#jobs[place]!
    const run = this.#run
    this.#awaitingRun = run
    this.#options.submitChildren(task, children, (brought) => {
      if (this.#run !== run || this.#running !== place || this.#isStopped) return
      if (brought === 'orphaned') return this.#giveBack(place)
      const result: Ended['result'] =
        brought === 'failed'
          ? { type: 'error', number: CHILD_LOST }
          : { type: 'value', number: addUp(brought), isLarge: false }
      this.#finish(place, result, durationMs)
    })
  }

  /** It begins again, somewhere. */
  #giveBack(place: number): void {
    this.#endRunning()
    this.#cursor = place
    this.#endBatch()
  }

  /** `undefined` when a task that was to make one of them gave no value here. */
  #inputsOf(place: number): readonly StoredValue[] | undefined {
    const found: StoredValue[] = []
    for (const input of this.#jobs[place]!.inputs) {
      const value = 'maker' in input ? this.#made.get(input.maker) : input
      if (value === undefined) return undefined
      found.push(value)
    }
    return found
  }

  /** The main thread wants to know what was done. */
  hurry(): void {
    this.#tell()
  }

  #next(): void {
    if (this.#isStopped) return
    const inputs = this.#cursor < this.#end ? this.#inputsOf(this.#cursor) : undefined
    if (inputs === undefined) {
      this.#endBatch()
      return
    }
    const place = this.#cursor++
    this.#running = place
    const { task } = this.#jobs[place]!
    const isEndless = resultOf(task, inputs).type === 'endless'
    const durationMs = isEndless ? ENDLESS_MS : this.#drawDurationMs(task.template) * this.#options.slowness
    this.#beganAtMs = this.#options.agenda.nowMs
    this.#options.onBegin(task)
    this.#options.onRun(task.task)
    if (this.#options.streamRng.chance(0.05)) this.#reportSoon(durationMs)
    if (task.template.isStream && this.#stopped === place) return this.#taskEnded(place, 0)
    if (task.template.isStream) {
      const window = this.#options.streamRng.pick([1, 3, 64])!
      const count = decodeNumber(entryOf(task.args, task.place))
      this.#stream = { task, count, window, given: 0, taken: 0, isGiving: false }
      return this.#giveSoon(this.#stream)
    }
    const run = this.#run
    this.#options.agenda.in(durationMs, () => {
      if (this.#run === run && this.#running === place) this.#taskEnded(place, durationMs)
    })
  }

  #taskEnded(place: number, durationMs: number): void {
    if (this.#isStopped || this.#isHanging) return
    const { task } = this.#jobs[place]!
    const inputs = present(this.#inputsOf(place), 'the inputs of a task that runs')
    if (task.template.exportName === 'nest' && !areUnforeseen(numbersOf(task, inputs)[2])) {
      const children = childrenOf(mixedOf(task, inputs))
      if (!task.template.isIo) this.#lend(place, children)
      else if (this.#awaitingRun !== this.#run) this.#awaitChildren(place, children, durationMs)
      else this.#finish(place, { type: 'error', number: CHILD_LOST }, durationMs)
      return
    }
    const result = this.#resultNow(task, inputs)
    if (result.type === 'exit') {
      this.#endRunning()
      this.#exit(place, this.#options.rng.integer(-1, 300), result.isOutOfMemory)
      return
    }
    this.#finish(place, result, durationMs)
  }

  #finish(place: number, result: Ended['result'], durationMs: number): void {
    this.#endRunning()
    const mayRetry = this.#jobs[place]!.task.template.exportName !== 'fatal'
    this.#ended.push({ place, durationUs: Math.round(durationMs * 1_000), result, mayRetry })
    if (result.type === 'value' && !result.isLarge && this.#jobs[place]!.task.template.outputs === 0) {
      const bytes = encodeNumber(result.number)
      this.#made.set(place, { bytes, sizeBytes: bytes.length })
    }
    if (result.type === 'value' && result.isLarge) this.#endBatch()
    else {
      this.#tellSoon()
      this.#next()
    }
  }

  /** What a run gives that ends now: of a flaky task perhaps an error, of an endless one that nothing stopped its value. */
  #resultNow(task: BatchTask, inputs: readonly StoredValue[]): Exclude<Result, { readonly type: 'endless' }> {
    const { flakes } = this.#options
    const result = resultOf(task, inputs)
    if (result.type === 'endless') return { type: 'value', number: result.number, isLarge: false }
    const failures = flakes.get(task.task) ?? 0
    if (result.type !== 'value' || failures >= (result.failures ?? 0)) return result
    flakes.set(task.task, failures + 1)
    return { type: 'error', number: result.number }
  }

  #exit(culprit: number | undefined, exitCode: number, isOutOfMemory = false): void {
    this.#tell()
    this.#isBusy = false
    this.#endRunning()
    const { thread, submit, onExit } = this.#options
    submit({
      type: 'thread-exited',
      thread,
      culprit,
      firstUnstarted: this.#cursor,
      exitCode,
      reason: 'exit',
      isOutOfMemory,
    })
    this.#loseLent()
    onExit?.()
  }

  #endBatch(): void {
    this.#tell()
    this.#isBusy = false
    this.#options.submit({ type: 'batch-ended', thread: this.#options.thread, firstUnstarted: this.#cursor })
  }

  #tellSoon(): void {
    if (this.#isTold) return
    this.#isTold = true
    const { agenda, rng } = this.#options
    agenda.in(rng.between(0, 0.5), () => this.#tell())
  }

  /** Outcomes reach the worker's main thread: values go into its store, and its core hears of them. */
  #tell(): void {
    this.#isTold = false
    if (this.#isStopped || this.#ended.length === 0) return
    const ended = this.#ended
    this.#ended = []
    const values = new Packer()
    const sizes: number[] = []
    const threw = new Map<number, 'may-retry' | 'final'>()
    const places: number[] = []
    const durationsUs: number[] = []
    for (const { place, durationUs, result, mayRetry } of ended) {
      const { task, template } = this.#jobs[place]!.task
      const add = (number: number, isLarge: boolean, id: TaskId | undefined): void => {
        const bytes = encodeNumber(number)
        const sizeBytes = isLarge ? LARGE_BYTES : bytes.length
        places.push(place)
        durationsUs.push(durationUs)
        sizes.push(sizeBytes)
        values.add(isLarge ? new Uint8Array(0) : bytes)
        if (id !== undefined) this.#options.keep(id, { bytes, sizeBytes })
      }
      if (result.type === 'error') {
        threw.set(places.length, mayRetry ? 'may-retry' : 'final')
        add(result.number, false, undefined)
      } else if (template.outputs === 0) add(result.number, result.isLarge, task)
      for (let output = 0; result.type === 'value' && output < template.outputs; output++) {
        add(outputNumber(result.number, output), result.isLarge && isOutputLarge(output), outputOf(task, output))
      }
    }
    const outcomes = { places, threw, durationsUs, sizes, values: values.take() }
    this.#options.submit({ type: 'tasks-ended', thread: this.#options.thread, outcomes })
  }

  #drawDurationMs({ name, isStream }: BatchTask['template']): number {
    if (isStream) return 0 // As long as its reader takes.
    const { rng } = this.#options
    const pace = name.slice(name.indexOf('-') + 1) as Pace
    switch (pace) {
      case 'instant':
        return rng.between(0, 0.01)
      case 'brisk':
        return rng.between(0.02, 0.2)
      case 'short':
        return rng.between(0.1, 2)
      case 'long':
        return rng.between(5, 200)
      case 'erratic':
        return rng.chance(0.02) ? rng.between(50, 500) : rng.between(0, 0.05)
    }
  }
}

/** Works the task out from the bytes that came with it, and nothing else. */
function resultOf(task: BatchTask, inputs: readonly StoredValue[]): Result {
  const { exportName, isStream } = task.template
  if (isStream) return { type: 'value', number: decodeNumber(entryOf(task.args, task.place)), isLarge: false }
  const operation = [...OPERATIONS, 'nest' as const].find((known) => known === exportName)
  assert(operation !== undefined, `no operation "${exportName}"`)
  return evaluate(operation satisfies Operation, ...numbersOf(task, inputs))
}

function mixedOf(task: BatchTask, inputs: readonly StoredValue[]): number {
  return mix(...numbersOf(task, inputs))
}

function numbersOf(
  { template, args, place }: BatchTask,
  inputs: readonly StoredValue[],
): [constant: number, argument: number, inputs: number[]] {
  const constant = template.constants.length === 0 ? 0 : decodeNumber(template.constants)
  return [constant, decodeNumber(entryOf(args, place)), inputs.map(({ bytes }) => decodeNumber(bytes))]
}
