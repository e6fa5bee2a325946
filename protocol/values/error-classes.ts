/** The classes of errors that come back as themselves: the language's and our own. */
import * as heddleErrors from '../errors.js'

const LANGUAGE_ERRORS = [
  Error,
  AggregateError,
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
] as const

const prototypes = new Map<string, object>(LANGUAGE_ERRORS.map((each) => [each.name, each.prototype]))
for (const each of Object.values(heddleErrors)) {
  if (typeof each === 'function' && each.prototype instanceof Error) prototypes.set(each.name, each.prototype)
}
const names = new Map<object, string>([...prototypes].map(([name, prototype]) => [prototype, name]))

/** The name of the nearest of these classes that an error belongs to. */
export function errorClassOf(error: object): string {
  for (let prototype: unknown = Object.getPrototypeOf(error); prototype !== null;) {
    const name = names.get(prototype as object)
    if (name !== undefined) return name
    prototype = Object.getPrototypeOf(prototype)
  }
  // An error of another context, as of `node:vm`, has prototypes of its own.
  const { name } = error as { readonly name: unknown }
  return typeof name === 'string' && prototypes.has(name) ? name : 'Error'
}

/** The prototype of the class of this name; of `Error` if there is none, as for a class that only the sender has. */
export function errorPrototype(className: string): object {
  return prototypes.get(className) ?? Error.prototype
}
