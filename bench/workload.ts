/** What a workload is: work for a cluster, the answer that it must give, and the figure that counts. */
import type { Client, Future } from '../client/index.js'

/** A number that the command line can set. */
export interface Parameter {
  readonly initial: number
  readonly lowest: number
  readonly highest: number
}

export type Params<Name extends string = string> = Readonly<Record<Name, number>>

export interface Workload<Name extends string = string> {
  readonly name: string
  /** What it does, for the help. */
  readonly summary: string
  readonly unit: 'tasks/s' | 's' | 'ms'
  readonly parameters: Readonly<Record<Name, Parameter>>
  /** How often it is measured. The value is the median of these runs. */
  readonly runs: number
  /** Makes ready what is not part of the measured time, such as lists of arguments. */
  prepare(client: Client, params: Params<Name>): Work
  valueOf(run: Run, params: Params<Name>): number
}

/** Does the work once. Its time is taken from the call until it resolves, which is when the last value is here. */
export type Work = () => Promise<Outcome>

export interface Outcome {
  /** Of each call, where calls go one after another. */
  readonly latenciesMs?: readonly number[]
  /**
   * Checks the answer and lets go of the futures, outside the measured time.
   *
   * @throws {AssertionError} when the answer is wrong: a fast wrong answer is no result.
   */
  readonly finish: () => void | Promise<void>
}

/** One run, measured. */
export interface Run {
  readonly seconds: number
  /** Empty where calls don't go one after another. */
  readonly latenciesMs: readonly number[]
}

/** Releases futures, and waits until the scheduler has dropped them, so that the next run does not pay for it. */
export async function letGo(client: Client, futures: readonly Future<unknown>[]): Promise<void> {
  client.release(futures)
  await client.info() // Answered after what was sent before it.
}
