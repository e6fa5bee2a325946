/**
 * Who runs in a simulation: a process, or a thread of one. All of them share a real thread; whose code runs is known by its
 * asynchronous context. One that is dead gets no turn any more: what it waited for does not come, as its timers and sockets
 * are gone with it.
 */
import { AsyncLocalStorage } from 'node:async_hooks'
import { Rng } from '../common/rng.js'
import type { Agenda, Entry } from './agenda.js'

/** What all actors of one simulation share. */
export interface World {
  readonly agenda: Agenda
  /** What `Math.random` gives hangs on it. */
  readonly seed: number
  /** How long things take. */
  readonly rng: Rng
  /** Processes may be held up a while before a turn. */
  readonly areDelayed: boolean
  /** An exception that nothing caught, in a callback of this actor. */
  readonly onUncaught: (error: unknown, actor: Actor) => void
}

const actors = new AsyncLocalStorage<Actor>()

/** A process that is held up stands still for so long at most. */
const MAX_STALL_MS = 20
const STALL_CHANCE = 0.02

export class Actor {
  readonly name: string
  readonly world: World
  /** What `Math.random` gives: the same whenever one of this name runs with this seed. */
  readonly random: Rng
  readonly #process: Actor | undefined
  /** A process lives longer than its threads, and has many of them in its time. */
  readonly #forgetProcess: (() => void) | undefined
  readonly #onDeath = new Set<() => void>()
  #isDead = false
  #lastTurnMs = 0

  /** @param process - Whose thread it is. */
  constructor(name: string, world: World, process?: Actor) {
    this.name = name
    this.world = world
    this.random = new Rng(seedOf(name, world.seed))
    this.#process = process
    this.#forgetProcess = process?.onDeath(() => this.kill())
  }

  get isDead(): boolean {
    return this.#isDead || this.#process?.isDead === true
  }

  /** Ends it at once. */
  kill(): void {
    if (this.#isDead) return
    this.#isDead = true
    this.#forgetProcess?.()
    for (const hear of [...this.#onDeath]) hear()
    this.#onDeath.clear()
  }

  /** Calls back when it dies. Returns what calls that off. */
  onDeath(hear: () => void): () => void {
    this.#onDeath.add(hear)
    return () => void this.#onDeath.delete(hear)
  }

  /** Calls what is code of this actor. */
  run<T>(call: () => T): T {
    return actors.run(this, call)
  }

  /** Has it do something later, if it lives then. */
  in(delayMs: number, action: () => void): Entry {
    return this.world.agenda.in(delayMs, () => {
      if (!this.isDead) this.run(() => this.attempt(action))
    })
  }

  /** Calls back, and takes what nothing catches for an exception of this actor. */
  attempt(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.world.onUncaught(error, this)
    }
  }

  /** Has it do something in its next turn: soon, and after what it was to do before. */
  inNextTurn(action: () => void): Entry {
    const { agenda, rng, areDelayed } = this.world
    const isStalled = areDelayed && rng.chance(STALL_CHANCE)
    const atMs = agenda.nowMs + (isStalled ? rng.between(0, MAX_STALL_MS) : rng.between(0, 0.05))
    this.#lastTurnMs = Math.max(this.#lastTurnMs, atMs)
    return this.in(this.#lastTurnMs - agenda.nowMs, action)
  }
}

function seedOf(name: string, worldSeed: number): number {
  let seed = worldSeed
  for (const letter of name) seed = (Math.imul(seed, 31) + letter.codePointAt(0)!) | 0
  return seed
}

/** Whose code runs now, if it is part of a simulation. */
export function currentActor(): Actor | undefined {
  return actors.getStore()
}

/** Calls what is no part of any simulation. */
export function outsideSimulations<T>(call: () => T): T {
  return actors.exit(call)
}
