/**
 * `HEDDLE_CHECK_INPUTS=1`: finds the task that changes in place what it shares with others. Large inputs are in memory that
 * all tasks of a worker see, and no lock can keep a task from writing there; a checksum before and after can tell.
 */
import { crc32 } from 'node:zlib'
import { formatBytes } from '../../common/units.js'
import { HeddleError } from '../../protocol/errors.js'

const IS_ON = process.env['HEDDLE_CHECK_INPUTS'] === '1'

/** The shared inputs of one task after another. */
export class InputCheck {
  /** Those of the task that runs, and their checksums before it did. */
  readonly #before = new Map<Uint8Array, number>()

  /** One for a batch of tasks; `undefined` when nobody wants to know. */
  static ifWanted(): InputCheck | undefined {
    return IS_ON ? new InputCheck() : undefined
  }

  /** The task is going to see these bytes. */
  expect(bytes: Uint8Array): void {
    if (!this.#before.has(bytes)) this.#before.set(bytes, crc32(bytes))
  }

  /** The task ended. Gives what it fails with, if the bytes are not what they were. */
  takeChange(): HeddleError | undefined {
    const inputs = [...this.#before]
    this.#before.clear()
    const changed = inputs.find(([bytes, checksum]) => crc32(bytes) !== checksum)
    if (changed === undefined) return undefined
    return new HeddleError(
      'ERR_HEDDLE_INPUT_CHANGED',
      `The task, or one that ran at the same time on this worker, changed an input of ${formatBytes(changed[0].length)} ` +
        'in place, which all tasks there share; let it take a copy, as in x.slice(), and change that.',
    )
  }
}
