/**
 * The tasks of a simulation: sums and the like over small numbers, which a few lines evaluate. Clients know what each
 * task should give before they submit it; threads work it out from the bytes that reach them.
 */
import type { ErrorCode } from '../../protocol/errors.js'
import { codeHash } from '../../protocol/ids.js'
import type { DefineCode, FailureRecord } from '../../protocol/messages/common.js'
import type { DependencyErrorRule } from '../../protocol/messages/rules.js'
import { SKIPPED_VALUE } from '../../protocol/skipped.js'

const MODULUS = 1_000_003

/** What a task gives that was skipped: not a number. */
export const NOTHING = 2_000_001
/** What is made of nothing, or of an error that nobody could foresee: an input was cancelled, say, or lost. */
export const UNFORESEEN = 2_000_003
/** Stands for an error that its task always throws, whatever it is, where that is an input. */
export const FORESEEN_ERROR = 999_983

/** Can no other number be made of these? */
export function areUnforeseen(inputs: readonly number[]): boolean {
  return inputs.some((input) => input === NOTHING || input === UNFORESEEN)
}

/**
 * What a task does. `mix` depends on the order of its inputs. `large` is a `mix` whose value counts as too large to come
 * along. `fussy` throws for some arguments. `exit` takes its thread along, by itself or by filling its heap. `refused` has code
 * that no worker can keep. `endless` has a time-out, and for some arguments runs for much longer. `flaky` throws so many times before it gives its
 * value, and `fatal` throws what must not be tried again. `nest` submits
 * tasks and adds up their values.
 */
export type Operation =
  'sum' | 'mix' | 'large' | 'fussy' | 'throw' | 'exit' | 'refused' | 'endless' | 'flaky' | 'fatal' | 'nest'
/** Those that clients draw from; `nest` has a chance of its own. */
export const OPERATIONS: readonly Operation[] = [
  'sum',
  'mix',
  'large',
  'fussy',
  'throw',
  'exit',
  'refused',
  'endless',
  'flaky',
  'fatal',
]

export type Result =
  /** It comes after so many errors. */
  | { readonly type: 'value'; readonly number: number; readonly isLarge: boolean; readonly failures?: number }
  | { readonly type: 'error'; readonly number: number }
  | { readonly type: 'exit'; readonly isOutOfMemory: boolean }
  /** It would have this value if it had the time. */
  | { readonly type: 'endless'; readonly number: number }

export function evaluate(operation: Operation, constant: number, argument: number, inputs: readonly number[]): Result {
  // Code that no worker can keep is refused before anybody looks at its inputs.
  if (operation !== 'refused' && areUnforeseen(inputs)) return { type: 'value', number: UNFORESEEN, isLarge: false }
  const mixed = mix(constant, argument, inputs)
  switch (operation) {
    case 'sum':
      return {
        type: 'value',
        number: inputs.reduce((sum, input) => sum + input, constant + argument) % MODULUS,
        isLarge: false,
      }
    case 'mix':
    case 'large':
      return { type: 'value', number: mixed, isLarge: operation === 'large' }
    case 'nest':
      return { type: 'value', number: sumOf(childrenOf(mixed)), isLarge: false }
    case 'fussy':
      return mixed % 10 === 0 ? { type: 'error', number: mixed } : { type: 'value', number: mixed, isLarge: false }
    case 'flaky':
      return { type: 'value', number: mixed, isLarge: false, failures: mixed % (1 + MAX_FLAKES) }
    case 'fatal':
    case 'throw':
      return { type: 'error', number: mixed }
    case 'exit':
      return { type: 'exit', isOutOfMemory: constant % 2 === 1 }
    case 'endless':
      return mixed % 3 === 0 ? { type: 'endless', number: mixed } : { type: 'value', number: mixed, isLarge: false }
    case 'refused':
      return { type: 'error', number: REFUSAL }
  }
}

/** What a task submits. */
export interface Child {
  readonly operation: 'sum' | 'nest'
  readonly argument: number
}

/** The children of a `nest`, made of the number that its inputs give: smaller from level to level. */
export function childrenOf(mixed: number): Child[] {
  return Array.from({ length: 1 + (mixed % 3) }, (_, i) => {
    const argument = Math.floor(mixed / 10 ** (i + 1))
    return { operation: argument % 4 === 3 ? 'nest' : 'sum', argument }
  })
}

function sumOf(children: readonly Child[]): number {
  const values = children.map(({ operation, argument }) => {
    const result = evaluate(operation, 0, argument, [])
    return result.type === 'value' ? result.number : 0
  })
  return values.reduce((sum, value) => sum + value, 0) % MODULUS
}

/** What a `nest` gives when its children have these values. */
export function addUp(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) % MODULUS
}

/** What the inputs of a task are made into. */
export function mix(constant: number, argument: number, inputs: readonly number[]): number {
  return inputs.reduce((mixed, input) => (mixed * 31 + input) % MODULUS, (constant * 7 + argument) % MODULUS)
}

/** The error of a task whose child is lost, or not wanted any more. */
export const CHILD_LOST = 498

/** The outputs of a task that has several are numbers, too; of a large one some are large. */
export function outputNumber(number: number, output: number): number {
  if (areUnforeseen([number])) return number
  return (number + output * 7_919) % MODULUS
}

export function isOutputLarge(output: number): boolean {
  return output % 2 === 0
}

/** How often a flaky task fails at most. */
export const MAX_FLAKES = 3

/**
 * How often a task is tried again. It follows from what the task does, since the same work may be submitted twice under one
 * key, with the options of whoever came first.
 */
