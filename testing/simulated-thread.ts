/**
 * A thread of a simulated worker: its tasks are called in the real thread that all share, and take virtual time. Batches are
 * run as worker/thread/run-batch.ts runs them, but for that several of them are under way at once.
 */
import { present } from '../common/assert.js'
import type { TaskId } from '../protocol/ids.js'
import type { BatchEnd, PoolHost, ThreadExit } from '../worker/thread-pool.js'
import { takeAdded } from '../worker/thread/added.js'
import { ArgumentReader } from '../worker/thread/argument-reader.js'
import type { BatchHost, BatchReply, BatchRequest, ThreadTemplate } from '../worker/thread/batch.js'
import { inTask, type RunningTask } from '../worker/thread/current-task.js'
import { LaneWriter, VALUE } from '../worker/thread/lane.js'
import type { Lending } from '../worker/thread/lending.js'
import { forReply, outcomeOf } from '../worker/thread/outcome.js'
import type { Reporter } from '../worker/thread/reporter.js'
import { followLent } from '../worker/thread/run-batch.js'
import { driveStream } from '../worker/thread/stream.js'
import { signalOf, stopListening } from '../worker/thread/task-signal.js'
import type { Actor } from './actor.js'

export interface SimulatedThreadOptions {
  readonly actor: Actor
  readonly threadId: number
  readonly lanes: PoolHost['lanes']
  readonly tell: BatchHost['tell']
  readonly host: Pick<BatchHost, 'loadFunction' | 'route'>
  readonly onRun: (task: TaskId) => void
  /** A run is about to call its function, or has: time passes, and the worker may die. */
  readonly pass: (actor: Actor) => Promise<void>
}

export class SimulatedThread {
  readonly threadId: number
  readonly actor: Actor
  readonly #options: SimulatedThreadOptions
  readonly #host: BatchHost
  /** What runs here, and what is lent. */
  readonly #runs = new Set<Run>()
  /** What was added to its batches, and not taken. */
  readonly #added: BatchRequest[] = []
  #onExit: ((end: BatchEnd) => void) | undefined

  constructor(options: SimulatedThreadOptions) {
    const { threadId, actor, lanes, tell, host } = options
    this.threadId = threadId
    this.actor = actor
    this.#options = options
    this.#host = { threadId, lanes, tell, takeAdded: (behind) => takeAdded(() => this.#added.shift(), behind), ...host }
    actor.onDeath(() => {
      for (const run of this.#runs) stopListening(run)
    })
  }

  get isBusy(): boolean {
    return this.#onExit !== undefined
  }

  /** Never rejects: whatever a task does is its outcome. */
  async run(batch: BatchRequest): Promise<BatchEnd> {
    const exited = new Promise<BatchEnd>((resolve) => (this.#onExit = resolve))
    const replied = this.actor.run(async (): Promise<BatchEnd> => ({ type: 'replied', reply: await this.#run(batch) }))
    const end = await Promise.race([replied, exited])
    this.#onExit = undefined
    return end
  }

  extend(added: BatchRequest): void {
    this.#added.push(added)
  }

  /** It ends with all that runs in it. */
  terminate(): void {
    this.actor.kill()
    const { threadId } = this
    this.#onExit?.({ type: 'exited', threadId, wasTerminated: true, ...TERMINATED })
  }

  async #run(request: BatchRequest): Promise<BatchReply> {
    const lane = new LaneWriter(present(this.#host.lanes[request.thread], 'the lane of a slot'))
    let batch = request
    let reader = new ArgumentReader(batch)
    while (lane.hasRoom && reader.hasInputsOf(lane.next - batch.first)) {
      const claimed = lane.claim(batch.first + batch.taskIds.length)
      if (claimed === undefined) {
        const added = this.#host.takeAdded(batch)
        if (added === undefined) break
        batch = added
        reader = new ArgumentReader(batch, reader)
        continue
      }
      const place = claimed - batch.first
      const template = batch.templates[batch.templateOf[place]!]!
      const run = new Run(batch, place, lane, this.#host)
      this.#runs.add(run)
      if (template.timeoutMs > 0) lane.began(claimed)
      const startedAtMs = performance.now()
      const promised = inTask(run, () => this.#call(run, template, reader))
      const outcome = outcomeOf(Promise.race([promised, run.failed]), { template, reader, host: this.#host })
      await Promise.race([outcome, run.left])
      if (run.lending?.isLent === true) {
        void followLent(run, promised, template, reader, 0).then(() => this.#runs.delete(run))
        break
      }
      const { kind, values } = await outcome
      run.isOver = true
      stopListening(run)
      this.#runs.delete(run)
      const durationUs = Math.round((performance.now() - startedAtMs) * 1_000)
      const isWritten =
        kind === VALUE && template.outputs > 0
          ? lane.tryWriteOutputs(claimed, durationUs, values)
          : lane.tryWrite(claimed, kind, durationUs, values[0]!)
      if (!isWritten) {
        lane.ended()
        return { large: { place: claimed, kind, durationUs, values: values.map(forReply) } }
      }
      if (kind === VALUE && template.outputs === 0) reader.keep(place, values[0]!)
      if (lane.shouldTell()) this.#host.tell({ type: 'doorbell', thread: batch.thread })
    }
    return { large: undefined }
  }

  async #call(run: Run, template: ThreadTemplate, reader: ArgumentReader): Promise<unknown> {
    const { batch, place } = run
    const task = batch.taskIds[place]!
    this.#options.onRun(task)
    await this.#options.pass(this.actor)
    const call = await this.#host.loadFunction(template)
    const result = call(...reader.argumentsOf(place))
    const attempt = batch.attempts[place]!
    const { tell } = this.#host
    const value = template.isStream
      ? await driveStream(result, { task, attempt, signal: signalOf(run), tell })
      : await result
    await this.#options.pass(this.actor)
    return value
  }
}

/** How it ends when it is told to. */
export const TERMINATED: ThreadExit = Object.freeze({
  exitCode: 1,
  reason: 'its thread was terminated',
  isOutOfMemory: false,
})

/** One run of a task. It leaves its batch when it waits for tasks that it submitted. */
class Run implements RunningTask {
  readonly type = 'alone'
  readonly batch: BatchRequest
  readonly place: number
  readonly lane: LaneWriter
  readonly host: BatchHost
  /** Resolves when the batch is to go on without it. */
  readonly left: Promise<void>
  /** Rejects with what a callback of it threw. */
  readonly failed: Promise<never>
  isOver = false
  controller: AbortController | undefined
  reporter: Reporter | undefined
  fail: ((error: unknown) => void) | undefined
  #leave: () => void = () => undefined
  #lending: Lending | undefined

  constructor(batch: BatchRequest, place: number, lane: LaneWriter, host: BatchHost) {
    this.batch = batch
    this.place = place
    this.lane = lane
    this.host = host
    this.left = new Promise((resolve) => (this.#leave = resolve))
    this.failed = new Promise((_, reject) => (this.fail = reject))
  }

  get lending(): Lending | undefined {
    return this.#lending
  }

  set lending(lending: Lending | undefined) {
    this.#lending = lending
    lending?.onAwaited(this.#leave)
  }
}
