/**
 * A lane is the memory that a thread and the worker's main thread share while a batch runs: a cursor by which tasks are
 * claimed, and the outcomes of tasks that ended. Outcomes need no message each, and they survive the thread: whatever
 * was written before it was terminated or died is read all the same.
 *
 * The thread claims the next place by adding to the cursor; the main thread takes the rest back by moving the cursor
 * past the end. Whoever moved it first has it, so nothing runs twice.
 */
import { Packer } from '../../common/packed.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import type { Outcomes, RunParts } from '../core/events.js'

const HEADER_INTS = 8
/** Next place that nobody has claimed. */
const CURSOR = 0
/** Bytes of outcomes written so far. */
const WRITTEN = 1
/** Place of the task being run, plus one; 0 between tasks. */
const RUNNING = 2
/** 1 while the main thread has been told of outcomes that it has not read yet. */
const TOLD = 3
/** Place of the last task that took its signal, plus one. */
const LISTENS = 4
/** When the last task with a time-out began, on the clock of `clockMs`. */
const BEGAN_AT = 5
/** Place of that task, plus one. Written behind the time. */
const BEGAN = 6
/** 1 when the main thread wants to be told behind each task. */
const HURRIED = 7

/** A cursor here is past any batch. */
const TAKEN = 1 << 30
/** What an outcome's bytes are: a value, an error, or an error after which the task must not be tried again. */
export const VALUE = 0
export const ERROR = 1
export const FINAL_ERROR = 2
export type OutcomeKind = typeof VALUE | typeof ERROR | typeof FINAL_ERROR
/** No outcome yet: the task waits for others, and goes on in its thread. In place of the duration stands Node's number of that. */
const LENT = 3
/** No outcome: what the run went into whose outcome comes next. In place of duration and size stand the two of `RunParts`. */
const PARTS = 4

/** Ints before each outcome's bytes: place, kind, duration in microseconds, size. */
const OUTCOME_INTS = 4
const OUTCOME_HEADER_BYTES = OUTCOME_INTS * 4
/** What an int holds, without its sign: 71 minutes. Longer tasks are told as that long. */
const MAX_DURATION_US = 2 ** 32 - 1

/** Room for several of the largest outcomes, and for a thousand small ones. */
export const LANE_BYTES = 8 * MAX_INLINE_RESULT_BYTES

/** A task that waits for others, and the thread where it goes on. */
export interface Lending {
  readonly place: number
  readonly threadId: number
}

/** What a thread wrote since the last look. */
export interface LaneNews extends Outcomes {
  readonly lent: readonly Lending[]
}

/** What a thread does with its lane. */
export class LaneWriter {
  readonly #header: Int32Array
  readonly #ints: Int32Array
  readonly #bytes: Uint8Array
  #written = 0

  constructor(memory: SharedArrayBuffer) {
    this.#header = new Int32Array(memory, 0, HEADER_INTS)
    this.#ints = new Int32Array(memory, HEADER_INTS * 4)
    this.#bytes = new Uint8Array(memory, HEADER_INTS * 4)
  }

