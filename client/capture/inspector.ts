/**
 * What V8 knows of where functions were written. It is asked by way of its inspector, in this process and thread, which
 * answers at once. Nothing stays switched on.
 */
import type { Session } from 'node:inspector'
import type { Position } from './source-map.js'

/** Where a function's parameters begin, or an arrow itself; line and column are from 0. */
export interface Location extends Position {
  readonly scriptId: string
}

/** What V8 runs, of a file or not. */
export interface Script {
  readonly scriptId: string
  readonly url: string
  /** What its comment `sourceMappingURL` says; empty when it has none. */
  readonly sourceMapUrl: string
}

interface Answers {
  'Runtime.evaluate': { readonly result: { readonly objectId?: string } }
  'Runtime.getProperties': { readonly internalProperties?: readonly InternalProperty[] }
}
interface InternalProperty {
  readonly name: string
  readonly value?: { readonly value?: unknown }
}
interface FunctionLocation {
  readonly scriptId: string
  readonly lineNumber: number
  readonly columnNumber: number
}

/** Under which the inspector finds the function, for as long as it is asked. */
const HANDLE = '__heddle_located_function'

/** V8 can't be asked here: there is no inspector, no right to use it, or a global object that takes no handle. */
export class InspectorError extends Error {}

/** The real one: a simulation that asks may end before its next turn. */
const { setImmediate } = globalThis

/** In use for the rest of this turn: to begin and to end one takes longer than a question. */
let current: Session | undefined

/**
 * Takes 0.1 ms. `undefined` for what is not written in JavaScript.
 *
 * @throws {InspectorError}
 */
export function locate(fn: object): Location | undefined {
  if (!Reflect.defineProperty(globalThis, HANDLE, { value: fn, configurable: true })) {
    throw new InspectorError('The global object takes no handle.')
  }
  try {
    const { result } = post('Runtime.evaluate', { expression: HANDLE, silent: true })
    if (result.objectId === undefined) return undefined
    const found = post('Runtime.getProperties', { objectId: result.objectId, ownProperties: true })
    const property = found.internalProperties?.find(({ name }) => name === '[[FunctionLocation]]')
    const location = property?.value?.value as FunctionLocation | undefined
    if (location === undefined) return undefined
    return { scriptId: location.scriptId, line: location.lineNumber, column: location.columnNumber }
  } finally {
    Reflect.deleteProperty(globalThis, HANDLE)
  }
}

/**
 * V8 describes all its scripts to whoever begins to debug: 20 ms the first time and 3 later, with 500 modules 160 and 16.
 *
 * @throws {InspectorError}
 */
export function describeScripts(onScript: (script: Script) => void): void {
  const asked = session()
  asked.on('Debugger.scriptParsed', ({ params: { scriptId, url, sourceMapURL = '' } }) => {
    onScript({ scriptId, url, sourceMapUrl: sourceMapURL })
  })
  try {
    asked.post('Debugger.enable')
    asked.post('Debugger.disable')
  } finally {
    asked.removeAllListeners('Debugger.scriptParsed')
  }
}

function post<M extends keyof Answers>(method: M, params: object): Answers[M] {
  let answer: Answers[M] | undefined
  let cause: Error | undefined
  // In the same thread it calls back before it returns.
  session().post(method, params, (error: Error | null, given?: object) => {
    if (error === null) answer = given as Answers[M]
    else cause = error
  })
  if (answer === undefined) throw new InspectorError(`The inspector does not answer ${method} at once.`, { cause })
  return answer
}

function session(): Session {
  if (current !== undefined) return current
  const inspector = process.getBuiltinModule('node:inspector') as typeof import('node:inspector') | undefined
  if (inspector === undefined) throw new InspectorError('This Node was built without an inspector.')
  const begun = connect(inspector)
  current = begun
  setImmediate(() => {
    current = undefined
    begun.disconnect()
  })
  return begun
}

function connect({ Session }: typeof import('node:inspector')): Session {
  try {
    const session = new Session()
    session.connect()
    return session
  } catch (cause) {
    throw new InspectorError('The inspector takes no session.', { cause })
  }
}
