/** Loads code inside a thread, from the files that the worker's code cache has written. */
import { HeddleError } from '../../protocol/errors.js'

export type TaskFunction = (...args: readonly unknown[]) => unknown

type Namespace = Readonly<Record<string, unknown>>

const functions = new Map<string, Promise<TaskFunction>>()
const modules = new Map<string, Promise<Namespace>>()

/** Files that a thread may load before another takes its place: what is loaded stays in memory as long as the thread. */
export const MAX_LOADED_CODE = 1_000

/** Code that was loaded, so that its functions can be submitted again by tasks. */
export interface LoadedCode {
  readonly url: string
  readonly namespace: Namespace
}

const loadedCode: LoadedCode[] = []

/** What was loaded since the last call. */
export function takeLoadedCode(): LoadedCode[] {
  return loadedCode.splice(0)
}

/** How many files this thread has loaded. They are never unloaded: past a bound the thread is replaced. */
export function loadedCodeCount(): number {
  return modules.size
}

/**
 * Resolves to the function that the code at `url` exports under `exportName`; the same one each time. `name` is what
 * stacks call it if it has no name of its own.
 *
 * @throws {HeddleError} `ERR_HEDDLE_MODULE` when a package that the code imports is not installed here, or when it exports no such function.
 * @throws What the code throws while it is loaded.
 */
export function loadFunction(url: string, exportName: string, name = exportName): Promise<TaskFunction> {
  const id = `${url}#${exportName}`
  let loaded = functions.get(id)
  if (loaded === undefined) {
    loaded = findExport(url, exportName).then((fn) => named(fn, name))
    functions.set(id, loaded)
  }
  return loaded
}

/**
 * Says in the error of an import what to do about a package that is missing here; leaves every other error as it is.
 * A function's own `await import()` throws Node's error, which knows nothing of workers.
 */
export function explainMissingPackage(error: unknown): void {
  if (!(error instanceof Error) || !NOT_FOUND_CODES.has((error as NodeJS.ErrnoException).code ?? '')) return
  const missing = NOT_FOUND_BY_CODE.exec(error.message)?.[1]
  if (missing === undefined) return
  const explained = `Cannot find package '${missing}' on this worker; install it in the worker's working directory, ${process.cwd()}, as in npm install ${missing}`
  // The stack begins with the message, and does not follow it.
  const { message, stack } = error
  error.message = explained
  if (stack !== undefined) error.stack = stack.replace(message, () => explained)
}

/** Of `import`, and of `require`. */
const NOT_FOUND_CODES: ReadonlySet<string> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])
/** Asked for by a file of the code cache itself: what a package misses is another matter. */
const NOT_FOUND_BY_CODE =
  /^Cannot find (?:package|module) '((?:@[^'/]+\/)?[^'./][^'/]*)[^']*'[^]*?(?:imported from|Require stack:\n-) \S*[0-9a-f]{64}\.mjs/

async function findExport(url: string, exportName: string): Promise<TaskFunction> {
  let loading = modules.get(url)
  if (loading === undefined) {
    // Source maps are read while a module is loaded, and only if this was said before.
    process.setSourceMapsEnabled(true)
    loading = import(url) as Promise<Namespace>
    modules.set(url, loading)
    loading.then(
      (loaded) => loadedCode.push({ url, namespace: loaded }),
      () => undefined,
    )
  }
  const namespace = await loading.catch((error: unknown) => {
    throw loadingError(error)
  })
  // A module may export a promise of its function: of what has to be set up first.
  const value = await exportOf(namespace, exportName)
  if (typeof value === 'function') return value as TaskFunction
  const names = [...Object.keys(namespace), ...Object.keys(wholeOf(namespace) ?? {})]
  const offered = names.filter((name) => typeof exportOf(namespace, name) === 'function')
  const what =
    exportName in namespace ? `exports "${exportName}", which is no function` : `has no export "${exportName}"`
  throw new HeddleError(
    'ERR_HEDDLE_MODULE',
    `The module ${what}; ${offered.length === 0 ? 'it exports no functions' : `its functions are ${offered.join(', ')}`}.`,
  )
}

/** What a CommonJS module exports by name is a property of the one thing that it exports. */
function exportOf(namespace: Namespace, exportName: string): unknown {
  const value = namespace[exportName]
  const whole = wholeOf(namespace)
  if (typeof value === 'function' || whole === undefined || !Object.hasOwn(whole, exportName)) return value
  return whole[exportName]
}

function wholeOf({ default: whole }: Namespace): Namespace | undefined {
  return (typeof whole === 'object' || typeof whole === 'function') && whole !== null ? (whole as Namespace) : undefined
}

/** An arrow loses the name of the variable that it was assigned to, and is called `default` after its export. */
function named(fn: TaskFunction, name: string): TaskFunction {
  if (fn.name === 'default') Object.defineProperty(fn, 'name', { value: name, configurable: true })
  return fn
}

function loadingError(error: unknown): unknown {
  if (!(error instanceof Error) || !NOT_FOUND_CODES.has((error as NodeJS.ErrnoException).code ?? '')) return error
  explainMissingPackage(error)
  return new HeddleError('ERR_HEDDLE_MODULE', `The code cannot be loaded: ${error.message}.`, { cause: error })
}
