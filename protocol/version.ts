/** Versions of the protocol that this package speaks. Two processes talk in the highest that both know. */

export interface VersionRange {
  readonly lowest: number
  readonly highest: number
}

export const PROTOCOL_VERSIONS: VersionRange = Object.freeze({ lowest: 1, highest: 1 })

/** The highest version that both know, or `undefined` when they have none in common. */
export function commonVersion(ours: VersionRange, theirs: VersionRange): number | undefined {
  const highest = Math.min(ours.highest, theirs.highest)
  return highest >= Math.max(ours.lowest, theirs.lowest) ? highest : undefined
}
