/** Versions of the protocol that this package speaks. Two processes talk in the highest that both know. */

export interface VersionRange {
  readonly lowest: number
  readonly highest: number
}

/** Counted from the first release on: until then messages change without a new number. */
export const PROTOCOL_VERSIONS: VersionRange = Object.freeze({ lowest: 1, highest: 1 })

/** The highest version that both know, or `undefined` when they have none in common. */
export function commonVersion(ours: VersionRange, theirs: VersionRange): number | undefined {
  const highest = Math.min(ours.highest, theirs.highest)
  return highest >= Math.max(ours.lowest, theirs.lowest) ? highest : undefined
}

/** Do both run the same major version of Node? If not, the same function may give something else in each. */
export function isSameNodeMajor(one: string, other: string): boolean {
  return nodeMajor(one) === nodeMajor(other)
}

/** What somebody is told who connects to a scheduler with another major version of Node. */
export function nodeWarning(ours: string, theirs: string): string {
  return (
    `This process runs Node ${ours} and the scheduler ${theirs}: the same function may give something else elsewhere. ` +
    `Use one major version of Node everywhere; a scheduler with --strict-versions takes no other than its own.`
  )
}

/** 20 of `v20.19.0`. */
export function nodeMajor(version: string): number {
  return Number.parseInt(version.replace(/^v/, ''), 10)
}
