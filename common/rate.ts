/** Counts happenings and tells how many a second there were lately. */

const BUCKET_MS = 500
const BUCKETS = 10

/** Happenings a second over the last five seconds, in half-second buckets; it keeps ten numbers, however many happen. */
export class Rate {
  readonly #counts = new Array<number>(BUCKETS).fill(0)
  #bucket = 0
  #startedAtMs: number | undefined

  add(count: number, nowMs: number): void {
    this.#startedAtMs ??= nowMs
    this.#moveTo(nowMs)
    this.#counts[this.#bucket % BUCKETS]! += count
  }

  perSecond(nowMs: number): number {
    if (this.#startedAtMs === undefined) return 0
    this.#moveTo(nowMs)
    const total = this.#counts.reduce((sum, count) => sum + count, 0)
    const spanMs = Math.min(Math.max(nowMs - this.#startedAtMs, BUCKET_MS), BUCKETS * BUCKET_MS)
    return (total * 1000) / spanMs
  }

  #moveTo(nowMs: number): void {
    const bucket = Math.floor(nowMs / BUCKET_MS)
    if (bucket <= this.#bucket) return
    const passed = Math.min(bucket - this.#bucket, BUCKETS)
    for (let i = 1; i <= passed; i++) this.#counts[(this.#bucket + i) % BUCKETS] = 0
    this.#bucket = bucket
  }
}
