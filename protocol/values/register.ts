/** The classes whose instances may travel because the user said how. One table in each process and thread. */

/** The constructor of any class, whatever it takes. */
export type ClassOf<T> = abstract new (...parameters: never[]) => T

/** How the instances of a class travel. */
export interface TypeCodec<T, E> {
  /** What the class is called on the wire; its own name if not given. Give one when two classes share a name. */
  readonly name?: string
  /** Gives what travels in the place of an instance: any value that can travel, but not the instance itself. */
  readonly encode: (instance: T) => E
  /** Makes an instance of what `encode` gave. */
  readonly decode: (encoded: E) => T
}

interface Registration {
  readonly name: string
  readonly encode: (instance: unknown) => unknown
  readonly decode: (encoded: unknown) => unknown
}

const byPrototype = new Map<object, Registration>()
const byName = new Map<string, Registration>()

/**
 * Lets instances of a class travel, at any depth of arguments and results. Both sides must call it: the client, and
 * the code of the task (a module's top level is a good place). It holds for the class itself, not for its subclasses.
 * A later registration under the same name takes the place of the earlier one.
 *
 * @example
 * ```ts
 * // places.ts, which is loaded here and in the cluster:
 * //   import { registerType } from 'heddle'
 * //   registerType(URL, { encode: (url) => url.href, decode: (href) => new URL(href) })
 * //   export const hostOf = (url: URL) => url.hostname
 * import './places.js'
 *
 * const places = client.module<typeof import('./places.js')>(new URL('./places.ts', import.meta.url))
 * console.log(await places.hostOf(new URL('https://example.org/a'))) // => example.org
 * ```
 */
export function registerType<T extends object, E>(type: ClassOf<T>, codec: TypeCodec<T, E>): void {
  const registration = { name: codec.name ?? type.name, encode: codec.encode, decode: codec.decode } as Registration
  byPrototype.set(type.prototype as object, registration)
  byName.set(registration.name, registration)
}

/** How instances with this prototype travel, if the user said so. */
export function registrationOf(prototype: object): Registration | undefined {
  return byPrototype.size === 0 ? undefined : byPrototype.get(prototype)
}

/** How an instance comes back that was sent under this name. */
export function registrationNamed(name: string): Registration | undefined {
  return byName.get(name)
}
