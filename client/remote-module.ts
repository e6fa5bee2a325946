/** The functions of a module, to be run as tasks: `client.module<typeof import('./tasks.js')>(url)`. */
import { bundleModule } from './capture/module.js'
import type { Future, Inputs } from './future.js'
import type { CodeSource } from './template.js'

/**
 * A function of a module in the cluster: calling it submits a task. It can also be given to `submit`, `map` and the like.
 */
export type RemoteFunction<F> = F extends (...args: infer A) => infer R
  ? (...args: Inputs<A>) => Future<Awaited<R>>
  : never

/** The functions that a module exports, each as a {@link RemoteFunction}. */
export type RemoteModule<M> = {
  readonly [K in keyof M as M[K] extends (...args: never[]) => unknown ? K : never]: RemoteFunction<M[K]>
}

type AnyFunction = (...args: never[]) => unknown

/** Which function of which module a remote function stands for. */
interface Target {
  readonly source: CodeSource
  readonly exportName: string
}

const targets = new WeakMap<AnyFunction, Target>()

/** What a function stands for, if it is that of a remote module. */
export function remoteTargetOf(fn: AnyFunction): Target | undefined {
  return targets.get(fn)
}

/** Code of a module, which is being bundled from now on. */
export class ModuleSource implements CodeSource {
  readonly name: string
  state: CodeSource['state'] = { type: 'bundling' }

  /** `onSettled` is called when the bundle is there, or can't be made. */
  constructor(location: URL | string, onSettled: () => void) {
    this.name = nameOf(location)
    void this.#bundle(location).then(onSettled)
  }

  async #bundle(location: URL | string): Promise<void> {
    try {
      this.state = { type: 'ready', code: await bundleModule(location) }
    } catch (error) {
      this.state = { type: 'failed', error }
    }
  }
}

/**
 * Stands for a module: whatever property is asked for is a function of it. `then` and symbols are none, so that the
 * object can be awaited, printed and passed around like any other.
 */
export function remoteModule<M>(
  source: CodeSource,
  call: (fn: AnyFunction, args: readonly unknown[]) => Future<unknown>,
): RemoteModule<M> {
  const functions = new Map<string, AnyFunction>()
  const get = (_: object, exportName: string | symbol): AnyFunction | undefined => {
    if (typeof exportName === 'symbol' || exportName === 'then') return undefined
    let fn = functions.get(exportName)
    if (fn === undefined) {
      const remote = (...args: readonly unknown[]): Future<unknown> => call(remote, args)
      fn = Object.defineProperty(remote, 'name', { value: exportName })
      targets.set(fn, { source, exportName })
      functions.set(exportName, fn)
    }
    return fn
  }
  // The compiler knows the module's functions from its type; here they are what their names say.
  return new Proxy(Object.freeze({}), { get }) as RemoteModule<M>
}

function nameOf(location: URL | string): string {
  const file = String(location).split('/').at(-1) ?? ''
  return decodeURIComponent(file).replace(/\.[^.]*$/, '') || 'module'
}
