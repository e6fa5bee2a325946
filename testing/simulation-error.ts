import { HeddleError } from '../protocol/errors.js'

/**
 * A program did not stand what went wrong in a simulation of it: `cause` is what it threw, if it threw. The same seed, with the
 * same options, does it again.
 */
export class SimulationError extends HeddleError {
  override readonly name = 'SimulationError'
  /** To be given to `simulate` to see just this again; `undefined` when the program fails without any fault. */
  readonly seed: number | undefined
  constructor(message: string, seed: number | undefined, cause: unknown) {
    super('ERR_HEDDLE_SIMULATION', message, { cause })
    this.seed = seed
  }
}
