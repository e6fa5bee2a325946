/** What tasks need to run, put together from the options that say so: `resources`, `limits`, `workers`. */
import { MAX_LIMITS_OF_TASK } from '../protocol/limits.js'
import { NO_NEEDS, type Needs } from '../protocol/messages/needs.js'
import { checkLimitName } from './limit-options.js'
import { describe, invalidOption } from './options.js'
import { resolveResources, type Resources } from './resources.js'

/** Options that say what tasks need to run. */
export interface NeedOptions {
  /**
   * What each task takes of the worker that runs it: it goes to a worker only while that has all of it to spare. Default:
   * one thread. A task that needs what no worker has waits until one comes; `client.info()` says so under `blocked`.
   */
  readonly resources?: Resources | undefined
  /**
   * Units of limits of the whole cluster, by name, as {@link Client.semaphore} and {@link Client.rateLimit} declare them:
   * `{ db: 1 }`. The scheduler takes them before it sends the task to a worker, so no thread waits for them; a semaphore
   * gets its units back when the task has ended, however it ends. A task that names a limit which nobody has declared waits.
   */
  readonly limits?: Readonly<Record<string, number>> | undefined
  /**
   * The workers that may run the tasks, any one of them: names, addresses, or tags such as `zone=a` that workers were
   * started with (`heddle worker join --tag zone=a`). Default: all. An empty list is the same.
   */
  readonly workers?: readonly string[] | undefined
  /** Makes `workers` a wish: while none of them has room, others run the tasks. Default: false. */
  readonly allowOtherWorkers?: boolean | undefined
}

/** The names of these options. */
export const NEED_OPTIONS = ['resources', 'limits', 'workers', 'allowOtherWorkers'] as const

const MAX_UNITS = 1_000_000_000
const MAX_NAMED_WORKERS = 1_000
const MAX_NAME_LENGTH = 300

/**
 * What the given options don't say is as in `base`.
 *
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`
 */
export function resolveNeeds({ resources, limits, workers, allowOtherWorkers }: NeedOptions, base: Needs): Needs {
  if (resources === undefined && limits === undefined && workers === undefined && allowOtherWorkers === undefined) {
    return base
  }
  let needs = resources === undefined ? base : resolveResources(resources, base)
  if (limits !== undefined) needs = { ...needs, limits: unitsOf(limits) }
  if (workers !== undefined) needs = { ...needs, workers: namesOf(workers), allowsOthers: false }
  if (allowOtherWorkers !== undefined) {
    if (typeof allowOtherWorkers !== 'boolean') {
      throw invalidOption(`allowOtherWorkers is ${describe(allowOtherWorkers)}; give true or false.`)
    }
    if (allowOtherWorkers && needs.workers.length === 0) {
      throw invalidOption('allowOtherWorkers is true, and workers names none; say which you would rather have.')
    }
    needs = { ...needs, allowsOthers: allowOtherWorkers }
  }
  return labelOf(needs) === NO_LABEL ? NO_NEEDS : Object.freeze(needs)
}

/** Equal for equal needs. */
export function labelOf({ threads, memoryBytes, others, limits, workers, allowsOthers }: Needs): string {
  const amounts = others.map(({ name, thousandths }) => `${name}=${thousandths}`).join(' ')
  const units = limits.map(({ name, units: count }) => [name, count])
  const rest = limits.length === 0 && workers.length === 0 ? '' : JSON.stringify([units, workers, allowsOthers])
  return `${threads} ${memoryBytes} ${amounts} ${rest}`
}

const NO_LABEL = labelOf(NO_NEEDS)

function unitsOf(given: unknown): Needs['limits'] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(`limits is ${describe(given)}; give an object, as in { db: 1 }.`)
  }
  const limits = Object.entries(given).flatMap(([name, units]: [string, unknown]) => {
    checkLimitName(name)
    if (units === undefined) return []
    if (!Number.isSafeInteger(units) || (units as number) < 1 || (units as number) > MAX_UNITS) {
      throw invalidOption(`limits.${name} is ${describe(units)}; give a whole number of units from 1 up.`)
    }
    return [{ name, units: units as number }]
  })
  if (limits.length > MAX_LIMITS_OF_TASK) {
    throw invalidOption(
      `limits has ${limits.length} names; a task takes units of at most ${MAX_LIMITS_OF_TASK} limits.`,
    )
  }
  return Object.freeze(limits.sort((a, b) => (a.name < b.name ? -1 : 1)))
}

function namesOf(given: unknown): readonly string[] {
  if (!Array.isArray(given)) {
    throw invalidOption(`workers is ${describe(given)}; give a list of names, addresses or tags, as in ["zone=a"].`)
  }
  if (given.length > MAX_NAMED_WORKERS) {
    throw invalidOption(`workers names ${given.length}; name at most ${MAX_NAMED_WORKERS}, or give them a tag.`)
  }
  for (const name of given as unknown[]) {
    if (typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME_LENGTH) continue
    throw invalidOption(`workers has ${describe(name)}; give names, addresses or tags, as in ["zone=a"].`)
  }
  return Object.freeze([...new Set(given as string[])].sort())
}
