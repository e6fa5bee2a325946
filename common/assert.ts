/**
 * Assertions about our own promises. A failing one is a bug of ours, so it stops the process with its story;
 * what a peer, a file or a user sends is parsed and refused instead, never asserted.
 */

/** A promise of ours did not hold. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'
}

/** Throws when `condition` does not hold. What is asserted often makes its text only then. */
export function assert(condition: boolean, message: string | (() => string)): asserts condition {
  if (!condition) throw new AssertionError(typeof message === 'string' ? message : message())
}

/** Ends a `switch` over a union: a member nobody handled does not compile. */
export function unreachable(value: never): never {
  throw new AssertionError(`no case for ${JSON.stringify(value)}`)
}

/** Returns `value`, which our own bookkeeping says is there. */
export function present<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new AssertionError(`${what} is missing`)
  return value
}
