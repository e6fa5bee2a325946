/**
 * The walk over one value, which writes it as it goes: finds what can't travel and says where it is, gives futures a
 * place among the inputs, keeps cycles and shared objects, and leaves large memory to be laid out behind the tree.
 */
import { inspect, types } from 'node:util'
import type { TaskId } from '../ids.js'
import { NotSerializableError } from '../errors.js'
import { MAX_VALUE_DEPTH, OUT_OF_BAND_BYTES } from '../limits.js'
import { builtInOf, foreignBuiltInOf, type BuiltIn } from './built-ins.js'
import { ByteWriter } from './byte-writer.js'
import { errorClassOf, errorPrototype } from './error-classes.js'
import { Path, type StepKind } from './path.js'
import { References } from './references.js'
import { copyRegion, Regions, sizeOf, type Region } from './regions.js'
import { registrationOf } from './register.js'
import * as tag from './tags.js'
import { VIEW_KINDS, viewKindOf } from './views.js'

/** Where the walk asks about futures, and leaves those it met. */
export interface FutureSink {
  /** The task of a future; undefined for any other object. Asked for every object that isn't a plain one. */
  idOf(object: object): TaskId | undefined
  /** The walk adds to them; a future is replaced by its place here. */
  readonly ids: TaskId[]
}

/** A state of the walk to come back to. */
interface Mark {
  readonly length: number
  readonly objects: number
  readonly regions: number
  readonly inputs: number
  readonly opened: number
  readonly depth: number
}

/** Properties of errors that are hidden in the language, and that everybody reads. */
const HIDDEN_ERROR_PROPERTIES = ['message', 'stack', 'cause', 'errors', 'name']
/** Up to this many items, the keys of an array tell faster than a closer look whether it has others than its items. */
const LISTED_ITEMS = 64

export class ValueWriter {
  readonly #out = new ByteWriter()
  readonly #references = new References()
  readonly #regions = new Regions()
  readonly #path = new Path()
  /** Instances of registered classes whose `encode` gave what is being written now. */
  readonly #opened: object[] = []
  #inputs: FutureSink | undefined
  /** How many containers are around what is being written. */
  #depth = 0

  /** The tree of the value, in memory that the next value is written to. */
  get tree(): Uint8Array {
    return this.#out.bytes
  }

  get treeBytes(): number {
    return this.#out.length
  }

  /** The memory that belongs behind the tree, in this order. */
  get parts(): readonly Region[] {
    const { written } = this.#regions
    return written.length === 0 ? written : written.filter(isOutOfBand)
  }

  /** Writes one value. What is refused throws, and leaves no inputs behind. */
  write(value: unknown, path: string, inputs: FutureSink | undefined): void {
    this.#path.begin(path)
    this.#inputs = inputs
    const start = this.#mark()
    try {
      this.#write(value)
      if (!this.#regions.changed) return
      this.#rewind(start)
      this.#regions.beginAgain()
      this.#write(value)
    } catch (error) {
      this.#rewind(start)
      throw error
    }
  }

  /** Makes ready for the next value, and lets go of this one. */
  clear(): void {
    this.#out.clear()
    this.#references.rewind(0)
    this.#regions.clear()
    this.#path.begin('')
    this.#inputs = undefined
  }

  #write(value: unknown): void {
    switch (typeof value) {
      case 'number':
        return this.#out.number(value)
      case 'string':
        return this.#out.text(value)
      case 'object':
        return value === null ? this.#out.byte(tag.NULL) : this.#writeObject(value)
      case 'undefined':
        return this.#out.byte(tag.UNDEFINED)
      case 'boolean':
        return this.#out.byte(value ? tag.TRUE : tag.FALSE)
      case 'bigint':
        this.#out.byte(tag.BIGINT)
        return this.#out.text(value.toString(16))
      case 'function':
        return this.#refuse('is a function: send what it works on, and let the task make or import the function.')
      case 'symbol':
        return this.#refuse('is a symbol: send a text in its place.')
    }
  }

