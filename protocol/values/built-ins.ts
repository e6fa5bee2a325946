/** The prototypes of the language's own classes that travel, and how to tell them when they are another context's. */
import { types } from 'node:util'

/** Objects of exactly these classes travel as what they are; the test says whether one really is, inside. */
const BUILT_INS = {
  Object: [Object, () => true],
  Array: [Array, Array.isArray],
  Map: [Map, types.isMap],
  Set: [Set, types.isSet],
  Date: [Date, types.isDate],
  RegExp: [RegExp, types.isRegExp],
  Number: [Number, types.isNumberObject],
  String: [String, types.isStringObject],
  Boolean: [Boolean, types.isBooleanObject],
  BigInt: [BigInt, types.isBigIntObject],
  ArrayBuffer: [ArrayBuffer, types.isArrayBuffer],
  SharedArrayBuffer: [SharedArrayBuffer, types.isSharedArrayBuffer],
} as const

export type BuiltIn = keyof typeof BUILT_INS

interface Known {
  readonly name: BuiltIn
  readonly is: (value: unknown) => boolean
}

const byPrototype = new Map<object, Known>()
const byName = new Map<string, Known>()
for (const [name, [type, is]] of Object.entries(BUILT_INS)) {
  const known = { name: name as BuiltIn, is }
  byPrototype.set(type.prototype, known)
  byName.set(name, known)
}

/** Which of these classes of ours an object is made by; undefined for any other, and for subclasses. */
export function builtInOf(object: object, prototype: object): BuiltIn | undefined {
  const known = byPrototype.get(prototype)
  return known?.is(object) === true ? known.name : undefined
}

/** The same for the classes of another context of the language (of `node:vm`, as under Jest). */
export function foreignBuiltInOf(object: object, prototype: object): BuiltIn | undefined {
  const known = byName.get(nativeNameOf(prototype))
  return known?.is(object) === true ? known.name : undefined
}

/**
 * The name of the class of a prototype if it is the language's own, else ''. Objects of another context have prototypes
 * of their own, but their constructors print as native code, which no user's class does.
 */
export function nativeNameOf(prototype: object): string {
  const constructor: unknown = Object.getOwnPropertyDescriptor(prototype, 'constructor')?.value
  if (typeof constructor !== 'function') return ''
  const { name } = constructor
  return Function.prototype.toString.call(constructor) === `function ${name}() { [native code] }` ? name : ''
}
