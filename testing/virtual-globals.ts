/**
 * Time and chance for the code of a simulation, by the names that any code knows them by. Who is no part of one, as a test
 * runner or another test, gets the real ones. What garbage a simulation leaves is not collected before it ends: when that
 * happens is up to no seed.
 */
import { AsyncResource } from 'node:async_hooks'
import { syncBuiltinESMExports } from 'node:module'
import timers from 'node:timers'
import timersPromises from 'node:timers/promises'
import { promisify } from 'node:util'
import { currentActor, type Actor } from './actor.js'
import type { Entry } from './agenda.js'

/** Simulations begin then: a time that is as good as any, and the same each time. */
const EPOCH_MS = Date.UTC(2026, 0, 1)
/** Node takes a longer delay for one of a millisecond. */
const MAX_DELAY_MS = 2 ** 31 - 1

const NO_CPU: NodeJS.CpuUsage = Object.freeze({ user: 0, system: 0 })
const RSS_BYTES = 2 ** 26

type Callback = (...args: unknown[]) => void

/** A timer's callback is code of whoever set it, as of a task that may await it, and not of what lets time go on. */
function inContext(actor: Actor, call: () => void): () => void {
  return AsyncResource.bind(() => actor.attempt(call))
}

class VirtualTimer {
  readonly #actor: Actor
  readonly #delayMs: number
  readonly #repeats: boolean
  readonly #call: () => void
  #entry: Entry
  #isReferenced = true

  constructor(actor: Actor, call: () => void, delayMs: unknown, repeats = false) {
    const wanted = Number(delayMs)
    this.#actor = actor
    this.#delayMs = wanted >= 1 && wanted <= MAX_DELAY_MS ? wanted : 1
    this.#repeats = repeats
    this.#call = inContext(actor, call)
    this.#entry = this.#arm()
  }

