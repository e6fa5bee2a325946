/**
 * The order of tasks, as one whole number: by the priority that users give, and among equal ones those submitted by tasks
 * before what clients submit, the deeper first. So the children of a task that waits for them come before other tasks
 * that would wait in turn, and few wait at a time.
 */
import { assert } from '../common/assert.js'

/** What users may give as priority is between this and its negative. */
export const PRIORITY_BASE = 2 ** 31
/** Deeper tasks count as this deep. */
export const MAX_DEPTH = 1_023
const DEPTHS = MAX_DEPTH + 1

/** From 0 up; higher first. */
export function urgencyOf(priority: number, depth: number): number {
  return (priority + PRIORITY_BASE) * DEPTHS + Math.min(depth, MAX_DEPTH)
}

export function priorityOf(urgency: number): number {
  return Math.floor(urgency / DEPTHS) - PRIORITY_BASE
}

/** 0 for what a client submitted, 1 for what such a task submitted, and so on. */
export function depthOf(urgency: number): number {
  return urgency % DEPTHS
}

assert(Number.isSafeInteger(urgencyOf(PRIORITY_BASE, MAX_DEPTH)), 'an urgency must be a safe integer')
