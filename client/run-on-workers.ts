/** A function that runs once on every worker, beside what else runs there. */
import { TimeoutError } from '../protocol/errors.js'
import { RUN_ON_WORKERS_WAIT_MS } from '../protocol/limits.js'
import { interruptible } from './interruptible.js'
import { checkOptionNames, checkTimeout, describe, invalidOption } from './options.js'
import type { PreloadedName } from './preloaded.js'
import type { Session } from './session.js'
import { placesOf } from './task-array.js'
import type { TaskFuture } from './task-future.js'
import { completeTaskOptions, type ResolvedTaskOptions, type TaskOptions } from './task-options.js'
import type { TaskFunction } from './templates.js'

/** Options of {@link Client.runOnWorkers}. */
export interface RunOnWorkersOptions {
  /** Names or addresses of the workers to run it on. Default: all that are there. */
  readonly workers?: readonly string[] | undefined
  /** Gives up with a `TimeoutError` after so many milliseconds, and cancels what has not ended. */
  readonly timeoutMs?: number | undefined
}

interface Run {
  readonly session: Session
  readonly fn: TaskFunction | PreloadedName
  readonly options: RunOnWorkersOptions
  readonly base: ResolvedTaskOptions
  /** What the error about a function that can't travel leaves out of its stack. */
  readonly caller: TaskFunction
}

export async function runOnWorkers({ session, fn, options, base, caller }: Run): Promise<Record<string, unknown>> {
  checkOptionNames('client.runOnWorkers()', options, ['workers', 'timeoutMs'])
  const { workers, timeoutMs } = options
  checkTimeout(timeoutMs)
  const names = (await namesOf(session, workers)).sort()
  const timeOut = new AbortController()
  const signal = base.signal === undefined ? timeOut.signal : AbortSignal.any([base.signal, timeOut.signal])
  const futures = names.map((name) => {
    // A task without a thread runs at once, whatever the threads are at; and it may run nowhere else.
    const needs: TaskOptions = { workers: [name], allowOtherWorkers: false, resources: { threads: 0 }, signal }
    const given = { ...needs, queueTimeoutMs: RUN_ON_WORKERS_WAIT_MS }
    const task = completeTaskOptions(given, { ...base, key: undefined, pure: false })
    return session.submit(fn as TaskFunction, [], caller, task) as TaskFuture<unknown>
  })
  const timedOut = (): Error => {
    const late = names.filter((_, place) => futures[place]!.status === 'pending')
    const error = new TimeoutError(
      `The function did not end in ${timeoutMs} ms on ${late.join(', ')}; see "heddle logs", or wait longer.`,
    )
    timeOut.abort(error)
    return error
  }
  try {
    const values = await interruptible(session.gather(placesOf(futures), 'throw'), { timeoutMs, timedOut })
    return Object.fromEntries(names.map((name, place) => [name, values[place]]))
  } finally {
    for (const future of futures) future.release()
  }
}

async function namesOf(session: Session, given: readonly string[] | undefined): Promise<string[]> {
  if (given !== undefined && (!Array.isArray(given) || given.some((name) => typeof name !== 'string'))) {
    throw invalidOption(`workers is ${describe(given)}; give a list of names or addresses of workers.`)
  }
  const { workers } = await session.status()
  if (given === undefined) return workers.filter(({ isLeaving }) => !isLeaving).map(({ name }) => name)
  const found = given.map((each) => workers.find(({ name, address }) => name === each || address === each))
  const unknown = given.filter((_, place) => found[place] === undefined)
  if (unknown.length > 0) {
    throw invalidOption(`There is no worker ${unknown.map(describe).join(', ')}; client.info() lists them.`)
  }
  return [...new Set(found.map((worker) => worker!.name))]
}
