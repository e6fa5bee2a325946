/** Makes the objects of one value again: the mirror of `value-writer.ts`. */
import { HeddleError } from '../errors.js'
import { MAX_VALUE_DEPTH, SHARED_BYTES } from '../limits.js'
import { ByteReader, malformed } from './byte-reader.js'
import { errorPrototype } from './error-classes.js'
import { registrationNamed } from './register.js'
import * as tag from './tags.js'
import { VIEW_KINDS } from './views.js'

export interface DecodeOptions {
  /** Gives the value of the future at a place among the inputs. */
  readonly inputs?: ((place: number) => unknown) | undefined
  /** Bytes in shared memory stay there: what is `SHARED_BYTES` and larger becomes views on it, not copies. */
  readonly shared?: boolean | undefined
  /** The caller hands the bytes over: what is out of band becomes views on them, where they are aligned. */
  readonly owned?: boolean | undefined
}

/** A stretch of memory that views show. */
interface Region {
  readonly buffer: ArrayBufferLike
  readonly start: number
  readonly size: number
}

/** Stands for an object that can't be referred to yet. */
const UNFINISHED = Symbol('unfinished')
/** Longer arrays grow as their items come: nested counts of nothing must not take memory at each level. */
const MAX_PREPARED_ITEMS = 4096
/** The engine's own limit for a Map or a Set. */
const MAX_ENTRIES = 2 ** 24
const HEXADECIMAL = /^-?[0-9a-f]+$/

export class ValueReader {
  readonly #bytes: Uint8Array
  readonly #tree: ByteReader
  readonly #options: DecodeOptions
  readonly #objects: unknown[] = []
  readonly #regions: Region[] = []
  #partsEnd: number
  #depth = 0

  /** Reads the tree at `bytes[treeStart .. treeEnd]`; parts lie behind it. */
  constructor(bytes: Uint8Array, treeStart: number, treeEnd: number, options: DecodeOptions) {
    this.#bytes = bytes
    this.#tree = new ByteReader(bytes, treeStart, treeEnd)
    this.#partsEnd = treeEnd
    this.#options = options
  }

  readAll(): unknown {
    const value = this.#read()
    if (this.#tree.remaining > 0 || this.#partsEnd !== this.#bytes.length) throw malformed('something follows its end')
    return value
  }

  #read(): unknown {
    const first = this.#tree.byte()
    if (first < tag.SMALL_INTEGER_LIMIT) return first
    if (first < tag.SHORT_ARRAY) return this.#tree.textOf(first)
    if (first < tag.SHORT_OBJECT) return this.#readArray(first - tag.SHORT_ARRAY)
    if (first < tag.UNDEFINED) return this.#readProperties({}, first - tag.SHORT_OBJECT)
    switch (first) {
      case tag.UNDEFINED:
        return undefined
      case tag.NULL:
        return null
      case tag.FALSE:
        return false
      case tag.TRUE:
        return true
      case tag.INTEGER_16:
        return this.#tree.integer16()
      case tag.INTEGER_32:
        return this.#tree.integer32()
      case tag.FLOAT:
        return this.#tree.float()
      case tag.BIGINT:
        return this.#readBigInt()
      case tag.ASCII_TEXT:
      case tag.UTF8_TEXT:
      case tag.UTF16_TEXT:
        return this.#tree.textOf(first)
      case tag.REFERENCE:
        return this.#readReference()
      case tag.INPUT:
        return this.#readInput()
      case tag.ARRAY:
        return this.#readArray(this.#tree.count(1))
      case tag.OBJECT:
        return this.#readProperties({}, this.#tree.count(2))
      case tag.BARE_OBJECT:
        return this.#readProperties(Object.create(null) as Record<string, unknown>, this.#tree.count(2))
      case tag.VIEW:
        return this.#keep(this.#readView())
      default:
        return this.#readRare(first)
    }
  }

