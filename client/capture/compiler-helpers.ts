/**
 * Which of the names that a function takes from its surroundings were put there by a compiler or a test runner, and
 * what has to travel in front of the function for them: see helper-sources.ts.
 */
import { BABEL_HELPERS, COVERAGE, HELPERS, type Helper } from './helper-sources.js'

/** TypeScript's `importHelpers` reads its helpers from this module, as `tslib_1.__awaiter`. */
const TSLIB = /^tslib_\d+$/

export interface HelperUse {
  readonly name: string
  readonly member: string | undefined
}

/** Is this a name that we define for the functions which use it? */
export function isHelper({ name, member }: HelperUse): boolean {
  return find(TSLIB.test(name) && member !== undefined ? member : name) !== undefined
}

/** Definitions of the helpers that a function uses, in one line, in front of it. */
export function defineHelpers(used: readonly HelperUse[]): string {
  const definitions = new Map<string, string>()
  const libraries = new Map<string, Set<string>>()
  const names: string[] = []
  for (const { name, member } of used) {
    if (!TSLIB.test(name) || member === undefined) {
      names.push(name)
      continue
    }
    names.push(member)
    libraries.set(name, (libraries.get(name) ?? new Set()).add(member))
  }
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    const helper = find(name)
    if (helper === undefined || definitions.has(name)) continue
    definitions.set(name, define(name, helper.source.replace(/\n\s*/g, ' ')))
    names.push(...(helper.uses ?? []))
  }
  for (const [name, members] of libraries) definitions.set(name, `const ${name} = { ${[...members].join(', ')} };`)
  return [...definitions.values()].join(' ')
}

/** SWC and Babel reach a helper that comes from their libraries as a member of itself: `_extends.default`, `_extends._`. */
function define(name: string, source: string): string {
  if (babelName(name) === undefined) return `const ${name} = ${source};`
  return `const ${name} = ((helper) => Object.assign(helper, { _: helper, default: helper }))(${source});`
}

function find(name: string): Helper | undefined {
  if (Object.hasOwn(HELPERS, name)) return HELPERS[name]
  if (/^cov_[0-9a-z]+$/.test(name)) return COVERAGE
  return BABEL_HELPERS[babelName(name) ?? '']
}

/** `_async_to_generator`, `_asyncToGenerator` and `_asyncToGenerator2` are all `asyncToGenerator`. */
function babelName(name: string): string | undefined {
  const plain = /^_([a-zA-Z_]+)\d*$/.exec(name)?.[1]?.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
  return plain !== undefined && Object.hasOwn(BABEL_HELPERS, plain) ? plain : undefined
}
