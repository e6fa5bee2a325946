/** The sentences that say why a function cannot travel, and what to do about it. */
import { FunctionNotPortableError } from '../../protocol/errors.js'
import type { DynamicImport, FreeName } from './free-names.js'

const MODULE = "put the function into a module and use client.module(new URL('./tasks.ts', import.meta.url))"

/** For a function that takes `names`, at least one, from its surroundings. */
export function refuseSurroundings(name: string, names: readonly FreeName[], source: string): FunctionNotPortableError {
  const old = names.find((free) => source.includes(`${free.name}.apply(this, arguments)`))
  if (old !== undefined) {
    return new FunctionNotPortableError(
      `The function "${name}" was compiled for a target older than ES2017, which leaves its body outside of it, in "${old.name}"; compile for ES2017 or later, or ${MODULE}.`,
    )
  }
  const shown = [...new Set(names.map(nameInSource))]
  if (shown[0] === 'import.meta' && shown.length === 1) {
    return new FunctionNotPortableError(
      `The function "${name}" uses "import.meta", which on a worker is not that of this file; pass import.meta.url as an argument, or ${MODULE}.`,
    )
  }
  const [it, argument] = shown.length === 1 ? ['it', 'an argument'] : ['them', 'arguments']
  const recursion = shown.includes(name)
    ? `; a function that calls itself can be written as function ${name}(…) {…}`
    : ''
  return new FunctionNotPortableError(
    `The function "${name}" uses ${listed(shown)} from its surroundings, which do not travel to a worker with it: ` +
      `pass ${it} as ${argument}, import ${it} inside with await import(), or ${MODULE}${recursion}.`,
  )
}

/** For a function that imports a file by its place beside this one. */
export function refuseRelativeImport(name: string, { specifier }: DynamicImport): FunctionNotPortableError {
  return new FunctionNotPortableError(
    `The function "${name}" imports "${specifier}", a file that is not there on a worker; pass what it needs as an argument, import a package, or ${MODULE}, which brings its imports along.`,
  )
}

/** A relative path; or one from the project's folder, which is what Vite makes of it. */
export function isRelativeImport({ by, specifier }: DynamicImport): boolean {
  if (by === '__vite_ssr_dynamic_import__' && /^\/(?!node_modules\/)/.test(specifier)) return true
  return /^\.\.?(\/|$)/.test(specifier)
}

/** Compilers rename what a source imports. These are the objects which hold it then, under names that nobody else uses. */
const IMPORTS_OBJECT = /^(__(?:vite_ssr|vi)_(?:import_\d+|exports?)__|.*_WEBPACK_IMPORTED_MODULE_\d+__|exports)$/
/** TypeScript's and esbuild's, as in `helper_1.helper` and `import_helper.helper`; they could be the author's own, too. */
const PERHAPS_IMPORTS_OBJECT = /^import_|_\d+$/

/** The name as the author wrote it, where a compiler wrote another. */
function nameInSource({ name, member, isCallOfImport }: FreeName): string {
  if (name === '_this') return 'this'
  if (name === '__vite_ssr_import_meta__') return 'import.meta'
  if (member === undefined) return name
  if (isCallOfImport || IMPORTS_OBJECT.test(name)) return member
  return PERHAPS_IMPORTS_OBJECT.test(name) ? `${name}.${member}` : name
}

function listed(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`)
  const last = quoted.pop()
  return [quoted.join(', '), last].filter(Boolean).join(' and ')
}
