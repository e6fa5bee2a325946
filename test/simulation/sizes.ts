/** How many records something keeps, field by field; and whether that grows though it does the same again and again. */
import assert from 'node:assert/strict'

export type Sizes = Readonly<Record<string, number>>

/**
 * Counts, for each field of `root`, the entries of all maps, sets and lists that can be reached from it. What was counted for
 * one field is not counted again for another.
 */
export function sizesOf(root: object, skipped: readonly string[] = []): Sizes {
  const seen = new Set<unknown>([root])
  const sizes: Record<string, number> = {}
  for (const [name, value] of Object.entries(root)) if (!skipped.includes(name)) sizes[name] = countIn(value, seen)
  return sizes
}

function countIn(root: unknown, seen: Set<unknown>): number {
  let count = 0
  // A list of its own: what is kept may be deeper than calls go.
  const left: unknown[] = [root]
  while (left.length > 0) {
    const value = left.pop()
    if (typeof value !== 'object' || value === null || seen.has(value) || ArrayBuffer.isView(value)) continue
    seen.add(value)
    if (value instanceof Map) {
      count += value.size
      for (const [key, each] of value) left.push(key, each)
    } else if (value instanceof Set || Array.isArray(value)) {
      count += value instanceof Set ? value.size : value.length
      for (const each of value) left.push(each)
    } else {
      count += lengthOf(value)
      left.push(...Object.values(value))
    }
  }
  return count
}

/** Of queues and heaps, which keep to themselves what they have. */
function lengthOf(value: object): number {
  const { length, size } = value as { readonly length?: unknown; readonly size?: unknown }
  if (typeof length === 'number') return length
  return typeof size === 'number' ? size : 0
}

/** Adds what several of a kind keep. */
export function addSizes(all: readonly Sizes[]): Sizes {
  const total: Record<string, number> = {}
  for (const sizes of all) {
    for (const [name, size] of Object.entries(sizes)) total[name] = (total[name] ?? 0) + size
  }
  return total
}

/**
 * What is kept for ever grows by as much in each round, so that there is twice as much of it in the end as there was half way.
 * What has a limit, or comes and goes, is no more in the second half than in the first, give or take a quarter and `slack`.
 * @throws An error that names what grew.
 */
export function checkFlat(rounds: readonly Sizes[], slack: Readonly<Record<string, number>> = {}): void {
  const half = Math.ceil(rounds.length / 2)
  for (const name of new Set(rounds.flatMap((sizes) => Object.keys(sizes)))) {
    const series = rounds.map((sizes) => sizes[name] ?? 0)
    const before = Math.max(...series.slice(0, half))
    const after = Math.max(...series.slice(half))
    const allowed = before * 1.25 + (slack[name] ?? 8)
    assert(after <= allowed, `${name} grows from round to round: ${series.join(', ')}`)
  }
}
