/** The last lines that workers logged, while somebody looks: what is new for those who do, and all for those who come. */
import { MAX_LINES_SHOWN } from '../protocol/limits.js'
import type { Logged } from '../protocol/messages/runs.js'
import type { LineView } from '../protocol/messages/watch.js'

export class LatestLines {
  #kept: LineView[] = []
  #fresh: LineView[] = []
  #leftOut = 0

  /** The oldest first, but those that a worker told late. */
  get all(): readonly LineView[] {
    return this.#kept
  }

  add(worker: string, { isBacklog, lines, leftOut }: Logged): void {
    // A worker that comes back tells its last lines again.
    const knownUntilMs = isBacklog ? (this.#kept.findLast((line) => line.worker === worker)?.atMs ?? 0) : 0
    const news = lines
      .filter(({ atMs }) => !isBacklog || atMs > knownUntilMs)
      .map(({ atMs, level, text, task }) => ({ worker, atMs, level, text, ...(task !== undefined && { task }) }))
    this.#leftOut += leftOut
    this.#kept = [...this.#kept, ...news].slice(-MAX_LINES_SHOWN)
    this.#fresh.push(...news)
    const tooMany = this.#fresh.length - MAX_LINES_SHOWN
    if (tooMany <= 0) return
    this.#fresh = this.#fresh.slice(tooMany)
    this.#leftOut += tooMany
  }

  /** What came since this was asked last. */
  take(): { readonly lines: readonly LineView[]; readonly leftOut: number } {
    const taken = { lines: this.#fresh, leftOut: this.#leftOut }
    this.#fresh = []
    this.#leftOut = 0
    return taken
  }

  clear(): void {
    this.#kept = []
    this.take()
  }
}
