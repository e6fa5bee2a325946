/** How often, and when, a task that failed is tried again: what can be said of it. */
import { MAX_RETRIES, MAX_RETRY_DELAY_MS } from '../protocol/limits.js'
import { NO_RETRIES, type RetryRules } from '../protocol/messages/rules.js'
import { captureFunction, type CapturedCode } from './capture/function.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import { remoteTargetOf } from './remote-module.js'
import type { TaskFunction } from './templates.js'

/** How often a task is tried again, when, and after which errors: the `retries` of {@link FailureOptions}. */
export interface RetryOptions {
  /** How many failures are followed by another try: a task runs at most once more than this. */
  readonly count: number
  /** How many milliseconds lie between a failure and the next try. Default: 0, or 100 with `backoff`. */
  readonly delayMs?: number | undefined
  /** Makes each delay twice the one before. Default: all delays are `delayMs`. */
  readonly backoff?: 'exponential' | undefined
  /** No delay is longer. Default: a minute. */
  readonly maxDelayMs?: number | undefined
  /**
   * The part of each delay that chance decides, from 0 to 1, so that what failed together is not tried together: with 0.5 a
   * delay has between half and all of its length. `true` is 1. Default: 0.
   */
  readonly jitter?: number | boolean | undefined
  /**
   * Asked about every error that the task throws: false fails the task at once. It is a function that can travel, like that
   * of a task, and runs where the task ran, with the error as it was thrown. It may return a promise. It is not asked about
   * time-outs and threads that ended: `count` alone decides about those.
   */
  // Whatever was thrown; with `unknown` every filter would begin with a cast.
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly on?: ((error: any) => boolean | PromiseLike<boolean>) | undefined
}

/** The rules, with the code that `filter` names. */
export interface ResolvedRetries {
  readonly rules: RetryRules
  readonly filterCode: CapturedCode | undefined
}

const DEFAULT_BACKOFF_MS = 100
const DEFAULT_MAX_DELAY_MS = 60_000

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`; {@link FunctionNotPortableError} when `on` can't travel. */
export function resolveRetries(given: unknown): ResolvedRetries {
  if (typeof given === 'number') return { rules: rulesOf({ count: given }), filterCode: undefined }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(`retries is ${describe(given)}; give a number, or an object as in { count: 3, delayMs: 100 }.`)
  }
  checkOptionNames('retries', given, ['count', 'delayMs', 'backoff', 'maxDelayMs', 'jitter', 'on'])
  const options = given as RetryOptions
  const filterCode = options.on === undefined ? undefined : captureFilter(options.on)
  return { rules: rulesOf(options, filterCode?.code), filterCode }
}

/** Equal for equal rules. */
export function labelOfRetries(rules: RetryRules): string {
  const { count, delayMs, isExponential, maxDelayMs, jitterThousandths, filter } = rules
  return `${count} ${delayMs} ${isExponential} ${maxDelayMs} ${jitterThousandths} ${filter}`
}

function rulesOf(options: RetryOptions, filter = ''): RetryRules {
  const { count, backoff, jitter = 0, maxDelayMs = DEFAULT_MAX_DELAY_MS } = options
  checkCount(count)
  if (backoff !== undefined && backoff !== 'exponential') {
    throw invalidOption(`retries.backoff is ${describe(backoff)}; give "exponential", or leave it out.`)
  }
  const isExponential = backoff === 'exponential'
  const { delayMs = isExponential ? DEFAULT_BACKOFF_MS : 0 } = options
  checkDelay('retries.delayMs', delayMs)
  checkDelay('retries.maxDelayMs', maxDelayMs)
  const jitterThousandths = thousandthsOfJitter(jitter)
  if (count === 0) return NO_RETRIES
  const longestMs = Math.max(Math.ceil(delayMs), Math.ceil(maxDelayMs))
  return Object.freeze({
    count,
    delayMs: Math.ceil(delayMs),
    isExponential,
    // A delay that was asked for is not cut off by a default.
    maxDelayMs: options.maxDelayMs === undefined ? longestMs : Math.ceil(maxDelayMs),
    jitterThousandths,
    filter,
  })
}

/** It travels as the function of a task does, but as an option: its module could not be sent with it. */
function captureFilter(on: unknown): CapturedCode {
  if (typeof on !== 'function') {
    throw invalidOption(
      `retries.on is ${describe(on)}; give a function of the error, as in (error) => error.code === 'ECONNRESET'.`,
    )
  }
  if (remoteTargetOf(on as TaskFunction) !== undefined) {
    throw invalidOption(
      'retries.on is a function of a module; write it inline, as in (error) => error.code === "ECONNRESET".',
    )
  }
  return captureFunction(on as TaskFunction)
}

function checkCount(count: unknown): asserts count is number {
  if (Number.isInteger(count) && (count as number) >= 0 && (count as number) <= MAX_RETRIES) return
  throw invalidOption(`retries is ${describe(count)}; give a whole number from 0 to ${MAX_RETRIES}.`)
}

function checkDelay(name: string, given: unknown): void {
  if (typeof given === 'number' && given >= 0 && given <= MAX_RETRY_DELAY_MS) return
  throw invalidOption(`${name} is ${describe(given)}; give milliseconds from 0 to ${MAX_RETRY_DELAY_MS}.`)
}

function thousandthsOfJitter(jitter: unknown): number {
  const part = typeof jitter === 'boolean' ? Number(jitter) : jitter
  if (typeof part === 'number' && part >= 0 && part <= 1) return Math.round(part * 1_000)
  throw invalidOption(`retries.jitter is ${describe(jitter)}; give a part from 0 to 1, or true for 1.`)
}
