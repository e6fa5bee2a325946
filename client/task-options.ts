/** What can be said of a task beside its function and arguments. */
import type { HeddleError } from '../protocol/errors.js'
import { MAX_OUTPUTS } from '../protocol/limits.js'
import {
  FAILURE_OPTIONS,
  resolveRules,
  withMaxFailures,
  type AnyFailureOptions,
  type FailureOptions,
  type ResolvedRules,
} from './failure-options.js'
import type { Input, Inputs } from './future.js'
import { NO_NEEDS, type Needs } from '../protocol/messages/needs.js'
import { NEED_OPTIONS, resolveNeeds, type NeedOptions } from './needs.js'
import { NO_RULES } from '../protocol/messages/rules.js'
import type { TaskParent } from './parent.js'
import { checkOptionNames, checkSignal, describe, invalidOption } from './options.js'

/** Options of tasks, for {@link Client.with}. */
export interface TaskOptions extends NeedOptions, FailureOptions {
  /** What the status page and generated keys call it. Default: the name of the function. */
  readonly name?: string | undefined
  /**
   * The task's key in the whole cluster. The first submission under a key defines the task; the same again, from any
   * client, is one more future of it, and other work under the same key fails with `ERR_HEDDLE_KEY_CONFLICT`.
   */
  readonly key?: string | undefined
  /**
   * The same code and the same arguments are the same task, in all clients that say so: its key is made of them, and the
   * work is done once while somebody holds the result. Futures among the arguments count by their keys. Only for functions
   * that give the same result each time. Default: false.
   *
   * Where the key is not known at the call (the module is being bundled; `map` over more than 1,000 items; graphs), the
   * future has a generated key until the task is sent.
   */
  readonly pure?: boolean | undefined
  /** Higher first. A whole number; default 0. */
  readonly priority?: number | undefined
  /** Cancels the tasks when it aborts, as `future.cancel()` does, with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

/** Options of tasks with several outputs, for {@link Client.with}. */
export interface OutputOptions extends Omit<TaskOptions, 'key' | 'pure'> {
  /**
   * The tasks return an array of so many values, 1 to 1,023, and each value has a future of its own, is moved and kept on
   * its own. Such tasks have no explicit `key`.
   */
  readonly outputs: number
}

/** Options of {@link Client.map} and {@link Client.starmap}. `A` are the parameters behind the item. */
export interface MapOptions<I = unknown, A extends readonly unknown[] = readonly unknown[]>
  extends NeedOptions, FailureOptions {
  /** As in {@link TaskOptions}. */
  readonly name?: string | undefined
  /** As in {@link TaskOptions}. */
  readonly pure?: boolean | undefined
  /** As in {@link TaskOptions}. */
  readonly priority?: number | undefined
  /** As in {@link TaskOptions}. */
  readonly signal?: AbortSignal | undefined
  /** Gives each task its key, as in {@link TaskOptions}. Called once for each item, before `map` returns. */
  readonly key?: ((item: I, index: number) => string) | undefined
  /**
   * After so many failures, each when its `retries` are used up, the rest of the tasks is cancelled, what runs too: whoever
   * awaits one of them gets an `AbortError` that says so. Default: all of them run, whatever others do.
   */
  readonly maxFailures?: number | undefined
  /** The same further arguments for each task. They are encoded and sent once. */
  readonly args?: Inputs<A> | undefined
}

/** `MapOptions` whose `args` must be there, because the function has parameters that want them. */
export type MapOptionsWithArgs<I, A extends readonly unknown[]> = MapOptions<I, A> & { readonly args: Inputs<A> }

/** As given, whatever it makes of the types of results and arguments. */
export type AnyTaskOptions = Omit<TaskOptions, 'onDependencyError'> & AnyFailureOptions & { readonly outputs?: number }

/** The same for `map`. */
export type AnyMapOptions = Omit<MapOptions<never>, 'onDependencyError'> & AnyFailureOptions

export interface ResolvedTaskOptions {
  readonly name: string | undefined
  readonly key: string | undefined
  readonly pure: boolean
  readonly priority: number
  readonly needs: Needs
  readonly rules: ResolvedRules
  /** 0: the result is one value. */
  readonly outputs: number
  readonly signal: AbortSignal | undefined
  /** The task that submits them, if one does. */
  readonly parent: TaskParent | undefined
}

export interface ResolvedMapOptions {
  readonly parent: TaskParent | undefined
  readonly outputs: number
  readonly signal: AbortSignal | undefined
  readonly name: string | undefined
  readonly pure: boolean
  readonly priority: number
  readonly needs: Needs
  readonly rules: ResolvedRules
  readonly key: ((item: never, index: number) => string) | undefined
  readonly args: readonly Input<unknown>[]
}

export const DEFAULT_TASK_OPTIONS: ResolvedTaskOptions = Object.freeze({
  name: undefined,
  key: undefined,
  pure: false,
  priority: 0,
  needs: NO_NEEDS,
  rules: NO_RULES,
  outputs: 0,
  signal: undefined,
  parent: undefined,
})

/** What can be said of every task, wherever it is made. */
const TASK_OPTIONS = ['name', 'pure', 'priority', ...NEED_OPTIONS, ...FAILURE_OPTIONS] as const

const MAX_TEXT_LENGTH = 1_000
/** What fits beside `PRIORITY_BASE`. */
const PRIORITY_LIMIT = 2 ** 31

/** Completes and checks options; what they don't say is as in `base`. */
export function resolveTaskOptions(given: AnyTaskOptions, base: ResolvedTaskOptions): ResolvedTaskOptions {
  checkOptionNames('client.with()', given, [...TASK_OPTIONS, 'key', 'outputs', 'signal'])
  return completeTaskOptions(given, base)
}

/** Checks the options of a function whose tasks are made later, as `where` says. */
export function checkTaskOptions(where: string, given: Omit<AnyTaskOptions, 'key' | 'signal'>): void {
  checkOptionNames(where, given, TASK_OPTIONS)
  completeTaskOptions(given, DEFAULT_TASK_OPTIONS)
}

/** What the given options don't say is as in `base`. */
export function completeTaskOptions(given: AnyTaskOptions, base: ResolvedTaskOptions): ResolvedTaskOptions {
  const { name = base.name, key = base.key, priority = base.priority } = given
  const { outputs = base.outputs, signal = base.signal, pure = base.pure } = given
  if (name !== undefined) checkText('name', name)
  if (key !== undefined) checkKey(key)
  checkPriority(priority)
  if (given.outputs !== undefined) checkOutputs(outputs)
  const needs = resolveNeeds(given, base.needs)
  const rules = resolveRules(given, base.rules)
  if (key !== undefined && outputs > 0) throw keyWithOutputs(key)
  checkPure(pure, key !== undefined, outputs)
  checkSignal(signal)
  return Object.freeze({ name, key, pure, priority, outputs, needs, rules, signal, parent: base.parent })
}

/** Completes and checks the options of `map` or `starmap`, as `where` says; what they don't say is as in `base`. */
export function resolveMapOptions(where: string, given: AnyMapOptions, base: ResolvedTaskOptions): ResolvedMapOptions {
  checkOptionNames(where, given, [...TASK_OPTIONS, 'key', 'args', 'signal', 'maxFailures'])
  const { name = base.name, key, priority = base.priority, args = [], signal = base.signal, pure = base.pure } = given
  if (name !== undefined) checkText('name', name)
  checkPriority(priority)
  if (key !== undefined && typeof key !== 'function') {
    throw invalidOption(`key is ${describe(key)}; ${where} makes many tasks, so give a function of item and index.`)
  }
  if (key === undefined && base.key !== undefined) {
    throw invalidOption(
      `The key "${base.key}" is for one task, and ${where} makes many; give ${where} a function as key.`,
    )
  }
  if (key !== undefined && base.outputs > 0) throw keyWithOutputs(key)
  checkPure(pure, key !== undefined, base.outputs)
  if (!Array.isArray(args)) throw invalidOption(`args is ${describe(args)}; give an array of the further arguments.`)
  const needs = resolveNeeds(given, base.needs)
  const rules = withMaxFailures(resolveRules(given, base.rules), given.maxFailures)
  checkSignal(signal)
  return { name, key, pure, priority, args, outputs: base.outputs, needs, rules, signal, parent: base.parent }
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function checkKey(key: unknown): asserts key is string {
  checkText('key', key)
}

function checkText(name: string, value: unknown): asserts value is string {
  if (typeof value === 'string' && value.length > 0 && value.length <= MAX_TEXT_LENGTH) return
  throw invalidOption(`${name} is ${describe(value)}; give a text of 1 to ${MAX_TEXT_LENGTH} characters.`)
}

function checkPriority(priority: unknown): void {
  if (Number.isInteger(priority) && Math.abs(priority as number) < PRIORITY_LIMIT) return
  throw invalidOption(`priority is ${describe(priority)}; give a whole number, the higher the sooner.`)
}

function checkPure(pure: unknown, hasKey: boolean, outputs: number): void {
  if (typeof pure !== 'boolean') throw invalidOption(`pure is ${describe(pure)}; give true or false.`)
  if (!pure) return
  if (hasKey) throw invalidOption('A pure task gets its key from its code and arguments; leave key out, or pure.')
  if (outputs > 0)
    throw invalidOption('A task with several outputs has no key, and so none that purity gives; leave pure out.')
}

function checkOutputs(outputs: unknown): void {
  if (Number.isInteger(outputs) && (outputs as number) >= 1 && (outputs as number) <= MAX_OUTPUTS) return
  throw invalidOption(`outputs is ${describe(outputs)}; give a whole number from 1 to ${MAX_OUTPUTS}.`)
}

/** One key can't stand for many values. */
function keyWithOutputs(key: unknown): HeddleError {
  return invalidOption(
    `key is ${describe(key)}; a task with several outputs can't have a key, so leave one of the two out.`,
  )
}
