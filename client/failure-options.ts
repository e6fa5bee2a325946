/** What can be said of tasks that take too long, or fail, or need others that fail. */
import { MAX_TASK_TIMEOUT_MS } from '../protocol/limits.js'
import { NO_RULES, type DependencyErrorRule, type Rules } from '../protocol/messages/rules.js'
import type { Code } from './template.js'
import { labelOfRetries, resolveRetries, type RetryOptions } from './retry-options.js'
import { describe, invalidOption } from './options.js'

/** The part of {@link TaskOptions} that says what becomes of tasks which take too long, or fail. */
export interface FailureOptions {
  /**
   * How many milliseconds one run of the task may take, from its start on a worker. Then it is stopped: its `task.signal`
   * aborts, and half a second later, or at once if it never took the signal, its thread is ended, even amid an endless loop.
   * Whoever awaits the task gets a {@link TaskTimeoutError}. Default: as long as it takes (`Infinity`).
   */
  readonly timeoutMs?: number | undefined
  /**
   * How many milliseconds the task may wait from its submission to its start. Then it fails: with an
   * {@link UnsatisfiableError} when no worker of the cluster could take it, else with a {@link TaskTimeoutError} whose code is
   * `ERR_HEDDLE_QUEUE_TIMEOUT`. Default: as long as it takes (`Infinity`).
   */
  readonly queueTimeoutMs?: number | undefined
  /**
   * How often the task is tried again when it fails by its own doing: it throws, has had its time, or takes its thread along.
   * A number, or {@link RetryOptions} with delays between the tries. A task that throws a {@link FatalError} is not tried
   * again. `task.attempt` counts the runs. Default: 0.
   */
  readonly retries?: number | RetryOptions | undefined
  /**
   * So many workers may die while they run the task before it is held to be the reason, and fails with a
   * {@link WorkerLostError}. Default 3: the third death fails it.
   */
  readonly allowedFailures?: number | undefined
  /**
   * `fail`, the default: when a task that this one needs fails, this one fails with the same error. The others, `skip` and
   * `pass-error`, change what tasks give or get: see {@link TolerantOptions}.
   */
  readonly onDependencyError?: 'fail' | undefined
}

/** As given, whatever it makes of the types of results and arguments. */
export type AnyFailureOptions = Omit<FailureOptions, 'onDependencyError'> & {
  readonly onDependencyError?: DependencyErrorRule | undefined
}

/** The names of these options. */
export const FAILURE_OPTIONS = [
  'timeoutMs',
  'queueTimeoutMs',
  'retries',
  'allowedFailures',
  'onDependencyError',
] as const satisfies readonly (keyof FailureOptions)[]

export const MAX_ALLOWED_FAILURES = 1_000

/** What goes to the scheduler, with the code that goes along. */
export interface ResolvedRules extends Rules {
  /** Of the function that `retries.filter` names. */
  readonly filterCode?: Code | undefined
}

/** Completes and checks these options; what they don't say is as in `base`. */
export function resolveRules(given: AnyFailureOptions, base: ResolvedRules): ResolvedRules {
  if (!saysRules(given)) return base
  const retries =
    given.retries === undefined ? { rules: base.retries, filterCode: base.filterCode } : resolveRetries(given.retries)
  const rules: ResolvedRules = {
    timeoutMs: given.timeoutMs === undefined ? base.timeoutMs : timeOf('timeoutMs', given.timeoutMs),
    queueTimeoutMs:
      given.queueTimeoutMs === undefined ? base.queueTimeoutMs : timeOf('queueTimeoutMs', given.queueTimeoutMs),
    allowedFailures: given.allowedFailures ?? base.allowedFailures,
    retries: retries.rules,
    maxFailures: 0,
    isStream: false,
    onDependencyError:
      given.onDependencyError === undefined ? base.onDependencyError : ruleOfDependencyErrors(given.onDependencyError),
    ...(retries.filterCode !== undefined && { filterCode: retries.filterCode }),
  }
  checkAllowedFailures(rules.allowedFailures)
  return labelOfRules(rules) === labelOfRules(NO_RULES) ? NO_RULES : Object.freeze(rules)
}

/** Do these options say any of it? */
export function saysRules(given: AnyFailureOptions): boolean {
  return FAILURE_OPTIONS.some((name) => given[name] !== undefined)
}

/** The rules of one `map`, with its own option. @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function withMaxFailures(rules: ResolvedRules, maxFailures: unknown): ResolvedRules {
  if (maxFailures === undefined || maxFailures === Infinity) return rules
  if (!Number.isSafeInteger(maxFailures) || (maxFailures as number) < 1) {
    throw invalidOption(`maxFailures is ${describe(maxFailures)}; give a whole number from 1 up.`)
  }
  return Object.freeze({ ...rules, maxFailures: maxFailures as number })
}

/** The same rules, for streams. */
export function ofStreams(rules: ResolvedRules): ResolvedRules {
  return Object.freeze({ ...rules, isStream: true })
}

/** Equal for equal rules, of tasks of any number of calls. */
export function labelOfRules(rules: Rules): string {
  const { timeoutMs, queueTimeoutMs, allowedFailures, retries, isStream, onDependencyError } = rules
  const numbers = `${timeoutMs} ${queueTimeoutMs} ${allowedFailures}`
  return `${isStream ? 'stream ' : ''}${onDependencyError} ${numbers} ${labelOfRetries(retries)}`
}

/** Whole milliseconds; 0 stands for no end. */
function timeOf(name: string, given: unknown): number {
  if (given === Infinity) return 0
  if (typeof given === 'number' && given > 0 && given <= MAX_TASK_TIMEOUT_MS) return Math.ceil(given)
  throw invalidOption(
    `${name} is ${describe(given)}; give milliseconds above 0 and up to ${MAX_TASK_TIMEOUT_MS}, or Infinity for no end.`,
  )
}

const DEPENDENCY_ERROR_RULES: readonly DependencyErrorRule[] = ['fail', 'skip', 'pass-error']

function ruleOfDependencyErrors(given: unknown): DependencyErrorRule {
  const rule = DEPENDENCY_ERROR_RULES.find((each) => each === given)
  if (rule !== undefined) return rule
  throw invalidOption(`onDependencyError is ${describe(given)}; give "fail", "skip" or "pass-error".`)
}

function checkAllowedFailures(given: unknown): void {
  if (Number.isInteger(given) && (given as number) >= 1 && (given as number) <= MAX_ALLOWED_FAILURES) return
  throw invalidOption(
    `allowedFailures is ${describe(given)}; give a whole number from 1 to ${MAX_ALLOWED_FAILURES}: that death of a worker fails the task.`,
  )
}
