/**
 * The place in the user's code that submitted a task, for the stack of the error that the task may throw. Taken at most
 * once for each call of `submit` or `map`: a few frames, whose text is made only when a task failed.
 */

/** Holds the frames. Its `stack` is rendered when it is first read. */
export interface SubmitSite {
  readonly stack?: string
}

const FRAMES = 3

/** From this many calls in one turn on, for the same template, the place is taken to be that of the last one. */
const CALLS_LOOKED_AT = 100

type Called = (...args: never[]) => unknown

/**
 * Takes the places of submits. To look at the stack costs more than all else that `submit` does, so a loop that submits
 * thousands of tasks of one function is looked at for its first hundred only: the rest come from the same place.
 */
export class SubmitSites {
  #template: object | undefined
  #turn = -1
  #calls = 0
  #site: SubmitSite = {}

  /** The place that called `called`, which must be on the stack, to make a task of `template`. */
  take(called: Called, template: object, turn: number): SubmitSite {
    if (template !== this.#template || turn !== this.#turn) {
      this.#template = template
      this.#turn = turn
      this.#calls = 0
    }
    this.#calls += 1
    if (this.#calls <= CALLS_LOOKED_AT) this.#site = capture(called)
    return this.#site
  }
}

function capture(called: Called): SubmitSite {
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
