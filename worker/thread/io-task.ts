/**
 * Runs one task among others: it waits for the network or the disk nearly all the time, and meanwhile the others have the
 * thread. Which of them runs is known by the asynchronous context, which follows each through all that it awaits.
 */
import type { TaskRoute } from '../../client/in-task.js'
import { ArgumentReader } from './argument-reader.js'
import type { StopCause } from '../core/stopping.js'
import type { BatchRequest, FunctionPlace, TaskOutcome } from './batch.js'
import type { TaskFunction } from './code.js'
import { identityOf, inTask, runningTask, type TaskAmongOthers } from './current-task.js'
import { SharedParent } from './lending.js'
import { forReply, outcomeOf } from './outcome.js'
import { Reporter } from './reporter.js'
import { RunClock } from './run-clock.js'
import { driveStream, type StreamHost } from './stream.js'
import { reasonOf } from './task-signal.js'
import type { ThreadMessage } from './thread-message.js'

export interface IoHost {
  /** Gives the function of a template, or throws what its tasks fail with. */
  readonly loadFunction: (place: FunctionPlace) => TaskFunction | Promise<TaskFunction>
  /** The task of this slot wants to hear when it is to stop. */
  readonly onListening: (slot: number) => void
  readonly tell: (message: ThreadMessage) => void
  /** How the clients of tasks reach the cluster; `undefined` where tasks can't submit tasks. */
  readonly route: TaskRoute | undefined
}

/** Stands for the outcome of a task that has none. */
const ORPHANED = Symbol('orphaned')

/** The tasks of one worker that share this thread, by their slots. */
export class IoTasks {
  readonly #host: IoHost
  readonly #running = new Map<number, TaskAmongOthers>()

  constructor(host: IoHost) {
    this.#host = host
  }

  /**
   * Never rejects: whatever the task does is its outcome; there is none when what it waits for won't come. `request` is a
   * batch of it alone; its slot is `request.thread`.
   */
  async run(request: BatchRequest): Promise<TaskOutcome | undefined> {
    const template = request.templates[0]!
    const clock = new RunClock()
    const reader = new ArgumentReader(request)
    const result = this.#resultOf(request, reader, clock)
    if ((await result.catch(() => undefined)) === ORPHANED) return undefined
    clock.settled()
    const { kind, values } = await outcomeOf(result, { template, reader, host: this.#host })
    const durationUs = clock.ended()
    return { place: 0, kind, durationUs, values: values.map(forReply), parts: clock.parts }
  }

  /** Aborts the signal of the task in this slot, if one runs there. */
  stop(slot: number, cause: StopCause): void {
    const task = this.#running.get(slot)
    if (task === undefined) return
    // What listens to the signal is the task's own code.
    inTask(task, () => task.controller.abort(reasonOf(cause)))
  }

  async #resultOf(request: BatchRequest, reader: ArgumentReader, clock: RunClock): Promise<unknown> {
    const { thread: slot } = request
    const controller = new AbortController()
    let isListening = false
    const signal = (): AbortSignal => {
      if (!isListening) this.#host.onListening(slot)
      isListening = true
      return controller.signal
    }
    let fail: TaskAmongOthers['fail'] = () => undefined
    let orphan = (): void => undefined
    const cut = new Promise<typeof ORPHANED>((resolve, reject) => {
      orphan = () => resolve(ORPHANED)
      fail = (error) => reject(error as Error) // What a task may throw is anything.
    })
    const ourselves = { taskId: request.taskIds[0]!, attempt: request.attempts[0]!, tell: this.#host.tell }
    let made: Reporter | undefined
    const reporter = (): Reporter => (made ??= new Reporter(ourselves))
    const task: TaskAmongOthers = {
      type: 'among-others',
      identity: identityOf(request, 0),
      slot,
      parent: new SharedParent(
        request,
        () => task.isOver,
        () => {
          orphan()
          inTask(task, () => controller.abort(reasonOf('dropped')))
        },
      ),
      route: this.#host.route,
      signal,
      reporter,
      controller,
      fail,
      isOver: false,
    }
    this.#running.set(slot, task)
    try {
      const run = await this.#host.loadFunction(request.templates[0]!)
      clock.restart()
      const args = reader.argumentsOf(0)
      // It was to stop before it began.
      controller.signal.throwIfAborted()
      clock.called()
      const called = inTask(task, async () => {
        const result = run(...args)
        return request.templates[0]!.isStream
          ? await driveStream(result, this.#streamHost(request, signal()))
          : await result
      })
      return await Promise.race([called, cut])
    } finally {
      task.isOver = true
      this.#running.delete(slot)
    }
  }

  #streamHost({ taskIds, attempts }: BatchRequest, signal: AbortSignal): StreamHost {
    return { task: taskIds[0]!, attempt: attempts[0]!, signal, tell: this.#host.tell }
  }
}

/** The slot of the task whose code runs now, if one's does. */
export function currentIoSlot(): number | undefined {
  const task = runningTask()
  return task?.type === 'among-others' ? task.slot : undefined
}
