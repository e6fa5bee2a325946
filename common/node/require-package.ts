/**
 * Packages that are CommonJS, loaded as such. To `import` one makes Node look through it for its exports, with a scanner
 * that it has to compile first: 60 ms of a starting process's CPU time on Node 20.
 */
import { createRequire } from 'node:module'

/** Cast what it returns to the package's types, as in `requirePackage('ws') as typeof import('ws')`. */
export const requirePackage: (name: string) => unknown = createRequire(import.meta.url)
