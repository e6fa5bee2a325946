/**
 * A message is declared once, and its type, its wire form and its parser are that declaration.
 *
 * On the wire a message is an array: the place of its type in its union, then its fields in the order of declaration.
 * No names travel, so a field or a type is only ever added at the end, under a new protocol version.
 */
import { ProtocolError } from './errors.js'
import type { Packed } from '../common/packed.js'
import type { TaskId } from './ids.js'

/** What a value looks like as JSON: a JSON Schema. */
export type Shape = Readonly<Record<string, unknown>>

/** One field: how it goes to the wire, and how what arrives is checked. `parse` throws a {@link ProtocolError}. */
export interface Field<T> {
  toWire(value: T): unknown
  parse(wire: unknown, path: string): T
  /** Of values that HTTP answers have. */
  readonly shape?: Shape | undefined
  readonly isOptional?: true
}
export type Infer<F> = F extends Field<infer T> ? T : never

type Fields = Readonly<Record<string, Field<unknown>>>
type Values<F extends Fields> = { readonly [K in keyof F]: Infer<F[K]> }

/** A message of one type. */
export interface MessageSchema<M> extends Field<M> {
  readonly type: string
}

/** @throws {ProtocolError} Always. */
export const refuse = (path: string, wanted: string): never => {
  throw new ProtocolError('theirs', `A message is malformed: ${path} must be ${wanted}.`)
}

/** A field that goes to the wire as it is, when `accepts` holds. */
function plain<T>(wanted: string, accepts: (wire: unknown) => wire is T, shape?: Shape): Field<T> {
  return { shape, toWire: (value) => value, parse: (wire, path) => (accepts(wire) ? wire : refuse(path, wanted)) }
}

/** The field, with what is to be known of it in descriptions of an API. */
export function about<T>(description: string, field: Field<T>): Field<T> {
  return { ...field, shape: { ...field.shape, description } }
}

const isInteger = (wire: unknown): wire is number => Number.isSafeInteger(wire) && (wire as number) >= 0
const isTextOrAbsent = (wire: unknown): wire is string | undefined => wire === undefined || typeof wire === 'string'

/** A whole number from 0 up. */
export const integer: Field<number> = plain('a whole number', isInteger, { type: 'integer', minimum: 0 })
/** Any finite number. */
export const real: Field<number> = plain('a number', (wire): wire is number => Number.isFinite(wire), {
  type: 'number',
})
export const text: Field<string> = plain('a text', (wire): wire is string => typeof wire === 'string', {
  type: 'string',
})
export const optionalText: Field<string | undefined> = {
  toWire: (value) => value,
  parse: (wire, path) => {
    const value = wire === null ? undefined : wire
    return isTextOrAbsent(value) ? value : refuse(path, 'a text or nothing')
  },
}
export const flag: Field<boolean> = plain('true or false', (wire): wire is boolean => typeof wire === 'boolean', {
  type: 'boolean',
})
export const bytes: Field<Uint8Array> = plain('bytes', (wire): wire is Uint8Array => wire instanceof Uint8Array)

/** Whole numbers from 0 up. */
export const integers: Field<readonly number[]> = plain(
  'a list of whole numbers',
  (wire): wire is readonly number[] => Array.isArray(wire) && wire.every(isInteger),
)

/** Ids of tasks. They travel as differences: neighbours in an array cost one byte each. */
export const taskIds: Field<readonly TaskId[]> = {
  toWire(ids) {
    const wire = new Array<number>(ids.length)
    let previous = 0
    for (let i = 0; i < ids.length; i++) {
      const id = ids[i]!
      wire[i] = id - previous
      previous = id
    }
    return wire
  },
  parse(wire, path) {
    if (!Array.isArray(wire)) return refuse(path, 'a list of task ids')
    const ids = new Array<TaskId>(wire.length)
    let previous = 0
    for (let i = 0; i < wire.length; i++) {
      const difference: unknown = wire[i]
      if (typeof difference !== 'number') return refuse(path, 'a list of task ids')
      previous += difference
      if (!isInteger(previous)) return refuse(path, 'a list of task ids')
      ids[i] = previous as TaskId
    }
    return ids
  },
}

