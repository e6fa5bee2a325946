/**
 * Runs one task among others: it waits for the network or the disk nearly all the time, and meanwhile the others have the
 * thread. Which of them runs is known by the asynchronous context, which follows each through all that it awaits.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { encodeValue } from '../../protocol/values/encode.js'
import { ArgumentReader } from './argument-reader.js'
import type { StopCause } from '../core/stopping.js'
import type { BatchRequest, FunctionPlace, TaskOutcome } from './batch.js'
import { explainMissingPackage, type TaskFunction } from './code.js'
import { identityOf, knowTasksAmongOthers, type TaskAmongOthers } from './current-task.js'
import { VALUE, type OutcomeKind } from './lane.js'
import { encodeOutputs } from './outputs.js'
import { failureOf, forReply, RESULT } from './run-batch.js'
import { driveStream, type StreamHost } from './stream.js'
import { reasonOf } from './task-signal.js'
import type { ThreadMessage } from './thread-message.js'

export interface IoHost {
  /** Gives the function of a template, or throws what its tasks fail with. */
  readonly loadFunction: (place: FunctionPlace) => TaskFunction | Promise<TaskFunction>
  /** The task of this slot wants to hear when it is to stop. */
  readonly onListening: (slot: number) => void
  readonly tell: (message: ThreadMessage) => void
}

interface RunningIoTask extends TaskAmongOthers {
  readonly controller: AbortController
  /** Takes an exception that nothing else caught for its outcome. */
  readonly fail: (error: unknown) => void
  isOver: boolean
}

const contexts = new AsyncLocalStorage<RunningIoTask | undefined>()
knowTasksAmongOthers(() => contexts.getStore())

/** The tasks of one worker that share this thread, by their slots. */
export class IoTasks {
  readonly #host: IoHost
  readonly #running = new Map<number, RunningIoTask>()

  constructor(host: IoHost) {
    this.#host = host
  }

  /** Never rejects: whatever the task does is its outcome. `request` is a batch of it alone; its slot is `request.thread`. */
  async run(request: BatchRequest): Promise<TaskOutcome> {
    const template = request.templates[0]!
    const startedAtMs = performance.now()
    const reader = new ArgumentReader(request)
    let kind: OutcomeKind = VALUE
    let values: readonly Uint8Array[]
    try {
      const run = await this.#host.loadFunction(template)
      const result = await this.#resultOf(run, reader.argumentsOf(0), request)
      const change = reader.takeChange()
      if (change !== undefined) throw change
      values = template.outputs === 0 ? [encodeValue(result, RESULT)] : encodeOutputs(result, template.outputs)
    } catch (error) {
      explainMissingPackage(error)
      const failed = await failureOf(reader.takeChange() ?? error, template, this.#host)
      kind = failed.kind
      values = [failed.value]
    }
    const durationUs = Math.round((performance.now() - startedAtMs) * 1_000)
    return { place: 0, kind, durationUs, values: values.map(forReply) }
  }

  /** Aborts the signal of the task in this slot, if one runs there. */
  stop(slot: number, cause: StopCause): void {
    const task = this.#running.get(slot)
    if (task === undefined) return
    // What listens to the signal is the task's own code.
    contexts.run(task, () => task.controller.abort(reasonOf(cause)))
  }

  async #resultOf(run: TaskFunction, args: readonly unknown[], request: BatchRequest): Promise<unknown> {
    const { thread: slot } = request
    const controller = new AbortController()
    let isListening = false
    const signal = (): AbortSignal => {
      if (!isListening) this.#host.onListening(slot)
      isListening = true
      return controller.signal
    }
    let fail: RunningIoTask['fail'] = () => undefined
    // What a task may throw is anything.
    const crashed = new Promise<never>((_, reject) => (fail = (error) => reject(error as Error)))
    const task: RunningIoTask = { identity: identityOf(request, 0), slot, signal, controller, fail, isOver: false }
    this.#running.set(slot, task)
    try {
      const called = contexts.run(task, async () => {
        const result = run(...args)
        return request.templates[0]!.isStream
          ? await driveStream(result, this.#streamHost(request, signal()))
          : await result
      })
      return await Promise.race([called, crashed])
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
  return contexts.getStore()?.slot
}

/** An exception that was thrown by a callback of a task, and that nobody caught. Returns false when it is no task's. */
export function failCurrentIoTask(error: unknown): boolean {
  const task = contexts.getStore()
  if (task === undefined || task.isOver) return false
  task.fail(error)
  return true
}

/** What is called here is no part of the task that may have led to it. */
export function outsideIoTasks<T>(call: () => T): T {
  return contexts.run(undefined, call)
}