  #arm(): Entry {
    return this.#actor.in(this.#delayMs, () => {
      if (this.#repeats) this.#entry = this.#arm()
      this.#call()
    })
  }

  close(): this {
    this.#actor.world.agenda.cancel(this.#entry)
    return this
  }

  refresh(): this {
    this.close()
    this.#entry = this.#arm()
    return this
  }

  ref(): this {
    this.#isReferenced = true
    return this
  }

  unref(): this {
    this.#isReferenced = false
    return this
  }

  hasRef(): boolean {
    return this.#isReferenced
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

class VirtualImmediate {
  readonly #actor: Actor
  readonly #entry: Entry

  constructor(actor: Actor, call: () => void) {
    this.#actor = actor
    this.#entry = actor.inNextTurn(inContext(actor, call))
  }

  close(): void {
    this.#actor.world.agenda.cancel(this.#entry)
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.dispose](): void {
    this.close()
  }
}

/** Never tells of anything that was collected, and so keeps nothing from it. */
class SilentRegistry {
  register(): void {}
  unregister(): boolean {
    return false
  }
}

class StrongRef {
  readonly #target: object
  constructor(target: object) {
    this.#target = target
  }
  deref(): object {
    return this.#target
  }
}

/** The real ones, for those who drive a simulation. */
const real = {
  setTimeout: globalThis.setTimeout,
  setInterval: globalThis.setInterval,
  setImmediate: globalThis.setImmediate,
  clearTimeout: globalThis.clearTimeout,
  clearInterval: globalThis.clearInterval,
  clearImmediate: globalThis.clearImmediate,
  now: performance.now.bind(performance),
  hrtime: process.hrtime,
  cpuUsage: process.cpuUsage.bind(process),
  rss: process.memoryUsage.rss,
  Date: globalThis.Date,
  random: Math.random,
  FinalizationRegistry: globalThis.FinalizationRegistry,
  WeakRef: globalThis.WeakRef,
  timeout: AbortSignal.timeout.bind(AbortSignal),
  pause: timersPromises.setTimeout,
  turn: timersPromises.setImmediate,
  ticks: timersPromises.setInterval,
  wait: timersPromises.scheduler.wait.bind(timersPromises.scheduler),
} as const

let users = 0
let restore = (): void => undefined

/** Has simulations find virtual time. Real time is back when all that asked have let go. */
export function useVirtualGlobals(): Disposable {
  if (users++ === 0) restore = install()
  let isHeld = true
  return {
    [Symbol.dispose]: () => {
      if (isHeld && --users === 0) restore()
      isHeld = false
    },
  }
}

/** Resolves when all that was due in the real world is through, with every promise that it settled. */
export function realTurn(): Promise<void> {
  return new Promise((resolve) => real.setImmediate(resolve))
}

function install(): () => void {
  const undo: (() => void)[] = []
  const replace = (target: object, name: string, value: unknown): void => {
    const before = Object.getOwnPropertyDescriptor(target, name)
    Object.defineProperty(target, name, {
      value,
      configurable: true,
      writable: true,
      enumerable: before?.enumerable ?? false,
    })
    undo.push(() => {
      if (before === undefined) Reflect.deleteProperty(target, name)
      else Object.defineProperty(target, name, before)
    })
  }
  for (const [name, value] of Object.entries(virtualTimers())) {
    replace(globalThis, name, value)
    replace(timers, name, value)
  }
  replace(timersPromises, 'setTimeout', pause)
  replace(timersPromises, 'setImmediate', turn)
  replace(timersPromises, 'setInterval', ticks)
  replace(timersPromises.scheduler, 'wait', (delayMs: number, options?: PauseOptions) => {
    return currentActor() === undefined ? real.wait(delayMs, options) : pause(delayMs, undefined, options)
  })
  replace(performance, 'now', () => currentActor()?.world.agenda.nowMs ?? real.now())
  replace(process, 'hrtime', hrtime())
  // What this process takes is not what a simulated one does, and never the same twice.
  replace(process, 'cpuUsage', (since?: NodeJS.CpuUsage) =>
    currentActor() === undefined ? real.cpuUsage(since) : NO_CPU,
  )
  replace(process.memoryUsage, 'rss', () => (currentActor() === undefined ? real.rss() : RSS_BYTES))
  replace(globalThis, 'Date', virtualDate())
  replace(Math, 'random', () => currentActor()?.random.next() ?? real.random())
  replace(AbortSignal, 'timeout', abortIn)
  replace(
    globalThis,
    'FinalizationRegistry',
    inSimulations(real.FinalizationRegistry, () => new SilentRegistry()),
  )
  replace(
    globalThis,
    'WeakRef',
    inSimulations(real.WeakRef, ([target]) => new StrongRef(target as object)),
  )
  syncBuiltinESMExports()
  return () => {
    for (const each of undo.reverse()) each()
    syncBuiltinESMExports()
  }
}

function virtualTimers(): Readonly<Record<string, unknown>> {
  const setTimeout = (call: Callback, delayMs?: number, ...args: unknown[]): unknown => {
    const actor = currentActor()
    if (actor === undefined) return real.setTimeout(call, delayMs, ...args)
    return new VirtualTimer(actor, () => call(...args), delayMs)
  }
  const setInterval = (call: Callback, delayMs?: number, ...args: unknown[]): unknown => {
    const actor = currentActor()
    if (actor === undefined) return real.setInterval(call, delayMs, ...args)
    return new VirtualTimer(actor, () => call(...args), delayMs, true)
  }
  const setImmediate = (call: Callback, ...args: unknown[]): unknown => {
    const actor = currentActor()
    if (actor === undefined) return real.setImmediate(call, ...args)
    return new VirtualImmediate(actor, () => call(...args))
  }
  // What `promisify` makes of them is in node:timers/promises.
  Object.defineProperty(setTimeout, promisify.custom, { value: pause })
  Object.defineProperty(setImmediate, promisify.custom, { value: turn })
  const clear =
    (clearReal: (timer: never) => void) =>
    (timer: unknown): void => {
      if (timer instanceof VirtualTimer || timer instanceof VirtualImmediate) timer.close()
      else clearReal(timer as never)
    }
  return {
    setTimeout,
    setInterval,
    setImmediate,
    clearTimeout: clear(real.clearTimeout),
    clearInterval: clear(real.clearInterval),
    clearImmediate: clear(real.clearImmediate),
  }
}

interface PauseOptions {
  readonly signal?: AbortSignal
  readonly ref?: boolean
}

function pause<T>(delayMs?: number, value?: T, options?: PauseOptions): Promise<T> {
  const actor = currentActor()
  if (actor === undefined) return real.pause(delayMs, value, options)
  return waited(value as T, options?.signal, (call) => new VirtualTimer(actor, call, delayMs))
}

function turn<T>(value?: T, options?: PauseOptions): Promise<T> {
  const actor = currentActor()
  if (actor === undefined) return real.turn(value, options)
  return waited(value as T, options?.signal, (call) => new VirtualImmediate(actor, call))
}

function waited<T>(
  value: T,
  signal: AbortSignal | undefined,
  start: (call: () => void) => { close(): unknown },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => {
      timer?.close()
      reject(Object.assign(new Error('The operation was aborted', { cause: signal?.reason }), ABORTED))
    }
    if (signal?.aborted === true) return aborted()
    const timer: { close(): unknown } | undefined = start(() => {
      signal?.removeEventListener('abort', aborted)
      resolve(value)
    })
    signal?.addEventListener('abort', aborted, { once: true })
  })
}

