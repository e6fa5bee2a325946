/**
 * How much is read from one socket before everything else of the process has its turn. Where memory that is touched for the first
 * time comes slowly, as on a virtual machine whose host has to give it, a mebibyte of a value takes many milliseconds to be put in its
 * place, in which nobody else is heard. Then a thread of Node's pool touches it first, a few mebibytes ahead of what is read.
 */
import { touch } from './first-touch.js'

const MIB = 1024 * 1024
/** A turn is over after so much. */
const TURN_BYTES = MIB
/** Its last read may take as much again, so that no turn reads more. What is further ahead may be written to meanwhile. */
const MAX_TURN_BYTES = 2 * TURN_BYTES
/** What is touched at once: a huge page. */
const STEP_BYTES = 2 * MIB
const MAX_AHEAD_BYTES = 6 * MIB
/** Putting bytes in their place takes longer only where their memory is slow to come. */
const SLOW_MS = 4
/** Memory that was touched came at once, if it took no longer. */
const AT_ONCE_MS = 1
/** Once it was slow, memory is touched ahead until it has come at once so many times. */
const WARY_STEPS = 2
/** Fewer bytes are not timed: nearly all that is read beside large values. */
const MIN_TIMED_BYTES = 32 * 1024

export interface ReadingTurnOptions {
  /** Puts so many bytes, which were read to the start of `buffer`, in their place. */
  take(count: number, buffer: Uint8Array): void
  /** The memory that will be filled next, to the end of the value there, if that is known. */
  comingMemory(): Uint8Array | undefined
  /** The next turn may begin. */
  goOn(): void
  readonly touch?: typeof touch
  readonly nowMs?: () => number
}

export class ReadingTurn {
  readonly #options: ReadingTurnOptions
  readonly #touch: typeof touch
  readonly #nowMs: () => number
  #readBytes = 0
  #warySteps = 0
  /** What is being touched, or was last. */
  #touched: Uint8Array | undefined
  #isTouching = false
  /** Does the next turn begin when the memory was touched? */
  #isWaiting = false

  constructor(options: ReadingTurnOptions) {
    this.#options = options
    this.#touch = options.touch ?? touch
    this.#nowMs = options.nowMs ?? (() => performance.now())
  }

  /** Takes what was read. Returns false when the turn is over: nothing more is read then until `goOn`. */
  readonly onRead = (count: number, buffer: Uint8Array): boolean => {
    if (count < MIN_TIMED_BYTES) this.#options.take(count, buffer)
    else this.#takeTimed(count, buffer)
    this.#readBytes += count
    if (this.#readBytes < TURN_BYTES) return true
    this.#readBytes = 0
    this.#isWaiting = !this.#mayGoOn()
    if (!this.#isWaiting) setImmediate(() => this.#options.goOn())
    return false
  }

  #takeTimed(count: number, buffer: Uint8Array): void {
    const startedAtMs = this.#nowMs()
    this.#options.take(count, buffer)
    if (this.#nowMs() - startedAtMs > SLOW_MS) this.#warySteps = WARY_STEPS
  }

  /** Has more memory touched, if need be. Returns false while the next turn could come to memory that is being written to. */
  #mayGoOn(): boolean {
    if (!this.#isTouching && this.#warySteps === 0) return true
    const coming = this.#options.comingMemory()
    if (!this.#isTouching && (coming === undefined || !this.#touchNext(coming))) return true
    const touched = this.#touched!
    return coming !== undefined && isSame(coming, touched) && aheadOf(coming, touched) >= MAX_TURN_BYTES
  }

  /** Returns false when enough was touched, or nobody can do it. */
  #touchNext(coming: Uint8Array): boolean {
    const touched = this.#touched
    const ahead = touched !== undefined && isSame(coming, touched) ? aheadOf(coming, touched) + STEP_BYTES : 0
    const start = Math.max(0, ahead)
    if (start >= Math.min(coming.length, MAX_AHEAD_BYTES)) return false
    const startedAtMs = this.#nowMs()
    this.#touched = coming.subarray(start)
    this.#isTouching = this.#touch(this.#touched.subarray(0, STEP_BYTES), () => this.#onTouched(startedAtMs))
    if (this.#isTouching) this.#warySteps--
    return this.#isTouching
  }

  #onTouched(startedAtMs: number): void {
    this.#isTouching = false
    if (this.#nowMs() - startedAtMs > AT_ONCE_MS) this.#warySteps = WARY_STEPS
    if (!this.#isWaiting || !this.#mayGoOn()) return
    this.#isWaiting = false
    this.#options.goOn()
  }
}

/** Are both ends of the same value's memory? */
function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.buffer === other.buffer && one.byteOffset + one.length === other.byteOffset + other.length
}

/** How far behind the start of `coming` the other one starts. */
function aheadOf(coming: Uint8Array, { byteOffset }: Uint8Array): number {
  return byteOffset - coming.byteOffset
}
