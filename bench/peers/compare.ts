/** Measures heddle and its peers in turn, A B A B, so that what else the machine does hits all of them alike. */
import type { Selection } from '../arguments.js'
import { percentile } from '../percentile.js'
import type { Result } from '../harness.js'
import { isInstalled, measurePeer, PEER_WORKLOADS, PEERS, type Peer } from './peers.js'

const ROUNDS = 3

export interface Comparison {
  readonly workload: string
  readonly unit: Result['unit']
  /** Heddle's. */
  readonly value: number
  /** Those that were measured. */
  readonly peers: readonly { readonly name: string; readonly value: number }[]
}

export interface ComparisonOptions {
  readonly measure: (selection: Selection) => Promise<Result>
  /** Hears what can't be compared, and why. */
  readonly tell: (line: string) => void
  /** Past it no round begins; each workload that did not have its first by then is left out. */
  readonly minutes: number
  readonly peers?: readonly Peer[]
  readonly nowMs?: () => number
}

/** Compares each workload that peers have. All have their first round before any has its second. */
export async function compare(
  selected: readonly Selection[],
  { measure, tell, minutes, peers = PEERS, nowMs = () => performance.now() }: ComparisonOptions,
): Promise<Comparison[]> {
  const installed: Peer[] = []
  for (const peer of peers) {
    if (await isInstalled(peer)) installed.push(peer)
    else tell(`${peer.name} is not installed (${peer.howToInstall}).`)
  }
  const endMs = nowMs() + minutes * 60_000
  const all = selected.filter(({ workload }) => PEER_WORKLOADS.has(workload.name))
  const series = all.map((selection) => new Series(selection, installed))
  for (let round = 0; round < ROUNDS; round++) {
    for (const each of series) if (nowMs() < endMs) await each.run(measure, tell)
  }
  for (const each of series) if (!each.hasRun) tell(`${each.workload} is left out: the ${minutes} minutes are over.`)
  return series.filter(({ hasRun }) => hasRun).map((each) => each.comparison())
}

/** One workload's values so far. */
class Series {
  readonly #selection: Selection
  readonly #ours: number[] = []
  readonly #peers: Map<Peer, number[]>

  constructor(selection: Selection, peers: readonly Peer[]) {
    this.#selection = selection
    const able = peers.filter(({ lacks }) => !lacks.includes(selection.workload.name))
    this.#peers = new Map(able.map((peer) => [peer, []]))
  }

  get workload(): string {
    return this.#selection.workload.name
  }

  get hasRun(): boolean {
    return this.#ours.length > 0
  }

  async run(measure: ComparisonOptions['measure'], tell: ComparisonOptions['tell']): Promise<void> {
    this.#ours.push((await measure(this.#selection)).value)
    for (const [peer, values] of this.#peers) {
      try {
        values.push(await measurePeer(peer, this.workload, this.#selection.params))
      } catch (error) {
        // The others go on without it.
        tell(`${peer.name} failed at ${this.workload}: ${error instanceof Error ? error.message : String(error)}`)
        this.#peers.delete(peer)
      }
    }
  }

  comparison(): Comparison {
    const peers = [...this.#peers].map(([{ name }, values]) => ({ name, value: percentile(values, 50) }))
    const { name: workload, unit } = this.#selection.workload
    return { workload, unit, value: percentile(this.#ours, 50), peers }
  }
}

/** How many times as fast heddle is as a peer that has `value`. */
export function ratioOf({ unit, value: ours }: Comparison, value: number): number {
  return speedOf(unit, ours) / speedOf(unit, value)
}

/** How much work a system does in a time, whatever the unit: more is better. */
export function speedOf(unit: Result['unit'], value: number): number {
  return unit === 's' || unit === 'ms' || unit === 'us' ? 1 / value : value
}

/** Three digits are more than two runs agree on. */
export function shown(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en')
}