  /** The place that would be claimed next. */
  get next(): number {
    return Atomics.load(this.#header, CURSOR)
  }

  get isHurried(): boolean {
    return Atomics.load(this.#header, HURRIED) === 1
  }

  /** Claims the next task of a batch of `count`: its place, or `undefined` when none is left. */
  claim(count: number): number | undefined {
    // The cursor never passes the end: more may be added there.
    if (this.next >= count) return undefined
    const place = Atomics.add(this.#header, CURSOR, 1)
    if (place >= count) return undefined
    Atomics.store(this.#header, RUNNING, place + 1)
    return place
  }

  /** The task at `place`, which has a time-out, begins now. */
  began(place: number): void {
    Atomics.store(this.#header, BEGAN_AT, clockMs())
    Atomics.store(this.#header, BEGAN, place + 1)
  }

  /** Can an outcome of the largest inline size still be written? If not, the batch must end here. */
  get hasRoom(): boolean {
    return this.#bytes.length - this.#written >= MAX_INLINE_RESULT_BYTES + 2 * OUTCOME_HEADER_BYTES
  }

  /** Writes an outcome, unless it is larger than `MAX_INLINE_RESULT_BYTES`. */
  tryWrite(place: number, kind: OutcomeKind, durationUs: number, value: Uint8Array, parts?: RunParts): boolean {
    if (value.length > MAX_INLINE_RESULT_BYTES) return false
    if (parts !== undefined) this.#appendParts(place, parts)
    this.#append(place, kind, durationUs, value)
    this.#publish()
    return true
  }

  /** Writes all outputs of a task, or none: when they have no room here, or one is too large for any lane. */
  tryWriteOutputs(place: number, durationUs: number, outputs: readonly Uint8Array[], parts?: RunParts): boolean {
    let size = (outputs.length + 1) * OUTCOME_HEADER_BYTES
    for (const { length } of outputs) {
      if (length > MAX_INLINE_RESULT_BYTES) return false
      size += alignUp(length)
    }
    if (this.#bytes.length - this.#written < size) return false
    if (parts !== undefined) this.#appendParts(place, parts)
    for (const output of outputs) this.#append(place, VALUE, durationUs, output)
    this.#publish()
    return true
  }

  /** The task is not this batch's any more: it waits for others, in the thread of this number. */
  lend(place: number, threadId: number): void {
    this.#append(place, LENT, threadId, NO_VALUE)
    this.#publish()
  }

  #append(place: number, kind: OutcomeKind | typeof LENT, durationUs: number, value: Uint8Array): void {
    const at = this.#written
    const ints = at >> 2
    this.#ints[ints] = place
    this.#ints[ints + 1] = kind
    this.#ints[ints + 2] = Math.min(durationUs, MAX_DURATION_US)
    this.#ints[ints + 3] = value.length
    this.#bytes.set(value, at + OUTCOME_HEADER_BYTES)
    this.#written = at + OUTCOME_HEADER_BYTES + alignUp(value.length)
  }

  #appendParts(place: number, { decodeUs, encodeUs }: RunParts): void {
    const ints = this.#written >> 2
    this.#ints[ints] = place
    this.#ints[ints + 1] = PARTS
    this.#ints[ints + 2] = Math.min(decodeUs, MAX_DURATION_US)
    this.#ints[ints + 3] = Math.min(encodeUs, MAX_DURATION_US)
    this.#written += OUTCOME_HEADER_BYTES
  }

  /** What was appended counts from here on, all of it: the main thread may read it, whatever becomes of this one. */
  #publish(): void {
    Atomics.store(this.#header, WRITTEN, this.#written)
    this.ended()
  }

  /** Is it time to tell the main thread of what was written? Not while it has been told and has not looked. */
  shouldTell(): boolean {
    return Atomics.exchange(this.#header, TOLD, 1) === 0
  }

  /** The task at `place` wants to hear when it is to stop. */
  listens(place: number): void {
    Atomics.store(this.#header, LISTENS, place + 1)
  }

  /** The claimed task has ended. */
  ended(): void {
    Atomics.store(this.#header, RUNNING, 0)
  }
}

/** What the main thread does with a lane. */
export class LaneReader {
  readonly memory = new SharedArrayBuffer(HEADER_INTS * 4 + LANE_BYTES)
  readonly #header = new Int32Array(this.memory, 0, HEADER_INTS)
  readonly #ints = new Int32Array(this.memory, HEADER_INTS * 4)
  readonly #bytes = new Uint8Array(this.memory, HEADER_INTS * 4)
  #read = 0
  #lastPlaceRead = -1
  #takenBackAt: number | undefined

  /** Makes the lane ready for another batch. The thread must not be running one. */
  reset(): void {
    this.#header.fill(0)
    this.#read = 0
    this.#lastPlaceRead = -1
    this.#takenBackAt = undefined
  }

  /** Has the thread tell behind each task from now on. */
  hurry(): void {
    Atomics.store(this.#header, HURRIED, 1)
  }

  /**
   * Keeps the thread from claiming more. Returns the first place of a batch of `count` that it had not claimed; also when
   * called again.
   */
  takeBack(count: number): number {
    this.#takenBackAt ??= Math.min(Atomics.exchange(this.#header, CURSOR, TAKEN), count)
    return this.#takenBackAt
  }

  /** The place that the thread was running when it died, if it was running one. Drain first. */
  get running(): number | undefined {
    const place = Atomics.load(this.#header, RUNNING) - 1
    // It may have died right after it wrote the outcome.
    return place > this.#lastPlaceRead ? place : undefined
  }

  /** Does the task at `place` hear when it is to stop? */
  isListening(place: number): boolean {
    return Atomics.load(this.#header, LISTENS) === place + 1
  }

  /** How long the task at `place`, which has a time-out, has run; `undefined` if it has not begun. */
  ranMs(place: number): number | undefined {
    if (Atomics.load(this.#header, BEGAN) !== place + 1) return undefined
    return Math.max(0, (clockMs() - Atomics.load(this.#header, BEGAN_AT)) | 0)
  }

  /** Reads the outcomes written since the last call, or `undefined` when there are none. */
  drain(): LaneNews | undefined {
    Atomics.store(this.#header, TOLD, 0)
    const written = Atomics.load(this.#header, WRITTEN)
    if (written === this.#read) return undefined
    const places: number[] = []
    const lent: Lending[] = []
    const threw = new Map<number, 'may-retry' | 'final'>()
    const durationsUs: number[] = []
    const sizes: number[] = []
    const values = new Packer(written - this.#read)
    let parts: Map<number, RunParts> | undefined
    while (this.#read < written) {
      const ints = this.#read >> 2
      if (this.#ints[ints + 1] === PARTS) {
        parts ??= new Map()
        const [decodeUs, encodeUs] = [this.#ints[ints + 2]! >>> 0, this.#ints[ints + 3]! >>> 0]
        parts.set(this.#ints[ints]!, { decodeUs, encodeUs })
        this.#read += OUTCOME_HEADER_BYTES
        continue
      }
      const size = this.#ints[ints + 3]!
      const start = this.#read + OUTCOME_HEADER_BYTES
      this.#lastPlaceRead = this.#ints[ints]!
      this.#read = start + alignUp(size)
      const kind = this.#ints[ints + 1]
      if (kind === LENT) {
        lent.push({ place: this.#ints[ints]!, threadId: this.#ints[ints + 2]! })
        continue
      }
      if (kind !== VALUE) threw.set(places.length, kind === ERROR ? 'may-retry' : 'final')
      places.push(this.#ints[ints]!)
      durationsUs.push(this.#ints[ints + 2]! >>> 0)
      sizes.push(size)
      values.add(this.#bytes, start, start + size)
    }
    return { places, threw, durationsUs, sizes, values: values.take(), parts, lent }
  }
}

/**
 * Whole milliseconds on a clock that all threads of the process share, as an int: differences are right up to
 * `MAX_TASK_TIMEOUT_MS`, whatever it says.
 */
function clockMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return (seconds * 1_000 + Math.floor(nanoseconds / 1e6)) | 0
}

const NO_VALUE = new Uint8Array(0)

/** Outcomes begin at whole ints. */
function alignUp(size: number): number {
  return (size + 3) & ~3
}
