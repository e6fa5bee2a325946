/** What workers told somebody who asked: the scheduler passes it on unread, so it is checked here, by whoever asked. */
import { entryOf, type Packed } from '../../common/packed.js'
import { refuse, type Field } from '../schema.js'

/** @throws {ProtocolError} when what one of them told is not what `field` says. */
export function readTold<T>(
  { workers, reports }: { readonly workers: readonly string[]; readonly reports: Packed },
  field: Field<T>,
): { readonly worker: string; readonly told: T }[] {
  return workers.map((worker, place) => {
    const path = `what worker ${worker} told`
    return { worker, told: field.parse(parseJson(entryOf(reports, place), path), path) }
  })
}

/** As workers tell it. */
export function writeTold<T>(field: Field<T>, value: T): Uint8Array {
  return Buffer.from(JSON.stringify(field.toWire(value)))
}

function parseJson(bytes: Uint8Array, path: string): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString())
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause
    return refuse(path, 'JSON')
  }
}
