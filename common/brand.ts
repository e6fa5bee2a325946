/** Primitives with names: what the compiler tells apart and the running program does not. */

declare const brand: unique symbol

/** A primitive with a name of its own, so that a worker's number cannot be passed for a task's. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }
