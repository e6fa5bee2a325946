/**
 * Inline functions travel as source. What a function would miss on a worker is found here, when it is submitted, and
 * not when it runs.
 */
import { contentHash } from '../../common/node/content-hash.js'
import { FunctionNotPortableError } from '../../protocol/errors.js'
import { codeHash, type CodeHash } from '../../protocol/ids.js'
import { MAX_CODE_BYTES } from '../../protocol/limits.js'
import type { SourceMap } from '../../protocol/messages/common.js'
import { defineHelpers, isHelper } from './compiler-helpers.js'
import { findSurroundings } from './free-names.js'
import { mapFunction } from './function-map.js'
import { readFunction } from './function-source.js'
import { GLOBAL_NAMES } from './globals.js'
import { isRelativeImport, refuseRelativeImport, refuseSurroundings } from './refusal.js'
import { findWrittenAt } from './written-at.js'

export interface CapturedCode {
  /** Names the code by its kind and source. */
  readonly code: CodeHash
  /** `function`: the source is one expression, whose value is the function. `module`: it is an ES module. */
  readonly kind: 'function' | 'module'
  readonly source: Uint8Array
  /** From the source to the file that the function was written in; of the first that was seen with this source. */
  readonly sourceMap: SourceMap | undefined
  readonly exportName: string
  /** For people; `anonymous` when the function has none. */
  readonly name: string
}

/** How many sources are remembered: a loop makes a new function of the same source in each turn. */
const MAX_REMEMBERED_SOURCES = 1_000
const MAX_REMEMBERED_LENGTH = 16 * 1024

const byFunction = new WeakMap<object, CapturedCode>()
const bySource = new Map<string, CapturedCode>()

/**
 * Reads the source of a function, so that it can run elsewhere.
 *
 * @throws {FunctionNotPortableError} When it takes a name from its surroundings, or has no source: it is native, bound
 * or a class.
 */
export function captureFunction(fn: (...args: never[]) => unknown): CapturedCode {
  const known = byFunction.get(fn)
  if (known !== undefined) return known
  const name = typeof fn.name === 'string' && fn.name !== '' ? fn.name : 'anonymous'
  const printed = Function.prototype.toString.call(fn)
  const remembered = bySource.get(printed)
  const captured = remembered === undefined ? capture(fn, printed, name) : { ...remembered, name }
  byFunction.set(fn, captured)
  if (remembered === undefined) remember(printed, captured)
  return captured
}

/** Says what a function's code is, for one that was made of others. */
export function declareCaptured(fn: (...args: never[]) => unknown, captured: CapturedCode): void {
  byFunction.set(fn, captured)
}

function capture(fn: object, printed: string, name: string): CapturedCode {
  const { before, text, after, root, headLength } = readFunction(printed, name)
  const { names, imports } = findSurroundings(root)
  const used = names.filter((free) => !GLOBAL_NAMES.has(free.name))
  const missing = used.filter((free) => !isHelper(free))
  if (missing.length > 0) throw refuseSurroundings(name, missing, printed)
  const relative = imports.find(isRelativeImport)
  if (relative !== undefined) throw refuseRelativeImport(name, relative)

  const helpers = defineHelpers(used)
  const expression = `${before}${text}${after}`
  const beforeHelped = helpers === '' ? '' : `(() => { ${helpers} return (`
  const source = Buffer.from(helpers === '' ? expression : `${beforeHelped}${expression}) })()`)
  if (source.length > MAX_CODE_BYTES) {
    throw new FunctionNotPortableError(
      `The source of the function "${name}" has ${source.length} bytes, more than the ${MAX_CODE_BYTES} that may travel; pass its data as an argument.`,
    )
  }
  const at = findWrittenAt(fn, printed, { text, headLength })
  const column = beforeHelped.length + before.length
  const sourceMap = at === undefined ? undefined : mapFunction({ name, text, headLength, column }, at)
  const code = codeHash(contentHash('function', source))
  return { code, kind: 'function', source, sourceMap, exportName: 'default', name }
}

function remember(printed: string, captured: CapturedCode): void {
  if (printed.length > MAX_REMEMBERED_LENGTH) return
  if (bySource.size >= MAX_REMEMBERED_SOURCES) bySource.clear()
  bySource.set(printed, captured)
}