export function retriesOf(operation: Operation, constant: number): number {
  return operation === 'flaky' ? MAX_FLAKES : (constant + placeOf(operation)) % 3
}

function placeOf(operation: Operation): number {
  const place = OPERATIONS.indexOf(operation)
  return place < 0 ? OPERATIONS.length : place
}

/** The error of every task whose code is refused. */
export const REFUSAL = 404

/**
 * Was its code refused? A task that was to be skipped comes to that when an input has nothing, where it should have failed: it
 * fails whatever its inputs are.
 */
export function isRefusal({ error, culpritKey }: FailureRecord): boolean {
  return culpritKey.startsWith('refused') && error.length > 0 && decodeNumber(error) === REFUSAL
}

/** The code of an operation: what it does is known by its name, whatever its text is. */
export function codeOf(operation: Operation | 'filter' | 'stream'): DefineCode {
  const code = codeHash(operation)
  return { type: 'define-code', code, kind: 'function', source: encodeNumber(1), sourceMap: undefined }
}

/** Arguments, constants, values and errors look alike: a tag that is never 0, and four bytes. */
export function encodeNumber(number: number): Uint8Array {
  const bytes = new Uint8Array(5)
  bytes[0] = 1
  new DataView(bytes.buffer).setUint32(1, number)
  return bytes
}

export function decodeNumber(bytes: Uint8Array): number {
  if (bytes.length === SKIPPED_VALUE.length && bytes[0] === SKIPPED_VALUE[0]) return NOTHING
  if (bytes.length !== 5 || bytes[0] !== 1) throw new Error(`no number in [${bytes.join(', ')}]`)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(1)
}

/** How long tasks of a template take. The name of a template ends with it. */
export type Pace = 'instant' | 'brisk' | 'short' | 'long' | 'erratic'
export const PACES: readonly Pace[] = ['instant', 'brisk', 'short', 'long', 'erratic']

/** One task as its client knows it. */
export interface Description {
  readonly operation: Operation
  readonly constant: number
  readonly argument: number
  /** Its own inputs, then those of its template. */
  readonly inputs: readonly Description[]
  /** What people see; known once the task has an id. */
  readonly key: string
  /** Which output of the task it is, if the task has several. `key` is the task's. */
  readonly output: number | undefined
  /** What becomes of it when inputs fail. */
  readonly rule?: DependencyErrorRule
  readonly outcome: Outcome
}

export type Outcome = (
  | { readonly type: 'value'; readonly number: number }
  /** Whichever of these failed first is the culprit. */
  | { readonly type: 'failure'; readonly culprits: ReadonlySet<Culprit> }
) & {
  /** It is `UNFORESEEN`, or `NOTHING`, if somewhere before it something failed that should not have. */
  readonly mayDiffer: boolean
}

export interface Culprit {
  readonly key: string
  /** `undefined` when the cluster failed it, as `code` says. */
  readonly error: number | undefined
  readonly code: ErrorCode | ''
  /** So many times it was started at least. */
  readonly leastAttempt: number
}

export function describe(given: Omit<Description, 'outcome'>): Description {
  return { ...given, outcome: outcomeOf(given) }
}

function outcomeOf({
  operation,
  constant,
  argument,
  inputs,
  key,
  output,
  rule = 'fail',
}: Omit<Description, 'outcome'>): Outcome {
  const numbers: number[] = []
  const culprits = new Set<Culprit>()
  for (const { outcome } of inputs) {
    if (outcome.type === 'value') numbers.push(outcome.number)
    else {
      numbers.push(FORESEEN_ERROR)
      for (const culprit of outcome.culprits) culprits.add(culprit)
    }
  }
  const comesOfOthers = inputs.some(({ outcome }) => outcome.mayDiffer)
  if (culprits.size > 0 && rule === 'fail') return { type: 'failure', culprits, mayDiffer: comesOfOthers }
  if (culprits.size > 0 && rule === 'skip') return { type: 'value', number: NOTHING, mayDiffer: comesOfOthers }
  const mayDiffer = comesOfOthers || (rule !== 'fail' && inputs.length > 0)
  const result = evaluate(operation, constant, argument, numbers)
  if (result.type === 'value') {
    return {
      type: 'value',
      number: output === undefined ? result.number : outputNumber(result.number, output),
      mayDiffer,
    }
  }
  const isFinal = operation === 'fatal' || operation === 'refused'
  const leastAttempt = isFinal ? 1 : 1 + retriesOf(operation, constant)
  const culprit: Culprit =
    result.type === 'error'
      ? { key, error: result.number, code: '', leastAttempt }
      : {
          key,
          error: undefined,
          code: result.type === 'exit' ? codeOfExit(result) : 'ERR_HEDDLE_TASK_TIMEOUT',
          leastAttempt,
        }
  return { type: 'failure', culprits: new Set([culprit]), mayDiffer }
}

function codeOfExit({ isOutOfMemory }: Result & { readonly type: 'exit' }): ErrorCode {
  return isOutOfMemory ? 'ERR_HEDDLE_OUT_OF_MEMORY' : 'ERR_HEDDLE_TASK_EXITED'
}

/** Is this the failure of one of them? */
export function isOneOf(
  culprits: ReadonlySet<Culprit>,
  { error, code, culpritKey }: FailureRecord,
): Culprit | undefined {
  const number = error.length === 0 ? undefined : decodeNumber(error)
  return [...culprits].find((each) => each.key === culpritKey && each.error === number && each.code === code)
}
