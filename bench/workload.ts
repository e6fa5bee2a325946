/** What a workload is: work for a cluster, the answer that it must give, and the figure that counts. */
import type { Client, Future } from '../client/index.js'

/** A number that the command line can set. */
export interface Parameter {
  readonly initial: number
  readonly lowest: number
  readonly highest: number
}

export type Params<Name extends string = string> = Readonly<Record<Name, number>>

/** Figures beside the one that counts, by their names in the JSON. */
export type Figures = Readonly<Record<string, number>>

interface Described<Name extends string> {
  readonly name: string
  /** What it does, for the help. */
  readonly summary: string
  readonly unit: 'tasks/s' | 'records/s' | 'GiB/s' | 's' | 'ms' | 'us' | 'efficiency'
  readonly parameters: Readonly<Record<Name, Parameter>>
}

export type Workload<Name extends string = string> = ClusterWorkload<Name> | StandaloneWorkload<Name>

/** Runs on a warm cluster that the harness starts, as often as it says. */
export interface ClusterWorkload<Name extends string = string> extends Described<Name> {
  readonly type: 'on-cluster'
  /** How often it is measured. The value is the median of these runs. */
  readonly runs: number
  /** Runs before those, in which code is compiled and memory is touched for the first time; two if it does not say. */
  readonly warmUps?: number
  /** Makes ready what is not part of the measured time, such as lists of arguments. */
  prepare(client: Client, params: Params<Name>): Work
  valueOf(run: Run, params: Params<Name>): number
}

/** Starts what it measures by itself. */
export interface StandaloneWorkload<Name extends string = string> extends Described<Name> {
  readonly type: 'standalone'
  measure(params: Params<Name>, onProgress: (step: string) => void): StandaloneResult | Promise<StandaloneResult>
}

export interface StandaloneResult {
  readonly value: number
  readonly figures: Figures
}

/** Does the work once. Its time is taken from the call until it resolves, which is when the last value is here. */
export type Work = () => Promise<Outcome>

export interface Outcome {
  /** Of each call, where calls go one after another. */
  readonly latenciesMs?: readonly number[]
  /** What the work measured by itself. */
  readonly figures?: Figures
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
  readonly figures: Figures
}

/** Releases futures, and waits until the scheduler has dropped them, so that the next run does not pay for it. */
export async function letGo(client: Client, futures: readonly Future<unknown>[]): Promise<void> {
  client.release(futures)
  await client.info() // Answered after what was sent before it.
}
