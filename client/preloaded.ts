/** Functions of modules that workers were started with (`heddle worker join --preload tasks.js`), by name: `tasks.resize`. */
import { contentHash } from '../common/node/content-hash.js'
import { codeHash } from '../protocol/ids.js'
import { describe, invalidOption } from './options.js'
import type { Code } from './template.js'

/** The file's name without its extension, and one of its exports: `tasks.resize`. */
export type PreloadedName = `${string}.${string}`

interface PreloadedFunction {
  readonly code: Code
  readonly exportName: string
}

/** @throws {HeddleError} `ERR_HEDDLE_INVALID_OPTION` when the text is no such name. */
export function preloadedFunction(name: string): PreloadedFunction {
  const [, module, exportName] = /^([\w.-]+)\.([\w$]+)$/.exec(name) ?? []
  if (module === undefined || exportName === undefined) {
    throw invalidOption(
      `${describe(name)} names no function; give a function, or module and export of a preloaded one, as in "tasks.resize".`,
    )
  }
  const source = Buffer.from(module)
  const code = codeHash(contentHash('preloaded', source))
  return { code: { code, kind: 'preloaded', source, sourceMap: undefined }, exportName }
}
