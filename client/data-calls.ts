/** Questions about data and workers, and what their answers mean to whoever asked. */
import { unreachable } from '../common/assert.js'
import { HeddleError, TimeoutError } from '../protocol/errors.js'
import { MAX_DATASETS, RESTART_TIMEOUT_MS } from '../protocol/limits.js'
import { futuresOf } from './futures-of.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import type { Session } from './session.js'
import type { Future } from './future.js'
import { TaskFuture } from './task-future.js'
import type { ResolvedTaskOptions } from './task-options.js'

/** What {@link Client.rebalance} moved. */
export interface RebalanceResult {
  /** How many values. */
  readonly values: number
  /** How many bytes, all together. */
  readonly sizeBytes: number
}

/** Options of {@link Client.restart}. */
export interface RestartOptions {
  /**
   * Gives up waiting with a `TimeoutError` after so many milliseconds, which names the workers that are not back. They may
   * come later all the same. Default: 60,000.
   */
  readonly timeoutMs?: number | undefined
}

/** Options of {@link Client.retireWorkers}. */
export interface RetireOptions {
  /**
   * Then the workers go, whatever is left to do: what they run, and what only they hold, is made again elsewhere if somebody
   * needs it. Milliseconds from the call on. Default: they take the time that they need, and wait for others to take values.
   */
  readonly deadlineMs?: number | undefined
}

/** What became of workers that {@link Client.retireWorkers} had go. */
export interface RetireResult {
  /** How many values moved to other workers. */
  readonly values: number
  /** How many bytes, all together. */
  readonly sizeBytes: number
  /** Names of the workers that had more to do at the deadline. */
  readonly cutShort: readonly string[]
}

/** One question is about so many values. */
const VALUES_PER_QUESTION = 8_192
const MAX_NAME_LENGTH = 1_000

export async function whoHas(
  session: Session,
  futures: readonly TaskFuture<unknown>[],
): Promise<Record<string, string[]>> {
  const questions: Promise<readonly (readonly string[])[]>[] = []
  for (let start = 0; start < futures.length; start += VALUES_PER_QUESTION) {
    const tasks = futures.slice(start, start + VALUES_PER_QUESTION).map(({ array, index }) => array.idOf(index))
    const answer = session.question((request) => ({ type: 'who-has', request, tasks }), 'held-by')
    questions.push(answer.then(({ workers }) => workers))
  }
  const holders = (await Promise.all(questions)).flat()
  return Object.fromEntries(futures.map(({ key }, place) => [key, [...(holders[place] ?? [])]]))
}

/** What a published value that is no future runs as: so the scheduler can have it made again, and futures in it are resolved. */
const published = (value: unknown): unknown => value

export async function publish(
  session: Session,
  { name, value, options }: { readonly name: string; readonly value: unknown; readonly options: ResolvedTaskOptions },
): Promise<void> {
  session.checkOpen()
  checkDatasetName(name)
  const isFuture = value instanceof TaskFuture
  const made = isFuture ? value : session.submit(published, [value], publish as never, options)
  const future = made as TaskFuture<unknown>
  // All futures of a client are of this class.
  const parts = futuresOf(value) as TaskFuture<unknown>[]
  try {
    const task = future.array.idOf(future.index)
    const { outcome } = await session.question((request) => ({ type: 'publish', request, name, task }), 'published')
    switch (outcome) {
      case 'done':
        // Else what was scattered would be lost with this program, which may end now.
        return await session.whenScattered(parts.map(({ array, index }) => array.idOf(index)))
      case 'taken':
        throw new HeddleError(
          'ERR_HEDDLE_KEY_CONFLICT',
          `Something is published under the name "${name}" already; call client.unpublish() first, or use another name.`,
        )
      case 'full':
        throw new HeddleError(
          'ERR_HEDDLE_KEY_CONFLICT',
          `${MAX_DATASETS} names are published, which is the limit; unpublish what nobody needs.`,
        )
      case 'gone': {
        await future // It may have failed before the scheduler heard of it: then that is why.
        throw new HeddleError('ERR_HEDDLE_RELEASED', `The future ${future.key} was released; publish one that is held.`)
      }
      default:
        unreachable(outcome)
    }
  } finally {
    if (!isFuture) future.release()
  }
}

export async function unpublish(session: Session, name: string): Promise<boolean> {
  checkDatasetName(name)
  const { wasThere } = await session.question((request) => ({ type: 'unpublish', request, name }), 'unpublished')
  return wasThere
}

export function dataset(session: Session, name: string): Future<unknown> {
  checkDatasetName(name)
  return session.openDataset(name)
}

export async function datasets(session: Session): Promise<string[]> {
  const { names } = await session.question((request) => ({ type: 'list-datasets', request }), 'datasets')
  return [...names]
}

export async function rebalance(session: Session): Promise<RebalanceResult> {
  const { values, sizeBytes } = await session.question((request) => ({ type: 'rebalance', request }), 'rebalanced')
  return { values, sizeBytes }
}

export async function retireWorkers(
  session: Session,
  given: string | readonly string[],
  options: RetireOptions,
): Promise<RetireResult> {
  const workers: unknown = typeof given === 'string' ? [given] : given
  const areNames = Array.isArray(workers) && workers.every((name) => typeof name === 'string')
  if (!areNames || workers.length === 0) {
    throw invalidOption(`client.retireWorkers() takes names or addresses of workers, and not ${describe(given)}.`)
  }
  checkOptionNames('client.retireWorkers()', options, ['deadlineMs'])
  const deadlineMs = wholeMs('deadlineMs', options.deadlineMs, 0)
  const names = workers as readonly string[]
  const { unknown, values, sizeBytes, cutShort } = await session.question(
    (request) => ({ type: 'retire-workers', request, workers: names, deadlineMs }),
    'retired',
  )
  if (unknown.length === 0) return { values, sizeBytes, cutShort: [...cutShort] }
  throw invalidOption(
    `There is no worker ${unknown.map(describe).join(', ')}, so none was retired; client.info() lists them.`,
  )
}

export async function restart(session: Session, options: RestartOptions): Promise<void> {
  checkOptionNames('client.restart()', options, ['timeoutMs'])
  const timeoutMs = wholeMs('timeoutMs', options.timeoutMs, RESTART_TIMEOUT_MS)
  const { unwatched, absent } = await session.question(
    (request) => ({ type: 'restart', request, timeoutMs }),
    'restarted',
  )
  if (unwatched.length > 0) {
    throw invalidOption(
      `Nobody would start ${unwatched.map(describe).join(', ')} again, so nothing was restarted; start workers without --no-nanny.`,
    )
  }
  if (absent.length === 0) return
  throw new TimeoutError(
    `${absent.map(describe).join(', ')} did not come back in ${timeoutMs} ms; see what these workers log where they were started, or wait longer.`,
  )
}

/** What the scheduler counts in. */
function wholeMs(name: string, given: unknown, otherwise: number): number {
  if (given === undefined) return otherwise
  if (typeof given === 'number' && given > 0 && given < 2 ** 31) return Math.ceil(given)
  throw invalidOption(`${name} is ${describe(given)}; give a number of milliseconds above 0, up to 24 days.`)
}

function checkDatasetName(name: unknown): void {
  if (typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME_LENGTH) return
  throw invalidOption(`name is ${describe(name)}; give a text of 1 to ${MAX_NAME_LENGTH} characters.`)
}
