/** Order statistics of a handful of numbers. */

/** The smallest of `values` that is no less than `percent` of them (nearest rank). There must be one. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length))
  return sorted[rank - 1]!
}
