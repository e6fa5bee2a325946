/**
 * From what JavaScript prints of a function to one expression. It prints a function as it was written, so a shorthand
 * method prints as `twice(x) {…}`: no expression by itself, but one inside an object.
 */
import { parseExpressionAt, type AnyNode, type Property } from 'acorn'
import { FunctionNotPortableError } from '../../protocol/errors.js'

export interface FunctionSource {
  /** With `before` and `after` around it `text` is an expression. They hold no line break, so lines stay where they were. */
  readonly before: string
  readonly text: string
  readonly after: string
  /** The function's node: not that of the object around a method. */
  readonly root: AnyNode
  /** So much of the text as it was printed stands before the parameters; of an arrow nothing, whatever it begins with. */
  readonly headLength: number
}

/** @throws {FunctionNotPortableError} For native and bound functions, for classes, and for what is no strict code. */
export function readFunction(printed: string, name: string): FunctionSource {
  if (/\{\s*\[native code\]\s*\}$/.test(printed)) {
    const kind = name.startsWith('bound ') ? 'bound' : 'native'
    const call = `(...args) => ${name.replace(/^(bound )+/, '') || 'fn'}(...args)`
    throw new FunctionNotPortableError(
      `The function "${name}" is ${kind}, so its source cannot be read and sent to a worker; submit a function that calls it, as in ${call}, and pass what it needs as arguments.`,
    )
  }
  const expression = parse(`(${printed})`)
  if (!(expression instanceof SyntaxError)) {
    if (expression.type === 'ClassExpression') {
      throw new FunctionNotPortableError(
        `"${name}" is a class; submit a function that makes an instance of it, with the class inside the function or in a module for client.module().`,
      )
    }
    return { before: '', text: printed, after: '', root: expression, headLength: headLengthOf(printed, expression) }
  }
  const object = parse(`({${printed}})`)
  const method =
    !(object instanceof SyntaxError) && object.type === 'ObjectExpression' ? object.properties[0] : undefined
  if (method?.type !== 'Property') {
    throw new FunctionNotPortableError(
      `The function "${name}" cannot travel, for its source is no strict code that stands by itself: ${expression.message}; write it as a plain function, or put it into a module and use client.module().`,
      { cause: expression },
    )
  }
  const headLength = method.value.start - '({'.length
  return {
    before: 'Object.values({',
    text: withPlainKey(printed, method),
    after: '})[0]',
    root: method.value,
    headLength,
  }
}

/** What may stand before the parameters, behind the name if there is one. */
const HEAD = /(?:\s|\/\*[^]*?\*\/|\/\/.*|\*|async|function)*/y

function headLengthOf(printed: string, root: AnyNode): number {
  if (root.type !== 'FunctionExpression') return 0
  HEAD.lastIndex = root.id == null ? 0 : root.id.end - '('.length
  HEAD.exec(printed)
  return HEAD.lastIndex
}

function parse(text: string): AnyNode | SyntaxError {
  try {
    // Names of a class around the function are let through here, and reported as free names.
    const options = { allowSuperOutsideMethod: true, checkPrivateFields: false } as const
    const node = parseExpressionAt(text, 0, { ecmaVersion: 'latest', sourceType: 'module', ...options })
    return node as AnyNode
  } catch (error) {
    if (error instanceof SyntaxError) return error
    throw error
  }
}

/** A getter must be found without being called, and `[key]` would be computed again: both become a plain method. */
function withPlainKey(printed: string, method: Property): string {
  if (method.kind === 'init' && !method.computed) return printed
  const fn = method.value
  const prefix = fn.type === 'FunctionExpression' ? `${fn.async ? 'async ' : ''}${fn.generator ? '*' : ''}` : ''
  const headEnd = fn.start - '({'.length
  return `${prefix}m`.padEnd(headEnd) + printed.slice(headEnd)
}
