/**
 * Keeps packages with native code out of a bundle. Their binary is for one platform, which need not be the worker's,
 * and they look for it beside their own files; so the import stays, and the worker's own `node_modules` answers it.
 *
 * A package counts as native when it says so (`gypfile` or `binary` in its description, a binding.gyp), when there is a
 * `.node` file in its folder, or when one of its optional dependencies is for one platform only.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import type { Plugin } from 'esbuild'

/** Enough for any package that keeps its binaries where others do; a bound for those with ten thousand files. */
const MAX_ENTRIES_SEARCHED = 5_000

export const keepNativePackagesOut: Plugin = {
  name: 'keep-native-packages-out',
  setup(build) {
    const verdicts = new Map<string, boolean>()
    build.onResolve({ filter: /^[^./#]/ }, ({ path: specifier, resolveDir }) => {
      const name = /^(?:@[^/]+\/)?[^/]+/.exec(specifier)?.[0]
      const folder = name === undefined ? undefined : findPackage(name, resolveDir)
      if (folder === undefined) return undefined
      const isNative = verdicts.get(folder) ?? isNativePackage(folder)
      verdicts.set(folder, isNative)
      return isNative ? { path: specifier, external: true } : undefined
    })
  },
}

interface Description {
  readonly gypfile?: unknown
  readonly binary?: unknown
  readonly os?: unknown
  readonly cpu?: unknown
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

function isNativePackage(folder: string): boolean {
  const { gypfile, binary, optionalDependencies } = describe(folder)
  if (gypfile !== undefined || binary !== undefined || existsSync(path.join(folder, 'binding.gyp'))) return true
  const isForOnePlatform = (name: string): boolean => {
    const installed = findPackage(name, folder)
    if (installed === undefined) return false
    const { os, cpu } = describe(installed)
    return os !== undefined || cpu !== undefined
  }
  return Object.keys(optionalDependencies ?? {}).some(isForOnePlatform) || hasBinary(folder)
}

function hasBinary(folder: string): boolean {
  const folders = [folder]
  let searched = 0
  for (let at = folders.shift(); at !== undefined && searched < MAX_ENTRIES_SEARCHED; at = folders.shift()) {
    for (const entry of readdirSync(at, { withFileTypes: true })) {
      searched += 1
      if (entry.isFile() && entry.name.endsWith('.node')) return true
      if (entry.isDirectory() && entry.name !== 'node_modules') folders.push(path.join(at, entry.name))
    }
  }
  return false
}

function findPackage(name: string, from: string): string | undefined {
  for (let at = from; ; at = path.dirname(at)) {
    const folder = path.join(at, 'node_modules', name)
    if (existsSync(path.join(folder, 'package.json'))) return folder
    if (at === path.dirname(at)) return undefined
  }
}

function describe(folder: string): Description {
  const description: unknown = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'))
  return typeof description === 'object' && description !== null ? description : {}
}
