/**
 * Work on graphs is done in steps that are small whatever the size of the graph, so that a program with a million nodes on
 * its hands goes on with its other work. A generator that yields after each step is such work.
 */

/** How many nodes or edges a step handles. */
export const STEP_SIZE = 256

/** Work that yields between its steps, and returns what came of it. */
export type Steps<T> = Generator<undefined, T, undefined>

/** Does steps until they are all done, which gives their result, or until it is `deadlineMs`. Does one step at least. */
export function runUntil<T>(
  steps: Steps<T>,
  deadlineMs: number,
  nowMs: () => number,
): { readonly result: T } | undefined {
  for (;;) {
    const { done, value } = steps.next()
    if (done === true) return { result: value }
    if (nowMs() >= deadlineMs) return undefined
  }
}

/** Does all steps at once. */
export function runToEnd<T>(steps: Steps<T>): T {
  return runUntil(steps, Infinity, () => 0)!.result
}
