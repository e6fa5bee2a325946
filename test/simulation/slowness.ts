/**
 * Workers that are slow by design: tasks, values or words of theirs take many times longer than those of others, as with an old
 * processor, a slow disk or a long way; and so do values between some pairs of members. Then transfers are still under way when
 * their holders go, tasks that were sent ahead wait for what is pushed, and cancels and time-outs come in the midst of it all.
 */
import type { Rng } from '../../common/rng.js'

/** How many times longer than usual a worker takes to run a task, to hand a value over, and to say or hear something. */
export interface Pace {
  readonly runs: number
  readonly serves: number
  readonly says: number
}

const USUAL: Pace = { runs: 1, serves: 1, says: 1 }
const FACTORS = [10, 50] as const
/** The probability that a worker is slow, and that the way between two members is. */
const SLOW_WORKERS = 0.4
const SLOW_WAYS = 0.1

export class Slowness {
  readonly #rng: Rng | undefined
  readonly #ways = new Map<string, number>()

  /** @param rng - For this alone; `undefined` where nobody is slow. */
  constructor(rng: Rng | undefined) {
    this.#rng = rng
  }

  /** What another worker is like. */
  drawPace(): Pace {
    const rng = this.#rng
    if (rng?.chance(SLOW_WORKERS) !== true) return USUAL
    const factor = rng.pick(FACTORS)!
    const slow = { runs: factor, serves: factor, says: factor }
    return rng.pick([slow, { ...USUAL, runs: factor }, { ...USUAL, serves: factor }, { ...USUAL, says: factor }])!
  }

  /** How many times longer than usual values take between two members, whoever hands them over. It stays as it is. */
  ofWay(from: string, to: string): number {
    const rng = this.#rng
    if (rng === undefined) return 1
    const pair = `${from} ${to}`
    let factor = this.#ways.get(pair)
    if (factor === undefined) {
      factor = rng.chance(SLOW_WAYS) ? rng.pick(FACTORS)! : 1
      this.#ways.set(pair, factor)
    }
    return factor
  }
}
