/** What goes wrong in a simulation, and when: all of it drawn from its seed. */
import type { Rng } from '../common/rng.js'

/** What may go wrong in a simulation. To name one turns the others off. */
export interface Faults {
  /** How many workers die at most, with all that they run and hold. Others take their places. `true`: 4. */
  readonly workerCrashes?: boolean | number | undefined
  /** How often the scheduler dies at most; it comes back with what it keeps. `true`: 2. */
  readonly schedulerCrashes?: boolean | number | undefined
  /** How many connections break at most: of clients, and of workers with the scheduler or each other. `true`: 4. */
  readonly cuts?: boolean | number | undefined
  /** By how many milliseconds what is sent is late at most, while its connection keeps it in order. `true`: 50. */
  readonly delays?: boolean | number | undefined
}

export type ResolvedFaults = Readonly<Record<keyof Faults, number>>

/** What `true` stands for. */
export const ALL_FAULTS: ResolvedFaults = Object.freeze({ workerCrashes: 4, schedulerCrashes: 2, cuts: 4, delays: 50 })
export const NO_FAULTS: ResolvedFaults = Object.freeze({ workerCrashes: 0, schedulerCrashes: 0, cuts: 0, delays: 0 })

/** Programs are short or long: what is to happen at some chance does so early on, or later. */
const SPANS = [5, 50, 500] as const

/** Which of many chances something happens at. */
class Chances {
  readonly #hits = new Set<number>()
  #count = 0

  constructor(rng: Rng, most: number, scale: number) {
    for (let left = most === 0 ? 0 : rng.integer(0, most); left > 0; left--) {
      this.#hits.add(rng.integer(1, scale * rng.pick(SPANS)!))
    }
  }

  /** One more. Does it happen at this one? */
  next(): boolean {
    this.#count++
    return this.#hits.has(this.#count)
  }
}

/** Frames are many more than runs of tasks. */
const FRAMES = 10

export class DrawnFaults {
  readonly maxDelayMs: number
  /** How long a crashed scheduler is away, and until another worker comes. */
  readonly rng: Rng
  readonly #runs: Chances
  readonly #schedulerFrames: Chances
  readonly #frames: Chances

  constructor(rng: Rng, { workerCrashes, schedulerCrashes, cuts, delays }: ResolvedFaults) {
    this.rng = rng
    this.maxDelayMs = delays * rng.pick([0, 0.1, 1])!
    this.#runs = new Chances(rng.fork(), workerCrashes, 1)
    this.#schedulerFrames = new Chances(rng.fork(), schedulerCrashes, FRAMES)
    this.#frames = new Chances(rng.fork(), cuts, FRAMES)
  }

  /** A task is about to call its function, or has: does its worker die now? */
  killsWorker(): boolean {
    return this.#runs.next()
  }

  /** The scheduler sends something: does it die before it is through? */
  killsScheduler(): boolean {
    return this.#schedulerFrames.next()
  }

  /** Something is sent: does the connection break with it? */
  cutsConnection(): boolean {
    return this.#frames.next()
  }
}
