/** The arguments of many tasks, encoded, in the columns of a `submit` message. */
import { Packer, startOf, type Packed } from '../common/packed.js'
import type { TaskId } from '../protocol/ids.js'
import { encodeInto } from '../protocol/values/encode.js'
import type { InputSink } from './input-sink.js'

export class EncodedArguments {
  /** The inputs of all the tasks, end to end. */
  readonly inputs: TaskId[] = []
  readonly #args = new Packer()
  /** How many inputs each task has; empty as long as none has any. */
  #inputCounts: number[] = []

  get count(): number {
    return this.#args.count
  }

  get sizeBytes(): number {
    return this.#args.sizeBytes
  }

  get inputCounts(): readonly number[] {
    return this.#inputCounts
  }

  /**
   * Encodes the arguments of one more task. The futures among them are in `sink` until the next task.
   *
   * @throws {NotSerializableError} when they can't travel; then no task was added.
   */
  add(args: readonly unknown[], sink: InputSink, path: string): void {
    sink.begin()
    encodeInto(this.#args, args, { path, inputs: sink })
    this.#addInputs(sink.ids)
  }

  /** Adds a task without arguments that needs these. */
  addWithout(inputs: readonly TaskId[]): void {
    encodeInto(this.#args, [], { path: 'args' })
    this.#addInputs(inputs)
  }

  /** Adds the places of the last task's outputs. */
  addOutputs(count: number): void {
    for (let output = 0; output < count; output++) {
      this.#args.add(NOTHING)
      this.#addInputs(NO_INPUTS)
    }
  }

  /** Adds tasks `start` to `end` of another, whose `packed` were taken, each with so many outputs. */
  addFrom(other: EncodedArguments, packed: Packed, start: number, end: number, outputs: number): void {
    let nextInput = 0
    for (let place = 0; place < start; place++) nextInput += other.#inputCounts[place] ?? 0
    for (let place = start; place < end; place++) {
      this.#args.add(packed.bytes, startOf(packed, place), packed.ends[place])
      const inputCount = other.#inputCounts[place] ?? 0
      this.#addInputs(inputCount === 0 ? NO_INPUTS : other.inputs.slice(nextInput, nextInput + inputCount))
      nextInput += inputCount
      this.addOutputs(outputs)
    }
  }

  /** The encoded arguments of one task, until another is added. */
  argumentsAt(place: number): Uint8Array {
    return this.#args.entry(place)
  }

  /** The bytes. Nothing may be added any more. */
  takePacked(): Packed {
    return this.#args.take()
  }

  /** The inputs of each task in turn. */
  *inputsByTask(): Iterable<readonly TaskId[]> {
    let next = 0
    for (let place = 0; place < this.count; place++) {
      const end = next + (this.#inputCounts[place] ?? 0)
      yield this.inputs.slice(next, end)
      next = end
    }
  }

  #addInputs(ids: readonly TaskId[]): void {
    if (this.#inputCounts.length > 0) this.#inputCounts.push(ids.length)
    else if (ids.length > 0) {
      // The first task with inputs: those before it have none.
      this.#inputCounts = new Array<number>(this.count - 1).fill(0)
      this.#inputCounts.push(ids.length)
    }
    for (const id of ids) this.inputs.push(id)
  }
}

const NOTHING = new Uint8Array(0)
const NO_INPUTS: readonly TaskId[] = Object.freeze([])
