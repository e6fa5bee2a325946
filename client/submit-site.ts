/**
 * The place in the user's code that submitted a task, for the stack of the error that the task may throw. Taken once for
 * each call of `submit` or `map`, so it must be cheap: a few frames, and their text is made only when a task failed.
 */

/** Holds the frames. Its `stack` is rendered when it is first read. */
export interface SubmitSite {
  readonly stack?: string
}

const FRAMES = 3

/** The place that called `called`, which must be on the stack. */
export function captureSubmitSite(called: (...args: never[]) => unknown): SubmitSite {
  const site: SubmitSite = {}
  const usual = Error.stackTraceLimit
  Error.stackTraceLimit = FRAMES
  Error.captureStackTrace(site, called)
  Error.stackTraceLimit = usual
  return site
}

/** Adds the place to the end of an error's stack. */
export function appendSubmitSite(error: Error, site: SubmitSite | undefined): void {
  // The first line stands for the message of an error, which a site has none of.
  const frames = site?.stack?.split('\n').slice(1) ?? []
  if (frames.length === 0) return
  error.stack = `${error.stack ?? String(error)}\n  submitted\n${frames.join('\n')}`
}
