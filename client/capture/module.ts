/**
 * A module travels as one file with everything that it imports. What stays outside: Node's own modules, this package,
 * whose one copy is the worker's, and packages with native code.
 *
 * The same input gives the same bytes, wherever the project's folder is: all paths in the bundle are relative to it.
 */
import { existsSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { BuildFailure, Message } from 'esbuild'
import { contentHash } from '../../common/node/content-hash.js'
import { HeddleError } from '../../protocol/errors.js'
import { codeHash, type CodeHash } from '../../protocol/ids.js'
import { MAX_CODE_BYTES } from '../../protocol/limits.js'
import { keepNativePackagesOut } from './native-packages.js'

export interface CapturedModule {
  /** Names the code by its kind and source. */
  readonly code: CodeHash
  readonly kind: 'module'
  /** The text of an ES module. */
  readonly source: Uint8Array
  /** It stands in the source. */
  readonly sourceMap: undefined
  /** The file's name without its extension. */
  readonly name: string
  readonly exportNames: readonly string[]
}

/**
 * What a CommonJS package in the bundle expects to find. esbuild gives another name to a `require` of the author's own,
 * and leaves an own `__dirname` or `__filename` alone, so nothing clashes.
 */
const BANNER =
  `import { createRequire as __heddle_create_require } from 'node:module'; ` +
  `const require = __heddle_create_require(import.meta.url), ` +
  `{ filename: __heddle_filename, dirname: __heddle_dirname } = import.meta;`
const NAMES_IN_BANNER = { __filename: '__heddle_filename', __dirname: '__heddle_dirname' }

/**
 * Bundles the module at `location`, a file URL or an absolute path, in JavaScript or TypeScript.
 *
 * @throws {HeddleError} `ERR_HEDDLE_MODULE` when there is no such file, when it or what it imports does not compile, or
 * when the bundle is too large.
 */
export async function bundleModule(location: URL | string): Promise<CapturedModule> {
  const file = findFile(location)
  const root = projectFolder(file)
  // Loaded on first use: it takes 55 ms, and most programs have inline functions only.
  const { build } = await import('esbuild')
  const result = await build({
    absWorkingDir: root,
    entryPoints: [file],
    outfile: path.join(root, 'bundle.mjs'),
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    external: ['heddle', 'heddle/*'],
    plugins: [keepNativePackagesOut],
    banner: { js: BANNER },
    define: NAMES_IN_BANNER,
    // Errors show `module:src/tasks.ts:3:9`: a file that need not exist where the code runs.
    sourcemap: 'inline',
    sourcesContent: false,
    sourceRoot: 'module:',
    metafile: true,
    logLevel: 'silent',
  }).catch((error: unknown) => {
    throw bundlingError(path.relative(root, file), error)
  })

  const [output] = result.outputFiles
  const [meta] = Object.values(result.metafile.outputs)
  const source = output?.contents ?? new Uint8Array()
  if (source.length > MAX_CODE_BYTES) {
    throw new HeddleError(
      'ERR_HEDDLE_MODULE',
      `The module ${path.relative(root, file)} has ${source.length} bytes with all that it imports, more than the ${MAX_CODE_BYTES} that may travel; import less, or install large packages on the workers and load them with await import().`,
    )
  }
  const code = codeHash(contentHash('module', source))
  return {
    code,
    kind: 'module',
    source,
    sourceMap: undefined,
    name: path.parse(file).name,
    exportNames: meta?.exports ?? [],
  }
}

/** Sources and what a compiler makes of them; a program may name one and run beside the other. */
const OTHER_EXTENSION: Readonly<Record<string, string>> = {
  '.ts': '.js',
  '.mts': '.mjs',
  '.cts': '.cjs',
  '.tsx': '.js',
  '.js': '.ts',
  '.mjs': '.mts',
  '.cjs': '.cts',
}

function findFile(location: URL | string): string {
  const text = String(location)
  const file = text.startsWith('file:') ? fileURLToPath(text) : text
  if (!path.isAbsolute(file)) {
    throw new HeddleError(
      'ERR_HEDDLE_MODULE',
      `"${text}" does not say where the module is; give a file URL, as in new URL('./tasks.ts', import.meta.url).`,
    )
  }
  if (existsSync(file)) return path.normalize(file)
  const { dir, name, ext } = path.parse(file)
  const other = path.join(dir, `${name}${OTHER_EXTENSION[ext] ?? ext}`)
  if (existsSync(other)) return other
  throw new HeddleError('ERR_HEDDLE_MODULE', `There is no module at ${file}; check the path given to client.module().`)
}

/** The nearest folder with a package.json, else the file's own. */
function projectFolder(file: string): string {
  for (let at = path.dirname(file); at !== path.dirname(at); at = path.dirname(at)) {
    if (existsSync(path.join(at, 'package.json'))) return at
  }
  return path.dirname(file)
}

function bundlingError(file: string, error: unknown): HeddleError {
  const messages: readonly Message[] = (error as Partial<BuildFailure>).errors ?? []
  const [first] = messages
  const text = first === undefined ? String(error) : describe(first)
  const more = messages.length > 1 ? ` (and ${messages.length - 1} more)` : ''
  return new HeddleError('ERR_HEDDLE_MODULE', `The module ${file} cannot be bundled: ${text}${more}.`, { cause: error })
}

/** With the column as editors count it, from 1. */
function describe({ text, location }: Message): string {
  if (location === null) return text
  return `${location.file}:${location.line}:${location.column + 1}: ${text}`
}
