/** Cancelling: what can be said of it, what comes of it, and signals that do it. */
import { MAX_GRACE_MS, STOP_GRACE_MS } from '../protocol/limits.js'
import type { Stopper } from '../protocol/messages/common.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import type { Place, Stretch } from './task-array.js'

/** Options of {@link Future.cancel} and {@link Client.cancel}. */
export interface CancelOptions {
  /** The `cause` of the error that whoever awaits the future gets. */
  readonly reason?: unknown
  /**
   * How many milliseconds code that runs has to end by itself once its `task.signal` has aborted; then its thread is
   * terminated. Default 500. A task that never took its signal has no grace.
   */
  readonly graceMs?: number | undefined
}

/** What {@link Future.cancel} resolves to, once the slot is free. */
export interface CancelResult {
  /**
   * `queue`: it had not started. `signal`: it ended by itself within its grace. `abandoned`: it still runs where nothing can
   * stop it, and its outcome is dropped. `thread`: its thread was terminated. `process`: its worker process ended. `none`:
   * it had ended before, or another client holds it too and it goes on.
   */
  readonly stoppedBy: Stopper
}

export interface ResolvedCancelOptions {
  readonly reason: unknown
  readonly graceMs: number
}

export function resolveCancelOptions(where: string, given: CancelOptions): ResolvedCancelOptions {
  checkOptionNames(where, given, ['reason', 'graceMs'])
  const { reason, graceMs = STOP_GRACE_MS } = given
  if (typeof graceMs === 'number' && graceMs >= 0 && graceMs <= MAX_GRACE_MS) {
    return { reason, graceMs: Math.ceil(graceMs) }
  }
  throw invalidOption(`graceMs is ${describe(graceMs)}; give milliseconds from 0 to ${MAX_GRACE_MS}.`)
}

/** Fewer are not worth looking through. */
const MIN_PRUNED = 64

/** Cancels tasks when their signal aborts. It holds their arrays and not their futures, which may be garbage meanwhile. */
export class AbortWatch {
  readonly #lists = new WeakMap<AbortSignal, Stretch[]>()
  readonly #cancel: (places: readonly Place[], reason: unknown) => void
  /** At so many entries of a list, those whose tasks have ended are dropped. */
  readonly #pruneAt = new WeakMap<AbortSignal, number>()

  constructor(cancel: (places: readonly Place[], reason: unknown) => void) {
    this.#cancel = cancel
  }

  add(signal: AbortSignal, watched: Stretch): void {
    if (signal.aborted) return this.#abort([watched], signal.reason)
    let list = this.#lists.get(signal)
    if (list === undefined) {
      list = []
      this.#lists.set(signal, list)
      signal.addEventListener('abort', () => this.#onAbort(signal), { once: true })
    }
    list.push(watched)
    if (list.length >= (this.#pruneAt.get(signal) ?? MIN_PRUNED)) this.#prune(signal, list)
  }

  #onAbort(signal: AbortSignal): void {
    const list = this.#lists.get(signal) ?? []
    this.#lists.delete(signal)
    this.#abort(list, signal.reason)
  }

  #abort(list: readonly Stretch[], reason: unknown): void {
    const places: Place[] = []
    for (const { array, first, end } of list) {
      for (let index = first; index < end; index++) if (array.isPending(index)) places.push({ array, index })
    }
    if (places.length > 0) this.#cancel(places, reason)
  }

  #prune(signal: AbortSignal, list: Stretch[]): void {
    const live = list.filter(({ array, first, end }) => {
      for (let index = first; index < end; index++) if (array.isPending(index)) return true
      return false
    })
    list.splice(0, list.length, ...live)
    this.#pruneAt.set(signal, Math.max(MIN_PRUNED, 2 * live.length))
  }
}
