/** Options as users give them: an unknown one is refused, with the one that was probably meant. */
import { HeddleError } from '../protocol/errors.js'

export function invalidOption(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}

/**
 * Refuses options that are not `known`: none may be ignored.
 *
 * @param where - Whose options they are, for people: `client.map()`.
 * @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION`
 */
export function checkOptionNames(where: string, given: unknown, known: readonly string[]): void {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw invalidOption(`The options of ${where} must be an object, and not ${describe(given)}.`)
  }
  for (const name of Object.keys(given)) if (!known.includes(name)) throw unknownOption(where, name, known)
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function checkTimeout(timeoutMs: unknown): void {
  if (timeoutMs === undefined || (typeof timeoutMs === 'number' && timeoutMs >= 0)) return
  throw invalidOption(`timeoutMs is ${describe(timeoutMs)}; give a number of milliseconds from 0 up.`)
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return
  throw invalidOption(`signal is ${describe(signal)}; give an AbortSignal.`)
}

/** A value in an error message: short, and told from a text that looks like it. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)
  if (typeof value === 'function') return 'a function'
  if (Array.isArray(value)) return 'an array'
  if (typeof value === 'object' && value !== null) return `a ${value.constructor?.name ?? 'bare object'}`
  return String(value)
}

function unknownOption(where: string, name: string, known: readonly string[]): HeddleError {
  if (known.length === 0) return invalidOption(`${where} has no options, so none called "${name}".`)
  const [closest] = [...known].sort((a, b) => distance(a, name) - distance(b, name))
  const isClose = closest !== undefined && distance(closest, name) <= Math.max(2, Math.floor(name.length / 3))
  const hint = isClose ? `did you mean "${closest}"?` : `it has ${known.join(', ')}.`
  return invalidOption(`${where} has no option "${name}"; ${hint}`)
}

/** How many letters must be put in, left out or changed to make one word of the other, in upper or lower case. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, i) => i)
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1]!.toLowerCase() === other[j - 1]!.toLowerCase()
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (isSame ? 0 : 1)))
    }
    row = next
  }
  return row[other.length]!
}
