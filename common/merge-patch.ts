/**
 * What changed between two states of a JSON value, in the form of RFC 7386: objects are merged member by member, `null`
 * removes a member, and everything else replaces what was there.
 */

export type Json = string | number | boolean | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [name: string]: Json
}
/** `null` stands for a member that is gone. */
export interface Changes {
  readonly [name: string]: Json | Changes | null
}

/** `undefined` when nothing changed. Lists are compared as a whole. */
export function changesBetween(before: JsonObject, after: JsonObject): Changes | undefined {
  // Members have any names that users chose, and `__proto__` is one of them: so they are never assigned.
  const changes: [string, Json | Changes | null][] = []
  for (const name of Object.keys(after)) {
    const change = Object.hasOwn(before, name) ? changeOf(before[name]!, after[name]!) : after[name]!
    if (change !== undefined) changes.push([name, change])
  }
  for (const name of Object.keys(before)) if (!Object.hasOwn(after, name)) changes.push([name, null])
  return changes.length === 0 ? undefined : Object.fromEntries(changes)
}

/** Returns the state after the changes. What did not change is shared with `before`. */
export function withChanges(before: JsonObject, changes: Changes): JsonObject {
  const after = new Map<string, Json>(Object.entries(before))
  for (const [name, change] of Object.entries(changes)) {
    const old = after.get(name)
    if (change === null) after.delete(name)
    else if (isObject(change)) after.set(name, withChanges(isObject(old) ? old : {}, change))
    else after.set(name, change as Json)
  }
  return Object.fromEntries(after)
}

function changeOf(before: Json, after: Json): Json | Changes | undefined {
  if (before === after) return undefined
  if (isObject(before) && isObject(after)) return changesBetween(before, after)
  return JSON.stringify(before) === JSON.stringify(after) ? undefined : after
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