/** Many byte strings in one; their ends travel as sizes. */
export const packed: Field<Packed> = {
  toWire({ ends, bytes: body }) {
    const sizes = new Array<number>(ends.length)
    let start = 0
    for (let i = 0; i < ends.length; i++) {
      sizes[i] = ends[i]! - start
      start = ends[i]!
    }
    return [sizes, body]
  },
  parse(wire, path) {
    if (!Array.isArray(wire)) return refuse(path, 'packed bytes')
    const [sizes, body] = wire as unknown[]
    if (!Array.isArray(sizes) || !sizes.every(isInteger)) return refuse(`${path}[0]`, 'a list of sizes')
    if (!(body instanceof Uint8Array)) return refuse(`${path}[1]`, 'bytes')
    const ends = new Array<number>(sizes.length)
    let end = 0
    for (let i = 0; i < sizes.length; i++) ends[i] = end += sizes[i]!
    if (end !== body.length) return refuse(path, `${end} bytes, as its sizes say,`)
    return { ends, bytes: body }
  },
}

/** A field whose numbers or texts carry a brand; `mint` gives it, and stands in `ids.ts`. */
export function branded<T, B extends T>(field: Field<T>, mint: (value: T) => B): Field<B> {
  return { toWire: (value) => field.toWire(value), parse: (wire, path) => mint(field.parse(wire, path)) }
}

/** A field whose values must hold to something more than their form. */
export function limited<T>(field: Field<T>, wanted: string, accepts: (value: T) => boolean): Field<T> {
  return {
    ...field,
    parse: (wire, path) => {
      const value = field.parse(wire, path)
      return accepts(value) ? value : refuse(path, wanted)
    },
  }
}

/** One of some texts. */
export function oneOf<const T extends readonly string[]>(...choices: T): Field<T[number]> {
  const known: ReadonlySet<unknown> = new Set(choices)
  const shape = { type: 'string', enum: choices }
  return plain(`one of ${choices.join(', ')}`, (wire): wire is T[number] => known.has(wire), shape)
}

/** A field that a record may be without. */
export function optional<T>(field: Field<T>): Field<T | undefined> {
  return {
    shape: field.shape,
    isOptional: true,
    toWire: (value) => (value === undefined ? null : field.toWire(value)),
    parse: (wire, path) => (wire === null ? undefined : field.parse(wire, path)),
  }
}

export function list<T>(item: Field<T>): Field<readonly T[]> {
  return {
    shape: { type: 'array', items: item.shape },
    toWire: (values) => values.map((value) => item.toWire(value)),
    parse: (wire, path) => {
      if (!Array.isArray(wire)) return refuse(path, 'a list')
      return wire.map((value: unknown, index) => item.parse(value, `${path}[${index}]`))
    },
  }
}

export function record<F extends Fields>(fields: F): Field<Values<F>> {
  const entries = Object.entries(fields)
  return {
    shape: {
      type: 'object',
      properties: Object.fromEntries(entries.map(([name, field]) => [name, field.shape])),
      required: entries.filter(([, field]) => field.isOptional !== true).map(([name]) => name),
      additionalProperties: false,
    },
    toWire: (value) => entries.map(([name, field]) => field.toWire(value[name])),
    parse: (wire, path) => {
      if (!Array.isArray(wire) || wire.length !== entries.length) return refuse(path, `a list of ${entries.length}`)
      const parsed: Record<string, unknown> = {}
      for (let i = 0; i < entries.length; i++) {
        const [name, field] = entries[i]!
        parsed[name] = field.parse(wire[i], `${path}.${name}`)
      }
      return parsed as Values<F>
    },
  }
}

export function message<const T extends string, F extends Fields>(
  type: T,
  fields: F,
): MessageSchema<{ readonly type: T } & Values<F>> {
  const body = record(fields)
  return {
    type,
    toWire: (value) => body.toWire(value),
    parse: (wire, path) => ({ type, ...body.parse(wire, path) }),
  }
}

/** Messages told apart by `type`; the place in `members` is what travels. */
export function union<const S extends readonly MessageSchema<unknown>[]>(members: S): Field<Infer<S[number]>> {
  type M = Infer<S[number]> & { readonly type: string }
  const schemas = members as unknown as readonly MessageSchema<M>[]
  const places = new Map(schemas.map((schema, place) => [schema.type, place]))
  return {
    toWire: (value) => {
      const place = places.get((value as M).type) ?? -1
      const schema = schemas[place]
      if (schema === undefined) throw new ProtocolError('ours', `No message "${(value as M).type}" on this link.`)
      return [place, schema.toWire(value as M)]
    },
    parse: (wire, path) => {
      if (!Array.isArray(wire) || wire.length !== 2) return refuse(path, 'a message')
      const schema = schemas[wire[0] as number]
      if (schema === undefined) return refuse(`${path}[0]`, 'a known type of message')
      return schema.parse(wire[1], schema.type)
    },
  }
}
