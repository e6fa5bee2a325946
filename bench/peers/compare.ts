/** Measures heddle and its peers in turn, A B A B, so that what else the machine does hits all of them alike. */
import type { Selection } from '../arguments.js'
import { percentile } from '../percentile.js'
import type { Result } from '../harness.js'
import { isInstalled, measurePeer, PEER_WORKLOADS, PEERS, type Peer } from './peers.js'

const ROUNDS = 2
const OURS = 'heddle'

export interface Comparison {
  readonly workload: string
  readonly unit: Result['unit']
  /** Heddle's first. */
  readonly systems: readonly { readonly name: string; readonly value: number }[]
}

type Measure = (selection: Selection) => Promise<Result>

/** Compares each workload that peers have. `tell` hears a line for each, and for each peer that is missing. */
export async function compare(
  selected: readonly Selection[],
  measure: Measure,
  tell: (line: string) => void,
): Promise<Comparison[]> {
  const installed: Peer[] = []
  for (const peer of PEERS) {
    if (await isInstalled(peer)) installed.push(peer)
    else tell(`${peer.name} is not installed (${peer.howToInstall}).`)
  }
  const comparisons: Comparison[] = []
  for (const selection of selected) {
    if (!PEER_WORKLOADS.has(selection.workload.name)) continue
    const comparison = await compareOne(selection, installed, measure, tell)
    comparisons.push(comparison)
    tell(describe(comparison))
  }
  return comparisons
}

async function compareOne(
  selection: Selection,
  peers: readonly Peer[],
  measure: Measure,
  tell: (line: string) => void,
): Promise<Comparison> {
  const { workload, params } = selection
  const values = new Map<string, number[]>([OURS, ...peers.map(({ name }) => name)].map((name) => [name, []]))
  for (let round = 0; round < ROUNDS; round++) {
    values.get(OURS)!.push((await measure(selection)).value)
    for (const peer of peers) {
      try {
        values.get(peer.name)?.push(await measurePeer(peer, workload.name, params))
      } catch (error) {
        // The others go on without it.
        tell(`${peer.name} failed at ${workload.name}: ${error instanceof Error ? error.message : String(error)}`)
        values.delete(peer.name)
      }
    }
  }
  const systems = [...values].map(([name, all]) => ({ name, value: percentile(all, 50) }))
  return { workload: workload.name, unit: workload.unit, systems }
}

/** How much work a system does in a time, whatever the unit: more is better. */
export function speedOf(unit: Result['unit'], value: number): number {
  return unit === 's' || unit === 'ms' || unit === 'us' ? 1 / value : value
}

function describe({ workload, unit, systems }: Comparison): string {
  const [ours, ...others] = systems
  const parts = others.map(({ name, value }) => {
    const ratio = speedOf(unit, ours!.value) / speedOf(unit, value)
    return `${name} ${shown(value)} (heddle is ${shown(ratio)} times as fast)`
  })
  return `${workload}, ${unit}: heddle ${shown(ours!.value)}; ${parts.join('; ') || 'no peer is installed'}`
}

export function shown(value: number): string {
  return Number(value.toPrecision(3)).toLocaleString('en')
}
