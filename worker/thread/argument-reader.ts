/**
 * Makes the arguments of one task after another. Each task gets copies of its own, decoded for it alone, so that it may
 * change them; only large typed arrays are views on memory that all threads share.
 */
import { present } from '../../common/assert.js'
import { entryOf } from '../../common/packed.js'
import type { HeddleError } from '../../protocol/errors.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { errorInPlaceOf } from '../../protocol/values/failure.js'
import type { BatchRequest } from './batch.js'
import { InputCheck } from './input-check.js'

const IN_PLACE = Object.freeze({ shared: true })

export class ArgumentReader {
  readonly #batch: BatchRequest
  readonly #check = InputCheck.ifWanted()
  /** Where in `batch.inputs` those of `#task` begin. */
  #firstInput = 0
  #task = 0
  /** What tasks of the batch gave that later ones need, or may need, by place; nothing as long as it is not there. */
  readonly #made: Map<number, Uint8Array | undefined> | undefined

  /** `before`: that of the tasks to which these were added. */
  constructor(batch: BatchRequest, before?: ArgumentReader) {
    this.#batch = batch
    const { madeInputs, number } = batch
    if (before !== undefined) this.#made = before.#made
    else if (number !== undefined) this.#made = new Map()
    else if (madeInputs !== undefined) {
      this.#made = new Map(Array.from(madeInputs.values(), (place) => [place, undefined]))
    }
  }

  /** Are all inputs of the task at `place` here? One that a task before it was to make may have failed. */
  hasInputsOf(place: number): boolean {
    const { inputs, inputCounts, madeInputs, taskIds } = this.#batch
    if (place >= taskIds.length) return true
    const first = this.#firstInputOf(place)
    for (let i = 0; i < (inputCounts[place] ?? 0); i++) {
      const maker = madeInputs?.get(inputs[first + i]!)
      if (maker !== undefined && this.#made?.get(maker) === undefined) return false
    }
    return true
  }

  /** The task at `place` gave this value. */
  keep(place: number, value: Uint8Array): void {
    const { first, number } = this.#batch
    if (number !== undefined || this.#made?.has(first + place) === true) this.#made?.set(first + place, value)
  }

  /** The arguments of the task at `place`. Places come in ascending order. */
  argumentsOf(place: number): readonly unknown[] {
    const { args, inputCounts, templates, templateOf } = this.#batch
    const { constants, constantInputCount } = templates[templateOf[place]!]!
    const firstInput = this.#firstInputOf(place)
    const encoded = entryOf(args, place)
    if (inputCounts.length === 0 && constants.length === 0) return decodeValue(encoded, IN_PLACE) as unknown[]
    const own = decodeValue(encoded, {
      shared: true,
      inputs: (input) => this.#inputAt(firstInput + input),
    }) as unknown[]
    if (constants.length === 0) return own
    const firstConstantInput = firstInput + (inputCounts[place] ?? 0) - constantInputCount
    const inputs = (input: number): unknown => this.#inputAt(firstConstantInput + input)
    this.#check?.expect(constants)
    return [...own, ...(decodeValue(constants, { shared: true, inputs }) as unknown[])]
  }

  /** The task whose arguments were made last has ended: what it fails with for having changed what it shares with others. */
  takeChange(): HeddleError | undefined {
    return this.#check?.takeChange()
  }

  #firstInputOf(place: number): number {
    const { inputCounts } = this.#batch
    if (inputCounts.length === 0) return 0
    while (this.#task < place) this.#firstInput += inputCounts[this.#task++]!
    return this.#firstInput
  }

  #inputAt(index: number): unknown {
    const { inputs, inputValues, sharedInputs, failedInputs, madeInputs } = this.#batch
    const place = inputs[index]!
    const maker = madeInputs?.get(place)
    if (maker !== undefined) return decodeValue(present(this.#made?.get(maker), 'what a task before it gave'), IN_PLACE)
    const failure = failedInputs?.get(place)
    if (failure !== undefined) return errorInPlaceOf(failure)
    const shared = sharedInputs.get(place)
    if (shared === undefined) return decodeValue(entryOf(inputValues, place), IN_PLACE)
    this.#check?.expect(shared)
    return decodeValue(shared, IN_PLACE)
  }
}
