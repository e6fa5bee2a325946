/** What holds for tasks that take too long, that fail or need what failed, and that give their values one by one. */
import { flag, integer, oneOf, record, text, type Infer } from '../schema.js'

/** How often, and when, a task that failed is tried again. */
export const retryRules = record({
  /** How many failures of the task itself are followed by another try. */
  count: integer,
  /** How long after the first failure, in milliseconds. */
  delayMs: integer,
  /** Is each delay twice the one before? */
  isExponential: flag,
  /** No delay is longer. */
  maxDelayMs: integer,
  /** The part of each delay, in thousandths, that chance decides: so much earlier it may end. */
  jitterThousandths: integer,
  /** The code of the function that is asked about every error that the task throws; empty for none. */
  filter: text,
})
export type RetryRules = Infer<typeof retryRules>

/**
 * What becomes of a task when a task that it needs fails. `fail`: it fails with it. `skip`: it does not run, and has the value
 * `undefined`. `pass-error`: it runs, and is given the error in the place of the value.
 */
export const dependencyErrorRule = oneOf('fail', 'skip', 'pass-error')
export type DependencyErrorRule = Infer<typeof dependencyErrorRule>

export const rules = record({
  /** How long one run may take, in milliseconds; 0 for as long as it takes. */
  timeoutMs: integer,
  /** How long a task may wait from its submission to its start, in milliseconds; 0 for as long as it takes. */
  queueTimeoutMs: integer,
  /** So many workers may die with the task before it is held to be the reason. */
  allowedFailures: integer,
  retries: retryRules,
  /** After so many failures of its tasks the others are cancelled; 0 for never. */
  maxFailures: integer,
  /** Its tasks are streams: they give their values one by one, by `stream-chunk`, and then how many there were. */
  isStream: flag,
  onDependencyError: dependencyErrorRule,
})
export type Rules = Infer<typeof rules>

export const NO_RETRIES: RetryRules = Object.freeze({
  count: 0,
  delayMs: 0,
  isExponential: false,
  maxDelayMs: 0,
  jitterThousandths: 0,
  filter: '',
})

/** Those of tasks that don't say. */
export const NO_RULES: Rules = Object.freeze({
  timeoutMs: 0,
  queueTimeoutMs: 0,
  allowedFailures: 3,
  retries: NO_RETRIES,
  maxFailures: 0,
  isStream: false,
  onDependencyError: 'fail',
})
