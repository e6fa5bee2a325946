/** The result of a task with several outputs: an array, taken apart into values that travel each for itself. */
import { HeddleError } from '../../protocol/errors.js'
import { encodeValue } from '../../protocol/values/encode.js'

/** @throws What the task fails with, when the result is not an array of `count`, or an entry can't be sent. */
export function encodeOutputs(result: unknown, count: number): readonly Uint8Array[] {
  if (!Array.isArray(result)) {
    const found = result === null ? 'null' : typeof result === 'object' ? 'an object' : typeof result
    throw wrongOutputs(count, `it returned ${found}`)
  }
  if (result.length !== count) throw wrongOutputs(count, `its array has ${result.length}`)
  const outputs = new Array<Uint8Array>(count)
  for (let i = 0; i < count; i++) outputs[i] = encodeValue(result[i], { path: `result[${i}]`, shared: true })
  return outputs
}

function wrongOutputs(count: number, found: string): HeddleError {
  const message = `A task with ${count} outputs must return an array of ${count}, and ${found}; return one value for each output.`
  return new HeddleError('ERR_HEDDLE_WRONG_OUTPUTS', message)
}
