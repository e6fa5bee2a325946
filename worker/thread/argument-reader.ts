/**
 * Makes the arguments of one task after another. Each task gets copies of its own, decoded for it alone, so that it may
 * change them; only large typed arrays are views on memory that all threads share.
 */
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

  constructor(batch: BatchRequest) {
    this.#batch = batch
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
    const { inputs, inputValues, sharedInputs, failedInputs } = this.#batch
    const place = inputs[index]!
    const failure = failedInputs?.get(place)
    if (failure !== undefined) return errorInPlaceOf(failure)
    const shared = sharedInputs.get(place)
    if (shared === undefined) return decodeValue(entryOf(inputValues, place), IN_PLACE)
    this.#check?.expect(shared)
    return decodeValue(shared, IN_PLACE)
  }
}