/** As Node has it. */
const ABORTED = Object.freeze({ name: 'AbortError', code: 'ABORT_ERR' })

function ticks<T>(delayMs?: number, value?: T, options?: PauseOptions): AsyncIterable<T> {
  if (currentActor() === undefined) return real.ticks(delayMs, value, options)
  return (async function* () {
    for (;;) yield await pause(delayMs, value, options)
  })() as AsyncIterable<T>
}

function abortIn(delayMs: number): AbortSignal {
  const actor = currentActor()
  if (actor === undefined) return real.timeout(delayMs)
  const controller = new AbortController()
  const message = 'The operation was aborted due to timeout'
  new VirtualTimer(actor, () => controller.abort(new DOMException(message, 'TimeoutError')), delayMs)
  return controller.signal
}

function hrtime(): NodeJS.HRTime {
  const virtual = (since?: [number, number]): [number, number] => {
    const nowMs = currentActor()?.world.agenda.nowMs
    if (nowMs === undefined) return real.hrtime(since)
    const seconds = Math.floor(nowMs / 1_000)
    const nanoseconds = Math.floor((nowMs - seconds * 1_000) * 1e6)
    if (since === undefined) return [seconds, nanoseconds]
    const borrowed = nanoseconds < since[1] ? 1 : 0
    return [seconds - since[0] - borrowed, nanoseconds - since[1] + borrowed * 1e9]
  }
  const bigint = (): bigint => {
    const nowMs = currentActor()?.world.agenda.nowMs
    return nowMs === undefined ? real.hrtime.bigint() : BigInt(Math.floor(nowMs * 1e6))
  }
  return Object.assign(virtual, { bigint })
}

function virtualDate(): DateConstructor {
  const nowMs = (actor: Actor): number => EPOCH_MS + Math.floor(actor.world.agenda.nowMs)
  const now = (): number => {
    const actor = currentActor()
    return actor === undefined ? real.Date.now() : nowMs(actor)
  }
  return new Proxy(real.Date, {
    get: (target, name) => (name === 'now' ? now : (Reflect.get(target, name) as unknown)),
    apply: () => new real.Date(now()).toString(),
    construct: (target, args: unknown[], newTarget) => {
      return Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget) as object
    },
  })
}

function inSimulations<C extends new (...args: never[]) => object>(
  whole: C,
  make: (args: readonly unknown[]) => object,
): C {
  return new Proxy(whole, {
    construct: (target, args: unknown[], newTarget) => {
      return currentActor() === undefined ? (Reflect.construct(target, args, newTarget) as object) : make(args)
    },
  })
}
