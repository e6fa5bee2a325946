/** Limits of the cluster as a client uses them: it declares them, and takes units of them itself. */
import { HeddleError, TimeoutError } from '../protocol/errors.js'
import { MAX_LIMITS } from '../protocol/limits.js'
import type { ClientToScheduler, SchedulerToClient } from '../protocol/messages/client.js'
import { describeLimit, isSameLimit, type LimitDeclaration } from '../protocol/messages/limit.js'
import { interruptible } from './interruptible.js'
import type { AcquireOptions } from './limit-options.js'
import { checkOptionNames, checkTimeout, invalidOption } from './options.js'

/** One unit of a limit, until it is released: by `release()`, by the end of an `await using`, or with its client. */
export interface HeldUnit extends AsyncDisposable {
  /** Gives a unit of a semaphore back. A second call does nothing, and nor does one for a rate limit. */
  release(): Promise<void>
}

/** A count of units that all tasks and clients of the cluster share: so many have one at once. */
export interface Semaphore {
  /** What tasks call it in their `limits`. */
  readonly name: string
  /** How many there are in the whole cluster. */
  readonly units: number
  /**
   * Waits for a unit, in the order of the calls.
   *
   * @throws {TimeoutError} when that takes longer than `timeoutMs`.
   * @throws {HeddleError} `ERR_HEDDLE_LIMIT_CONFLICT` when the cluster has another limit of this name.
   * @example
   * ```ts
   * const licences = client.semaphore('licences', 2)
   * await using held = await licences.acquire({ timeoutMs: 60_000 })
   * ```
   */
  acquire(options?: AcquireOptions): Promise<HeldUnit>
}

/** How often something may begin, in the whole cluster. */
export interface RateLimit {
  /** What tasks call it in their `limits`. */
  readonly name: string
  /** How many may begin in a second, in the whole cluster. */
  readonly perSecond: number
  /** How many may begin at once after a quiet time. */
  readonly burst: number
  /**
   * Waits until the next may begin. What it gives back has nothing to release.
   *
   * @throws As {@link Semaphore.acquire}.
   */
  acquire(options?: AcquireOptions): Promise<HeldUnit>
}

/** A question that is asked, and its answer. */
interface Asked {
  readonly request: number
  readonly answer: Promise<SchedulerToClient>
}

export interface LimitsOptions {
  readonly send: (message: ClientToScheduler) => void
  readonly ask: (question: (request: number) => ClientToScheduler) => Asked
  /** The answer to a question is not waited for any more. */
  readonly forget: (request: number) => void
}

export class Limits {
  readonly #options: LimitsOptions
  readonly #declared = new Map<string, LimitDeclaration>()
  /** Why the cluster did not take a declaration. */
  readonly #refused = new Map<string, HeddleError>()

  constructor(options: LimitsOptions) {
    this.#options = options
  }

  /** @throws {HeddleError} `ERR_HEDDLE_LIMIT_CONFLICT` when this client, or the cluster, knows the name as another limit. */
  declare(limit: LimitDeclaration): void {
    const { name } = limit
    const refused = this.#refused.get(name)
    if (refused !== undefined) throw refused
    const known = this.#declared.get(name)
    if (known === undefined) {
      if (this.#declared.size >= MAX_LIMITS) {
        throw invalidOption(`This client has ${MAX_LIMITS} limits by name; use fewer names.`)
      }
      this.#declared.set(name, limit)
      this.#options.send({ type: 'declare-limit', limit })
    } else if (!isSameLimit(known, limit)) {
      throw conflict(
        `This client has declared "${name}" as ${describeLimit(known)}, not ${describeLimit(limit)}; take another name.`,
      )
    }
  }

  /** The cluster has another limit of this name: who declares it again is told, and so is whoever reads warnings. */
  onRefused(name: string, reason: string): void {
    if (!this.#declared.delete(name)) return
    this.#refused.set(name, conflict(reason))
    process.emitWarning(reason, { type: 'HeddleWarning', code: 'ERR_HEDDLE_LIMIT_CONFLICT' })
  }

  async acquire(limit: LimitDeclaration, options: AcquireOptions = {}): Promise<HeldUnit> {
    checkOptionNames('acquire()', options, ['timeoutMs', 'signal'])
    const { timeoutMs, signal } = options
    checkTimeout(timeoutMs)
    signal?.throwIfAborted()
    const { send, ask, forget } = this.#options
    const { request, answer } = ask((number) => ({ type: 'take-unit', request: number, limit }))
    const timedOut = (): Error =>
      new TimeoutError(`No unit of "${limit.name}" was free within ${timeoutMs} ms; wait longer, or find who has them.`)
    let told: SchedulerToClient
    try {
      told = await interruptible(answer, { timeoutMs, signal, timedOut })
    } catch (error) {
      // It may be on its way here.
      forget(request)
      send({ type: 'return-unit', request })
      throw error
    }
    if (told.type === 'unit-refused') throw conflict(told.reason)
    return new Unit(limit.kind === 'rate' ? undefined : () => send({ type: 'return-unit', request }))
  }
}

class Unit implements HeldUnit {
  #giveBack: (() => void) | undefined

  constructor(giveBack: (() => void) | undefined) {
    this.#giveBack = giveBack
  }

  release(): Promise<void> {
    const giveBack = this.#giveBack
    this.#giveBack = undefined
    giveBack?.()
    return Promise.resolve()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.release()
  }
}

function conflict(message: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_LIMIT_CONFLICT', message)
}
