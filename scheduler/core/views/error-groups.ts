/**
 * Failed runs, gathered by what they have in common: thousands of tasks that fail for one reason are one line to read. Only
 * failures cost anything here, and only so many groups are kept.
 */
import { textOf } from '../../../protocol/error-text.js'
import { MAX_ERROR_GROUPS } from '../../../protocol/limits.js'
import type { ErrorList } from '../../../protocol/messages/api.js'
import { keyOf, type Failure, type Task } from '../tasks/task.js'

interface Group {
  readonly fingerprint: string
  readonly code: string
  readonly functionName: string
  readonly text: string
  count: number
  retried: number
  readonly firstAtMs: number
  lastAtMs: number
  lastKey: string
  lastWorker: string
  /** Tasks that are failed now because a run of theirs ended so. */
  failedNow: number
}

export class ErrorGroups {
  /** By fingerprint; the one that was not seen for longest is the first. */
  readonly #groups = new Map<string, Group>()
  /** Tasks that are failed now, each with the group of its last run; one that is forgotten may be among these. */
  readonly #failed = new Map<Task, Group>()
  #total = 0

  get size(): number {
    return this.#groups.size
  }

  /** A run of the task failed, by its own doing or with what it ran on. */
  note(task: Task, failure: Failure, nowMs: number, isRetried: boolean): void {
    this.#total++
    const { name } = task.template
    const text = readableText(failure)
    const fingerprint = fingerprintOf(`${name} ${failure.code} ${commonPart(text)}`)
    let group = this.#groups.get(fingerprint)
    if (group === undefined) {
      group = {
        fingerprint,
        code: failure.code,
        functionName: name,
        text,
        count: 0,
        retried: 0,
        firstAtMs: nowMs,
        lastAtMs: nowMs,
        lastKey: '',
        lastWorker: '',
        failedNow: 0,
      }
    } else this.#groups.delete(fingerprint)
    group.count++
    if (isRetried) group.retried++
    else {
      group.failedNow++
      this.#failed.set(task, group)
    }
    group.lastAtMs = nowMs
    group.lastKey = keyOf(task)
    group.lastWorker = failure.worker
    this.#groups.set(fingerprint, group)
    if (this.#groups.size > MAX_ERROR_GROUPS) this.#groups.delete(this.#groups.keys().next().value!)
  }

  /** The task is failed no more. */
  leave(task: Task): void {
    const group = this.#failed.get(task)
    if (group === undefined) return
    group.failedNow--
    this.#failed.delete(task)
  }

  /** The tasks that are failed now; `undefined` when there is no group of this fingerprint. */
  failedOf(fingerprint: string): Task[] | undefined {
    const group = this.#groups.get(fingerprint)
    return group && [...this.#failed].flatMap(([task, its]) => (its === group ? [task] : []))
  }

  /** Each with the number that its group counts, for the check of invariants. */
  get failed(): ReadonlyMap<Task, { readonly failedNow: number }> {
    return this.#failed
  }

  list(nowMs: number): ErrorList {
    const groups = [...this.#groups.values()].reverse().map(({ firstAtMs, lastAtMs, ...group }) => ({
      ...group,
      firstSecondsAgo: (nowMs - firstAtMs) / 1_000,
      lastSecondsAgo: (nowMs - lastAtMs) / 1_000,
    }))
    return { total: this.#total, groups }
  }
}

/** What people read of a failure. */
export function readableText({ error, reason }: Failure): string {
  return error.length === 0 ? reason : textOf(error)
}

/** The message without what differs from task to task, and where it was thrown. */
function commonPart(text: string): string {
  const lines = text.split('\n', 20)
  const place = lines.find((line) => /^\s*at /.test(line)) ?? ''
  const message = (lines[0] ?? '')
    .replace(/"[^"]*"|'[^']*'|`[^`]*`/g, '?')
    .replace(/\b[0-9a-f]{8,}\b|\b[0-9a-f]{4,}(-[0-9a-f]{4,})+\b/gi, '#')
    .replace(/\d+(\.\d+)?/g, '#')
  return `${message} ${place.trim()}`
}

/** A short name for a text, the same each time. Nothing depends on two texts never having one name. */
function fingerprintOf(text: string): string {
  let one = 0xdeadbeef
  let other = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    one = Math.imul(one ^ code, 2654435761)
    other = Math.imul(other ^ code, 1597334677)
  }
  one = Math.imul(one ^ (one >>> 16), 2246822507) ^ Math.imul(other ^ (other >>> 13), 3266489909)
  other = Math.imul(other ^ (other >>> 16), 2246822507) ^ Math.imul(one ^ (one >>> 13), 3266489909)
  return `${(other >>> 0).toString(16).padStart(8, '0')}${(one >>> 0).toString(16).padStart(8, '0')}`
}