  #writeObject(object: object): void {
    const number = this.#references.meet(object)
    if (number >= 0) {
      if (this.#opened.includes(object))
        this.#refuse('is part of itself: its encode gives something that holds it again.')
      this.#out.byte(tag.REFERENCE)
      return this.#out.varint(number)
    }
    const prototype: unknown = Object.getPrototypeOf(object)
    if (prototype === Object.prototype) return this.#writeProperties(object, tag.OBJECT)
    if (prototype === Array.prototype && Array.isArray(object)) return this.#writeArray(object)
    const id = this.#inputs?.idOf(object)
    if (id !== undefined) return this.#writeInput(id)
    if (prototype === null) return this.#writeProperties(object, tag.BARE_OBJECT)
    this.#writeInstance(object, prototype as object)
  }

  #writeInput(id: TaskId): void {
    this.#out.byte(tag.INPUT)
    this.#out.varint(this.#inputs!.ids.push(id) - 1)
  }

  #writeInstance(object: object, prototype: object): void {
    const registration = registrationOf(prototype)
    if (registration !== undefined) return this.#writeRegistered(object, registration)
    const builtIn = builtInOf(object, prototype)
    if (builtIn !== undefined) return this.#writeBuiltIn(object, builtIn)
    if (ArrayBuffer.isView(object)) {
      const kind = viewKindOf(prototype)
      if (kind !== undefined) return this.#writeView(object, kind)
    }
    const foreign = foreignBuiltInOf(object, prototype)
    if (foreign !== undefined) return this.#writeBuiltIn(object, foreign)
    if (object instanceof DOMException) return this.#writeDomException(object)
    if (types.isNativeError(object) || object instanceof Error) return this.#writeError(object)
    if (types.isPromise(object)) this.#refuse('is a promise: await it, and send its value.')
    const name = classNameOf(prototype)
    this.#refuse(`is an instance of ${name}: call registerType(${name}, { encode, decode }), or send plain data.`)
  }

  #writeBuiltIn(object: object, builtIn: BuiltIn): void {
    switch (builtIn) {
      case 'Object':
        return this.#writeProperties(object, tag.OBJECT)
      case 'Array':
        return this.#writeArray(object as unknown[])
      case 'Map':
        return this.#writeMap(object as Map<unknown, unknown>)
      case 'Set':
        return this.#writeSet(object as Set<unknown>)
      case 'Date':
        this.#out.byte(tag.DATE)
        return this.#out.float(Date.prototype.getTime.call(object))
      case 'RegExp':
        this.#out.byte(tag.REGEXP)
        this.#out.text((object as RegExp).source)
        return this.#out.text((object as RegExp).flags)
      case 'Number':
        return this.#writeBoxed(Number.prototype.valueOf.call(object))
      case 'String':
        return this.#writeBoxed(String.prototype.valueOf.call(object))
      case 'Boolean':
        return this.#writeBoxed(Boolean.prototype.valueOf.call(object))
      case 'BigInt':
        return this.#writeBoxed(BigInt.prototype.valueOf.call(object))
      case 'ArrayBuffer':
      case 'SharedArrayBuffer':
        this.#refuseDetached(object as ArrayBufferLike)
        this.#out.byte(tag.BUFFER)
        return this.#writeRegion(this.#regions.ofBuffer(object as ArrayBufferLike))
    }
  }

  #writeProperties(object: object, objectTag: typeof tag.OBJECT | typeof tag.BARE_OBJECT): void {
    const keys = Object.keys(object)
    if (objectTag === tag.OBJECT && keys.length < tag.SHORT_OBJECT_LIMIT) this.#out.byte(tag.SHORT_OBJECT + keys.length)
    else this.#head(objectTag, keys.length)
    this.#enter()
    for (const key of keys) {
      this.#out.text(key)
      this.#writeChild('property', key, (object as Record<string, unknown>)[key])
    }
    this.#depth--
  }

  #writeArray(array: readonly unknown[]): void {
    const { length } = array
    if (!hasItemsOnly(array)) return this.#writeSparseArray(array)
    if (length < tag.SHORT_ARRAY_LIMIT) this.#out.byte(tag.SHORT_ARRAY + length)
    else this.#head(tag.ARRAY, length)
    this.#enter()
    for (let i = 0; i < length; i++) this.#writeChild('index', i, array[i])
    this.#depth--
  }

  #writeSparseArray(array: readonly unknown[]): void {
    const keys = Object.keys(array)
    this.#head(tag.SPARSE_ARRAY, array.length)
    this.#out.varint(keys.length)
    this.#enter()
    for (const key of keys) {
      this.#out.text(key)
      this.#writeChild('property', key, (array as unknown as Record<string, unknown>)[key])
    }
    this.#depth--
  }

  #writeMap(map: ReadonlyMap<unknown, unknown>): void {
    // A copy: a getter inside may change the map, and the count is written already.
    const entries = [...map]
    this.#head(tag.MAP, entries.length)
    this.#enter()
    for (let i = 0; i < entries.length; i++) {
      const [key, value] = entries[i]!
      this.#writeChild('map-key', i, key)
      this.#writeChild('map-value', key, value)
    }
    this.#depth--
  }

  #writeSet(set: ReadonlySet<unknown>): void {
    const items = [...set]
    this.#head(tag.SET, items.length)
    this.#enter()
    for (let i = 0; i < items.length; i++) this.#writeChild('set-item', i, items[i])
    this.#depth--
  }

  #writeBoxed(primitive: unknown): void {
    this.#out.byte(tag.BOXED)
    this.#write(primitive)
  }

  #writeRegistered(instance: object, { name, encode }: NonNullable<ReturnType<typeof registrationOf>>): void {
    this.#out.byte(tag.REGISTERED)
    this.#out.text(name)
    this.#opened.push(instance)
    this.#enter()
    this.#writeChild('encoded', name, encode(instance))
    this.#depth--
    this.#opened.pop()
  }

  #writeError(error: object): void {
    const className = errorClassOf(error)
    const named = (errorPrototype(className) as Error).name
    this.#out.byte(tag.ERROR)
    this.#out.text(className)
    const keys = Object.keys(error)
    const hidden = HIDDEN_ERROR_PROPERTIES.filter((key) => {
      if (keys.includes(key)) return false
      // A subclass may have its name on its prototype, and newer engines have the stack there.
      return (
        (key === 'stack' && key in error) || Object.hasOwn(error, key) || (key === 'name' && readName(error) !== named)
      )
    })
    this.#writeErrorProperties(error, hidden)
    this.#writeErrorProperties(error, keys)
  }

  #writeDomException(error: DOMException): void {
    this.#out.byte(tag.DOM_EXCEPTION)
    this.#out.text(error.message)
    this.#out.text(error.name)
    this.#writeErrorProperties(error, Object.hasOwn(error, 'cause') ? ['stack', 'cause'] : ['stack'])
    this.#writeErrorProperties(error, Object.keys(error))
  }

  /** An error is worth more than any of its properties: a text takes the place of one that can't travel. */
  #writeErrorProperties(error: object, keys: readonly string[]): void {
    this.#out.varint(keys.length)
    this.#enter()
    for (const key of keys) {
      this.#out.text(key)
      const before = this.#mark()
      try {
        this.#writeChild('property', key, (error as Record<string, unknown>)[key])
      } catch (reason) {
        this.#rewind(before)
        this.#out.text(`[could not be sent: ${describe(reason)}]`)
      }
    }
    this.#depth--
  }

  #writeView(view: ArrayBufferView, kind: number): void {
    this.#refuseDetached(view.buffer)
    const region = this.#regions.ofView(view, VIEW_KINDS[kind]!.elementBytes)
    this.#out.byte(tag.VIEW)
    this.#out.byte(kind)
    this.#out.varint(view.byteOffset - region.start)
    this.#out.varint(view.byteLength)
    this.#writeRegion(region)
  }

  #writeRegion(region: Region): void {
    const isNew = region.number < 0
    if (isNew) this.#regions.markWritten(region)
    this.#out.varint(region.number)
    if (!isNew) return
    const form = !region.isObject
      ? tag.REGION_UNSEEN
      : types.isSharedArrayBuffer(region.buffer)
        ? tag.REGION_SHARED_ARRAY_BUFFER
        : tag.REGION_ARRAY_BUFFER
    const size = sizeOf(region)
    this.#out.byte(isOutOfBand(region) ? form + tag.REGION_OUT_OF_BAND : form)
    this.#out.varint(size)
    if (!isOutOfBand(region)) copyRegion(region, this.#out.reserve(size))
  }

  #head(headTag: number, count: number): void {
    this.#out.byte(headTag)
    this.#out.varint(count)
  }

  #enter(): void {
    if (++this.#depth <= MAX_VALUE_DEPTH) return
    this.#depth--
    this.#refuse(`is nested more than ${MAX_VALUE_DEPTH} deep: send it as a flat list, with places in it as links.`)
  }

  #writeChild(kind: StepKind, key: unknown, value: unknown): void {
    // Nearly all are these, and they are never refused: nobody will ask for the path.
    if (typeof value === 'number') return this.#out.number(value)
    if (typeof value === 'string') return this.#out.text(value)
    this.#path.set(this.#depth - 1, kind, key)
    this.#write(value)
  }

  #refuseDetached(buffer: ArrayBufferLike): void {
    if (buffer.byteLength > 0) return
    try {
      new Uint8Array(buffer)
    } catch {
      this.#refuse('is memory that was transferred to somebody else: send it before, or copy it.')
    }
  }

  #refuse(why: string): never {
    const path = this.#path.render(this.#depth)
    throw new NotSerializableError(path, `${path} ${why}`)
  }

  #mark(): Mark {
    return {
      length: this.#out.length,
      objects: this.#references.count,
      regions: this.#regions.written.length,
      inputs: this.#inputs?.ids.length ?? 0,
      opened: this.#opened.length,
      depth: this.#depth,
    }
  }

  #rewind(mark: Mark): void {
    this.#out.rewind(mark.length)
    this.#references.rewind(mark.objects)
    this.#regions.rewind(mark.regions)
    if (this.#inputs !== undefined) this.#inputs.ids.length = mark.inputs
    this.#opened.length = mark.opened
    this.#depth = mark.depth
  }
}

const isOutOfBand = (region: Region): boolean => sizeOf(region) >= OUT_OF_BAND_BYTES

/** Has an array neither holes nor properties beside its items? */
function hasItemsOnly(array: readonly unknown[]): boolean {
  const { length } = array
  if (length <= LISTED_ITEMS) {
    const keys = Object.keys(array)
    return keys.length === length && (length === 0 || keys[length - 1] === String(length - 1))
  }
  for (let i = 0; i < length; i++) if (array[i] === undefined && !(i in array)) return false
  // Only `inspect` can tell without making a text of every index. Should it ever say it in other words, all that
  // happens is that arrays are written the longer way.
  const told = inspect(array, { maxArrayLength: 0, depth: 0, maxStringLength: 0, customInspect: false, compact: true })
  return told === `[ ... ${length} more items ]`
}

function readName(error: object): unknown {
  try {
    return (error as { readonly name: unknown }).name
  } catch {
    return undefined
  }
}

function classNameOf(prototype: object): string {
  const { constructor } = prototype as { readonly constructor: unknown }
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'a class without a name'
}

/** What an error says, whatever was thrown. */
function describe(reason: unknown): string {
  return reason instanceof Error ? String(reason.message) : inspect(reason, { depth: 0 })
}
