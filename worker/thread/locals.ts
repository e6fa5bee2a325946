/**
 * `task.local`: values that a thread keeps from task to task, such as a database pool. Each is made once, when the first
 * task asks for it, and disposed of when its worker ends in order.
 */
import { HeddleError } from '../../protocol/errors.js'
import { MAX_LOCALS } from '../../protocol/limits.js'

/** Options of {@link Task.local}. */
export interface LocalOptions<T> {
  /**
   * Gives back what the value holds. Default: the first of these methods that the value has: `[Symbol.asyncDispose]`,
   * `[Symbol.dispose]`, `close`, `end`.
   */
  readonly dispose?: ((value: T) => unknown) | undefined
}

interface Local {
  readonly name: string
  /** What `create` gave: maybe a promise, which all that ask share. */
  readonly value: unknown
  readonly dispose: ((value: never) => unknown) | undefined
}

const METHODS = [Symbol.asyncDispose, Symbol.dispose, 'close', 'end'] as const

/** By worker: in an inline cluster several share a thread. In the order in which they were made. */
const localsByWorker = new Map<string, Map<string, Local>>()

/** The value of that name, made now if there is none. An error of `create` is thrown, and not kept: the next call tries again. */
export function localOf<T>(worker: string, name: string, create: () => T, options: LocalOptions<Awaited<T>>): T {
  const { dispose } = options
  if (typeof name !== 'string' || name === '') throw invalid(`Its name is ${textOf(name)}; give a text.`)
  if (typeof create !== 'function') throw invalid(`What makes "${name}" is ${textOf(create)}; give a function.`)
  if (dispose !== undefined && typeof dispose !== 'function') {
    throw invalid(`dispose of "${name}" is ${textOf(dispose)}; give a function.`)
  }
  const unknown = Object.keys(options).find((option) => option !== 'dispose')
  if (unknown !== undefined) throw invalid(`"${unknown}" is no option of it; it knows dispose.`)
  const locals = localsByWorker.get(worker) ?? new Map<string, Local>()
  localsByWorker.set(worker, locals)
  const known = locals.get(name)
  // Under one name there is one value: whoever asks for it says of what type it is, as it was made.
  if (known !== undefined) return known.value as T
  if (locals.size >= MAX_LOCALS) {
    throw invalid(
      `This thread keeps ${MAX_LOCALS} values, as many as it may; use fewer names, and not one for each task.`,
    )
  }
  const value = create()
  const local: Local = { name, value, dispose }
  locals.set(name, local)
  if (value instanceof Promise) {
    value.catch(() => {
      if (locals.get(name) === local) locals.delete(name)
    })
  }
  return value
}

/** The worker died, in a simulation: its values are gone as they are. */
export function forgetLocals(worker: string): void {
  localsByWorker.delete(worker)
}

/** Do tasks of this worker keep values in this thread? */
export function hasLocals(worker: string): boolean {
  return (localsByWorker.get(worker)?.size ?? 0) > 0
}

/** Disposes of all values that tasks of this worker keep in this thread, the last made first. Never rejects. */
export async function disposeLocals(worker: string, report: (text: string) => void): Promise<void> {
  const locals = [...(localsByWorker.get(worker)?.values() ?? [])]
  localsByWorker.delete(worker)
  for (const local of locals.reverse()) {
    try {
      await dispose(local)
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error)
      report(`The local value "${local.name}" could not be disposed of: ${reason}`)
    }
  }
}

async function dispose(local: Local): Promise<void> {
  const value: unknown = await local.value
  if (local.dispose !== undefined) {
    await local.dispose(value as never)
    return
  }
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return
  const methods = value as Readonly<Record<PropertyKey, unknown>>
  const method = METHODS.find((each) => typeof methods[each] === 'function')
  if (method !== undefined) await (methods[method] as () => unknown).call(value)
}

function invalid(what: string): HeddleError {
  return new HeddleError('ERR_HEDDLE_INVALID_OPTION', `task.local() cannot give this value. ${what}`)
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? `"${value}"` : value === null ? 'null' : typeof value
}
