/** The kinds of views on memory. A kind travels as its place in this list, so new ones go to its end. */
import { nativeNameOf } from './built-ins.js'

interface ViewKind {
  readonly name: string
  /** Of the very objects of this kind; a subclass has another. */
  readonly prototype: object
  readonly elementBytes: number
  make(buffer: ArrayBufferLike, byteOffset: number, byteLength: number): ArrayBufferView
}

type TypedArrayClass = (new (buffer: ArrayBufferLike, byteOffset: number, length: number) => ArrayBufferView) & {
  readonly name: string
  readonly prototype: object
  readonly BYTES_PER_ELEMENT: number
}

function typedArray(type: TypedArrayClass): ViewKind {
  const elementBytes = type.BYTES_PER_ELEMENT
  return {
    name: type.name,
    prototype: type.prototype,
    elementBytes,
    make: (buffer, byteOffset, byteLength) => new type(buffer, byteOffset, byteLength / elementBytes),
  }
}

/** Node has it from version 24 on. */
const { Float16Array } = globalThis as { readonly Float16Array?: TypedArrayClass }

export const VIEW_KINDS: readonly ViewKind[] = [
  {
    name: 'Buffer',
    prototype: Buffer.prototype as object,
    elementBytes: 1,
    make: (buffer, byteOffset, byteLength) => Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength),
  },
  {
    name: 'DataView',
    prototype: DataView.prototype,
    elementBytes: 1,
    make: (buffer, byteOffset, byteLength) => new DataView(buffer as ArrayBuffer, byteOffset, byteLength),
  },
  typedArray(Uint8Array),
  typedArray(Uint8ClampedArray),
  typedArray(Int8Array),
  typedArray(Uint16Array),
  typedArray(Int16Array),
  typedArray(Uint32Array),
  typedArray(Int32Array),
  typedArray(Float32Array),
  typedArray(Float64Array),
  typedArray(BigInt64Array),
  typedArray(BigUint64Array),
  ...(Float16Array === undefined ? [] : [typedArray(Float16Array)]),
]

const kinds = new Map<object, number>(VIEW_KINDS.map((kind, place) => [kind.prototype, place]))
const kindsByName = new Map<string, number>(VIEW_KINDS.map((kind, place) => [kind.name, place]))

/** The kind of a view with this prototype; undefined for a class derived from a kind. */
export function viewKindOf(prototype: object): number | undefined {
  return kinds.get(prototype) ?? kindsByName.get(nativeNameOf(prototype))
}
