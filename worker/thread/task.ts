/**
 * What a task can learn about itself: `import { task } from 'heddle/task'`, inside the function that runs as a task.
 *
 * @module heddle/task
 */
import { HeddleError } from '../../protocol/errors.js'
import type { Client } from '../../client/client.js'
import { currentTask, runningTask, tellTasksApart, type TaskIdentity } from './current-task.js'
import { localOf, type LocalOptions } from './locals.js'
import { Reporter } from './reporter.js'
import { clientOf } from './task-client.js'
import { signalOf } from './task-signal.js'

export type { LocalOptions }

/** The task that runs, as its own code sees it. */
export interface Task {
  /** Its key, unique in the cluster. */
  readonly key: string
  /** What it is called on the status page: the name of its function, unless another was given. */
  readonly name: string
  /** 1 for its first run, and one more for every further start, whatever the reason. */
  readonly attempt: number
  /** The name of the worker that runs it. */
  readonly worker: string
  /**
   * Aborts when the task is cancelled, dropped or out of time: pass it to what takes a signal, such as `fetch`, and the task ends by itself. A task
   * that never reads this has no grace: its thread is stopped at once.
   */
  readonly signal: AbortSignal
  /**
   * A client of the cluster that runs this task: what it submits are children of the task. While the task awaits one of
   * their futures its thread runs others, the children before all, so that any depth works on any number of threads.
   *
   * Children are let go of when the task ends, and cancelled with it. They have its priority unless told otherwise. A task
   * that starts again, because its worker was lost, finds those that it had submitted: the same code with the same
   * arguments, in the same order, is not run twice. Closing this client does nothing; it is the thread's.
   *
   * @throws {HeddleError} `ERR_HEDDLE_OUTSIDE_TASK` outside a task.
   * @example
   * ```ts
   * const sum = client.submit(async (numbers: number[]) => {
   *   const { task } = await import('heddle/task')
   *   const client = task.client()
   *   const squares = client.map((n: number) => n * n, numbers)
   *   return (await client.gather(squares)).reduce((a, b) => a + b, 0)
   * }, [1, 2, 3])
   * ```
   */
  client(): Client
  /**
   * Says how far the task is: `fraction` from 0 (nothing is done) to 1 (all is), and a `note` if you like, of which the first
   * 500 characters are kept. Whoever holds the task's future hears it by `future.progress`; `progress()`, `explain` and the
   * status page show it. The latest counts: of frequent reports (beyond four at once, and four a second) those in between are
   * left out, so that a loop may report as often as it likes.
   *
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when `fraction` is not from 0 to 1.
   * @throws {HeddleError} `ERR_HEDDLE_OUTSIDE_TASK` outside a task.
   * @example
   * ```ts
   * const rows = client.submit(async (pages: number) => {
   *   const { task } = await import('heddle/task')
   *   for (let page = 0; page < pages; page++) task.report(page / pages, `page ${page}`)
   *   return pages * 50
   * }, 40)
   * for await (const { fraction, note } of rows.progress) console.log(fraction, note)
   * ```
   */
  report(fraction: number, note?: string): void
  /**
   * A value that tasks share as long as their thread lives, such as a connection: what `create` returned when a task of
   * this thread first asked for that name, a promise too. Each thread has its own. An error of `create` reaches whoever
   * asked, and the next to ask has it made again.
   *
   * When the worker ends in order, the value is disposed of: by `dispose`, if given, else by the first of
   * `[Symbol.asyncDispose]`, `[Symbol.dispose]`, `close` and `end` that it has. A thread that is terminated, as a cancelled
   * task may cause, takes its values along as they are.
   *
   * @throws {HeddleError} `ERR_HEDDLE_OUTSIDE_TASK` outside a task.
   * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when a thread would keep more than 1,000 values.
   * @example
   * ```ts
   * const pages = client.map(async (path: string) => {
   *   const { Agent } = await import('node:http')
   *   const { task } = await import('heddle/task')
   *   const agent = task.local('http', () => new Agent({ keepAlive: true }), { dispose: (each) => each.destroy() })
   *   return `${path} over one of ${agent.maxSockets} sockets`
   * }, ['/a', '/b'])
   * ```
   */
  local<T>(name: string, create: () => T, options?: LocalOptions<Awaited<T>>): T
}

/**
 * The task that runs now. Its fields can be read only while a task runs: read what is needed after the task's end, as in
 * a timer, before it.
 *
 * @throws {HeddleError} `ERR_HEDDLE_OUTSIDE_TASK`, from each field, outside a task.
 * @example
 * ```ts
 * const where = await client.submit(async () => {
 *   const { task } = await import('heddle/task')
 *   return `${task.name} ran on ${task.worker}, attempt ${task.attempt}`
 * })
 * ```
 */
export const task: Task = Object.freeze({
  get key() {
    return running('key').key
  },
  get name() {
    return running('name').name
  },
  get attempt() {
    return running('attempt').attempt
  },
  get worker() {
    return running('worker').worker
  },
  get signal() {
    const current = runningTask()
    if (current === undefined) throw outside('signal')
    return current.type === 'alone' ? signalOf(current) : current.signal()
  },
  client() {
    const current = runningTask()
    if (current === undefined) throw outside('client')
    return clientOf(current)
  },
  report(fraction: number, note = ''): void {
    reporter().report(fraction, note)
  },
  local<T>(name: string, create: () => T, options: LocalOptions<Awaited<T>> = {}): T {
    return localOf(running('local').worker, name, create, options)
  },
})

// Whoever loads this asks which task it is in.
tellTasksApart()

function reporter(): Reporter {
  const current = runningTask()
  if (current === undefined) throw outside('report')
  if (current.type !== 'alone') return current.reporter()
  const { batch, place, host } = current
  const ourselves = { taskId: batch.taskIds[place]!, attempt: batch.attempts[place]!, tell: host.tell }
  return (current.reporter ??= new Reporter(ourselves))
}

function running(field: keyof Task): TaskIdentity {
  const identity = currentTask()
  if (identity !== undefined) return identity
  throw outside(field)
}

function outside(field: keyof Task): HeddleError {
  const message = `task.${field} was read outside a task; read it while the task runs.`
  return new HeddleError('ERR_HEDDLE_OUTSIDE_TASK', message)
}
