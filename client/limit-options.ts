/** What a limit of the cluster can be, checked. */
import type { LimitDeclaration } from '../protocol/messages/limit.js'
import { checkOptionNames, describe, invalidOption } from './options.js'

/** Options of {@link Client.rateLimit}. */
export interface RateLimitOptions {
  /** How many units come back in a second, evenly. Any number above 0: 0.1 is one in ten seconds. */
  readonly perSecond: number
  /**
   * How many units that were not used add up, to be used at once later: in any time of t seconds no more than
   * `burst + t * perSecond` are used. Default: what comes in a hundredth of a second, and 1 at least.
   */
  readonly burst?: number | undefined
}

/** Options of `acquire` of a limit. */
export interface AcquireOptions {
  /** Gives up with a `TimeoutError` after so many milliseconds. Without it, it waits for ever. */
  readonly timeoutMs?: number | undefined
  /** Gives up with this signal's reason. */
  readonly signal?: AbortSignal | undefined
}

const MAX_NAME_LENGTH = 200
const MAX_UNITS = 1_000_000_000
const MAX_PER_SECOND = 1_000_000
/** One in a year. */
const MIN_PER_SECOND = 1 / (365 * 24 * 60 * 60)

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function semaphoreOf(name: unknown, units: unknown): LimitDeclaration {
  checkLimitName(name)
  if (isUnits(units)) return { name, kind: 'semaphore', units, perSecond: 0 }
  throw invalidOption(`The semaphore "${name}" has ${describe(units)} units; give a whole number from 1 up.`)
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function rateLimitOf(name: unknown, options: RateLimitOptions): LimitDeclaration {
  checkLimitName(name)
  checkOptionNames('client.rateLimit()', options, ['perSecond', 'burst'])
  const { perSecond } = options
  if (typeof perSecond !== 'number' || !(perSecond >= MIN_PER_SECOND) || perSecond > MAX_PER_SECOND) {
    throw invalidOption(`perSecond is ${describe(perSecond)}; give a number above 0, and at most a million.`)
  }
  const { burst = Math.max(1, Math.ceil(perSecond / 100)) } = options
  if (isUnits(burst)) return { name, kind: 'rate', units: burst, perSecond }
  throw invalidOption(`burst is ${describe(burst)}; give a whole number of units from 1 up.`)
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function checkLimitName(name: unknown): asserts name is string {
  if (typeof name === 'string' && name.length > 0 && name.length <= MAX_NAME_LENGTH) return
  throw invalidOption(`The name of a limit is ${describe(name)}; give a text of 1 to ${MAX_NAME_LENGTH} characters.`)
}

function isUnits(units: unknown): units is number {
  return Number.isSafeInteger(units) && (units as number) >= 1 && (units as number) <= MAX_UNITS
}