  #readRare(first: number): unknown {
    switch (first) {
      case tag.SPARSE_ARRAY:
        return this.#readSparseArray()
      case tag.MAP:
        return this.#readMap(this.#countOfEntries(2))
      case tag.SET:
        return this.#readSet(this.#countOfEntries(1))
      case tag.DATE:
        return this.#keep(new Date(this.#tree.float()))
      case tag.REGEXP:
        return this.#keep(makeRegExp(this.#tree.text(), this.#tree.text()))
      case tag.BOXED:
        return this.#readBoxed()
      case tag.ERROR:
        return this.#readError(this.#keep(makeError(this.#tree.text())))
      case tag.DOM_EXCEPTION:
        return this.#readError(this.#keep(new DOMException(this.#tree.text(), this.#tree.text())))
      case tag.REGISTERED:
        return this.#readRegistered(this.#tree.text())
      case tag.BUFFER:
        return this.#keep(this.#readBuffer())
      default:
        throw malformed(`there is no kind of value ${first}`)
    }
  }

  /** Gives an object the next number. Comes before its contents are read, which may refer to it. */
  #keep<T>(object: T): T {
    this.#objects.push(object)
    return object
  }

  #readArray(count: number): unknown[] {
    const array = this.#keep(count <= MAX_PREPARED_ITEMS ? new Array<unknown>(count) : [])
    this.#enter()
    for (let i = 0; i < count; i++) array[i] = this.#read()
    this.#depth--
    return array
  }

  #readProperties(object: Record<string, unknown>, count: number): object {
    this.#objects.push(object)
    this.#enter()
    for (let i = 0; i < count; i++) {
      const key = this.#tree.key()
      const value = this.#read()
      if (key === '__proto__') define(object, key, value, true)
      else object[key] = value
    }
    this.#depth--
    return object
  }

  #readSparseArray(): unknown[] {
    const array = this.#keep<unknown[]>([])
    const length = this.#tree.varint()
    if (length > 0xffffffff) throw malformed('an array is too long')
    array.length = length
    const count = this.#tree.count(2)
    this.#enter()
    for (let i = 0; i < count; i++) {
      const key = this.#tree.key()
      if (key === 'length') throw malformed('an array has two lengths')
      define(array, key, this.#read(), true)
    }
    this.#depth--
    return array
  }

  #readMap(count: number): Map<unknown, unknown> {
    const map = this.#keep(new Map<unknown, unknown>())
    this.#enter()
    for (let i = 0; i < count; i++) {
      const key = this.#read()
      map.set(key, this.#read())
    }
    this.#depth--
    return map
  }

  #readSet(count: number): Set<unknown> {
    const set = this.#keep(new Set<unknown>())
    this.#enter()
    for (let i = 0; i < count; i++) set.add(this.#read())
    this.#depth--
    return set
  }

  #readBigInt(): bigint {
    const digits = this.#tree.text()
    if (!HEXADECIMAL.test(digits)) throw malformed('a bigint has other digits')
    try {
      return digits.startsWith('-') ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`)
    } catch {
      throw malformed('a bigint is too large')
    }
  }

  #readReference(): unknown {
    const number = this.#tree.varint()
    if (number >= this.#objects.length) throw malformed('it refers to an object that is not there')
    const object = this.#objects[number]
    if (object === UNFINISHED) throw malformed('an instance of a registered class holds itself')
    return object
  }

  #readInput(): unknown {
    const { inputs } = this.#options
    const place = this.#tree.varint()
    if (inputs === undefined) throw malformed('it has a future in it, and no inputs came with it')
    return this.#keep(inputs(place))
  }

  #readBoxed(): object {
    const number = this.#objects.push(UNFINISHED) - 1
    this.#enter()
    const primitive = this.#read()
    this.#depth--
    const isPrimitive = ['number', 'string', 'boolean', 'bigint'].includes(typeof primitive)
    if (!isPrimitive) throw malformed('an object is boxed')
    return (this.#objects[number] = Object(primitive) as object)
  }

  #readRegistered(name: string): unknown {
    const registration = registrationNamed(name)
    if (registration === undefined) {
      const message = `No class is registered as "${name}" here: call registerType(${name}, { encode, decode }) on this side, too.`
      throw new HeddleError('ERR_HEDDLE_NOT_SERIALIZABLE', message)
    }
    const number = this.#objects.push(UNFINISHED) - 1
    this.#enter()
    const encoded = this.#read()
    this.#depth--
    return (this.#objects[number] = registration.decode(encoded))
  }

  #readError(error: object): object {
    this.#enter()
    for (const isEnumerable of [false, true]) {
      const count = this.#tree.count(2)
      for (let i = 0; i < count; i++) {
        const key = this.#tree.key()
        define(error, key, this.#read(), isEnumerable)
      }
    }
    this.#depth--
    return error
  }

  #readView(): ArrayBufferView {
    const place = this.#tree.byte()
    const byteOffset = this.#tree.varint()
    const byteLength = this.#tree.varint()
    const region = this.#readRegion()
    const kind = VIEW_KINDS[place]
    if (kind === undefined) {
      const message =
        'The value holds a kind of typed array that this version of Node does not have; use a newer one here.'
      throw new HeddleError('ERR_HEDDLE_NOT_SERIALIZABLE', message)
    }
    const start = region.start + byteOffset
    if (byteOffset + byteLength > region.size) throw malformed('a view is larger than its memory')
    if (start % kind.elementBytes !== 0 || byteLength % kind.elementBytes !== 0)
      throw malformed('a view is not aligned')
    return kind.make(region.buffer, start, byteLength)
  }

  #readBuffer(): ArrayBufferLike {
    const { buffer, start, size } = this.#readRegion()
    if (start !== 0 || size !== buffer.byteLength) throw malformed('a buffer is part of another')
    return buffer
  }

  #readRegion(): Region {
    const number = this.#tree.varint()
    const known = this.#regions[number]
    if (known !== undefined) return known
    if (number !== this.#regions.length) throw malformed('it refers to memory that is not there')
    const form = this.#tree.byte()
    const size = this.#tree.varint()
    const region =
      form >= tag.REGION_OUT_OF_BAND
        ? this.#readPart(form - tag.REGION_OUT_OF_BAND, size)
        : copyOf(this.#tree.raw(size), form)
    this.#regions.push(region)
    return region
  }

  #readPart(form: number, size: number): Region {
    const start = tag.alignUp(this.#partsEnd)
    this.#partsEnd = start + size
    if (this.#partsEnd > this.#bytes.length) throw malformed('it ends early')
    const { buffer, byteOffset } = this.#bytes
    const isAligned = (byteOffset + start) % tag.PART_ALIGNMENT === 0
    if (form === tag.REGION_UNSEEN && isAligned && this.#mayStay(size))
      return { buffer, start: byteOffset + start, size }
    return copyOf(this.#bytes.subarray(start, this.#partsEnd), form)
  }

  /** May what is read be a view on the bytes themselves? */
  #mayStay(size: number): boolean {
    const { owned, shared } = this.#options
    return (
      owned === true || (shared === true && size >= SHARED_BYTES && this.#bytes.buffer instanceof SharedArrayBuffer)
    )
  }

  #countOfEntries(eachBytes: number): number {
    const count = this.#tree.count(eachBytes)
    if (count > MAX_ENTRIES) throw malformed('a Map or Set is too large')
    return count
  }

  #enter(): void {
    if (++this.#depth > MAX_VALUE_DEPTH) throw malformed('it is nested too deep')
  }
}

/** Private memory with these bytes. */
function copyOf(bytes: Uint8Array, form: number): Region {
  if (form > tag.REGION_SHARED_ARRAY_BUFFER) throw malformed('there is no such kind of memory')
  const buffer =
    form === tag.REGION_SHARED_ARRAY_BUFFER
      ? new SharedArrayBuffer(bytes.length)
      : Buffer.allocUnsafeSlow(bytes.length).buffer
  new Uint8Array(buffer).set(bytes)
  return { buffer, start: 0, size: bytes.length }
}

function makeRegExp(source: string, flags: string): RegExp {
  try {
    return new RegExp(source, flags)
  } catch {
    throw malformed('a regular expression cannot be read')
  }
}

/** An error without any property of its own. Made by `Error`, so that it is one to the engine and to `util.inspect`. */
function makeError(className: string): object {
  const error = new Error()
  delete error.stack
  return Object.setPrototypeOf(error, errorPrototype(className)) as object
}

/** Sets an own property whatever its name: `__proto__` changes no prototype, and nothing inherited is called. */
function define(object: object, key: string, value: unknown, enumerable: boolean): void {
  Object.defineProperty(object, key, { value, enumerable, writable: true, configurable: true })
}
