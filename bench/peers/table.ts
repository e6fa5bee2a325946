/** Comparisons as people read them. */
import { textTable } from '../text-table.js'
import { ratioOf, shown, type Comparison } from './compare.js'

/** A row for each workload: heddle's value, and for each peer its value and how many times as fast heddle is. */
export function comparisonTable(comparisons: readonly Comparison[]): string {
  const names = [...new Set(comparisons.flatMap(({ peers }) => peers.map(({ name }) => name)))]
  const rows = comparisons.map((comparison) => {
    const cells = names.map((name) => {
      const peer = comparison.peers.find((each) => each.name === name)
      return peer === undefined ? '–' : `${shown(peer.value)} (${shown(ratioOf(comparison, peer.value))} ×)`
    })
    return [comparison.workload, comparison.unit, shown(comparison.value), ...cells]
  })
  return textTable([['WORKLOAD', 'UNIT', 'HEDDLE', ...names.map((name) => name.toUpperCase())], ...rows])
}
