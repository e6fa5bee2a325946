/** Who may import whom: the column "may import" of the architecture as a table, and the check of one file against it. */
import { posix } from 'node:path'
import { isBuiltin } from 'node:module'
import type { Import, ImportingFile } from './imports.js'

interface Zone {
  /** The files in this folder and in those below it that have no zone of their own; or one file. */
  readonly folder: string
  /** Zones that its files may import, beside their own. */
  readonly mayImport: readonly string[]
  /** Zones that it may import by `import()` only, or types from. */
  readonly lazily?: readonly string[]
  /** Zones that it may take nothing but types from. */
  readonly typesOf?: readonly string[]
  /** Third-party packages. */
  readonly packages?: readonly string[]
  /** Third-party packages that the build puts into its files: who installs heddle gets them so. */
  readonly bundled?: readonly string[]
  /** Not even Node's own modules: it runs in the simulator, and in tests by events and instructions. */
  readonly withoutNode?: true
}

const PROTOCOL = ['protocol', 'protocol/messages', 'common']

/** One row a zone. A package stands in the rows of its home only. */
export const ZONES: readonly Zone[] = [
  { folder: 'common', mayImport: [], withoutNode: true },
  { folder: 'common/node', mayImport: ['common'], packages: ['pino'] },

  { folder: 'protocol', mayImport: ['common'], withoutNode: true },
  { folder: 'protocol/messages', mayImport: ['protocol', 'common'], withoutNode: true },
  { folder: 'protocol/values', mayImport: PROTOCOL, packages: ['msgpackr'] },
  { folder: 'protocol/transport', mayImport: [...PROTOCOL, 'common/node'], packages: ['ws', 'msgpackr'] },

  { folder: 'scheduler/core', mayImport: PROTOCOL, withoutNode: true },
  // It never decodes a user's value: protocol/values is not here.
  {
    folder: 'scheduler',
    mayImport: [...PROTOCOL, 'scheduler/core', 'protocol/transport', 'common/node'],
    packages: ['fastify', 'prom-client', 'ws'],
  },

  { folder: 'worker/core', mayImport: PROTOCOL, withoutNode: true },
  {
    folder: 'worker/thread',
    mayImport: [...PROTOCOL, 'protocol/values', 'common/node'],
    // What tasks submit with is loaded when the first one does (task-client.ts).
    typesOf: ['worker/core', 'client'],
  },
  {
    folder: 'worker',
    mayImport: [...PROTOCOL, 'worker/core', 'worker/thread', 'protocol/transport', 'protocol/values', 'common/node'],
    typesOf: ['client'],
    packages: ['piscina'],
  },

  {
    folder: 'client',
    mayImport: [...PROTOCOL, 'client/capture', 'client/graph', 'protocol/values', 'protocol/transport', 'common/node'],
    lazily: ['deploy'],
  },
  // The public door, which writes out every name: that of the local cluster too.
  {
    folder: 'client/index.ts',
    mayImport: [...PROTOCOL, 'protocol/values', 'client', 'deploy'],
    typesOf: ['protocol/transport'],
  },
  { folder: 'client/graph', mayImport: PROTOCOL, withoutNode: true },
  { folder: 'client/capture', mayImport: [...PROTOCOL, 'common/node'], packages: ['acorn', 'esbuild'] },

  {
    folder: 'deploy',
    mayImport: [...PROTOCOL, 'protocol/transport', 'common/node', 'scheduler', 'worker'],
    typesOf: ['worker/thread'],
  },

  // What users test their programs with: all that makes a cluster, in one thread.
  {
    folder: 'testing',
    mayImport: [
      ...PROTOCOL,
      'protocol/transport',
      'common/node',
      'scheduler',
      'worker',
      'worker/core',
      'worker/thread',
      'client',
    ],
    lazily: ['deploy'],
  },

  {
    folder: 'dashboard',
    mayImport: ['common', 'dashboard/model'],
    typesOf: PROTOCOL,
    bundled: ['preact', 'uplot'],
    withoutNode: true,
  },
  // What the pages say, apart from how: tested without a browser.
  { folder: 'dashboard/model', mayImport: ['common'], typesOf: PROTOCOL, withoutNode: true },
  {
    folder: 'cli',
    mayImport: [...PROTOCOL, 'protocol/transport', 'common/node', 'scheduler', 'worker', 'client', 'deploy'],
    packages: ['commander'],
  },

  // What a user could have written: the public API, which measurements take from the tree that they measure.
  { folder: 'bench', mayImport: ['client/index.ts', 'bench/core', 'bench/peers'] },
  // Other systems run the same workloads.
  { folder: 'bench/peers', mayImport: ['bench'], packages: ['piscina'] },
  // What no user could have written: it measures the scheduler alone, its core or its process, with pages that look on.
  {
    folder: 'bench/core',
    mayImport: [...PROTOCOL, 'common/node', 'protocol/transport', 'scheduler', 'scheduler/core', 'bench'],
  },
  // Programs as users write them.
  { folder: 'examples', mayImport: [], packages: ['heddle', 'fastify', 'pg', 'sharp'] },
]

/** Tests look at everything but each other's areas. */
const TEST = 'test'

const FOLDERS = ZONES.map(({ folder }) => folder).sort((a, b) => b.length - a.length)

/** What the file imports and may not, each as one sentence. */
export function violationsOf(file: ImportingFile): string[] {
  if (file.path.startsWith(`${TEST}/`)) return []
  const zone = zoneOf(file.path)
  if (zone === undefined) return [`${file.path} is in no known folder; give its folder a row in the table.`]
  return file.imports.flatMap((each) => {
    const problem = problemOf(file.path, zone, each)
    return problem === undefined ? [] : [`${file.path}:${each.line} ${problem}`]
  })
}

function problemOf(path: string, zone: Zone, { specifier, kind }: Import): string | undefined {
  if (specifier.startsWith('.')) {
    const target = targetOf(path, specifier)
    const folder = zoneOf(target)?.folder
    if (folder === undefined) return `imports ${target}, which is in no folder of the table.`
    return mayImport(zone, folder, kind) ? undefined : `may not import ${target} (${kind}).`
  }
  if (isBuiltin(specifier)) {
    if (!specifier.startsWith('node:')) return `imports ${specifier}; write node:${specifier}.`
    return zone.withoutNode === true ? `may not import ${specifier}: ${zone.folder} is without I/O.` : undefined
  }
  const name = packageOf(specifier)
  const packages = [...(zone.packages ?? []), ...(zone.bundled ?? [])]
  return packages.includes(name) ? undefined : `may not import the package ${name}.`
}

function mayImport(zone: Zone, folder: string, kind: Import['kind']): boolean {
  if (zone.folder === folder || zone.mayImport.includes(folder)) return true
  if (kind !== 'static' && zone.lazily?.includes(folder) === true) return true
  return kind === 'type' && zone.typesOf?.includes(folder) === true
}

function zoneOf(path: string): Zone | undefined {
  const folder = FOLDERS.find((each) => path === each || path.startsWith(`${each}/`))
  return ZONES.find((zone) => zone.folder === folder)
}

/** `./b.js` in `a/c.ts` is `a/b.ts`; as such we know `a/b.tsx` too. */
function targetOf(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.js$/, '.ts')
}

/** `@scope/name/sub` is `@scope/name`. */
function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')
}

/** Circles of files that need each other to be loaded, each as a path. Types do not count: they are gone by then. */
export function cyclesOf(files: readonly ImportingFile[]): string[] {
  const targets = new Map(
    files.map((file) => {
      const needed = file.imports.filter(({ specifier, kind }) => specifier.startsWith('.') && kind !== 'type')
      return [file.path.replace(/\.tsx$/, '.ts'), needed.map(({ specifier }) => targetOf(file.path, specifier))]
    }),
  )
  const cycles: string[] = []
  const done = new Set<string>()
  for (const start of targets.keys()) {
    // Depth first by hand: `trail` is the way to where we are, each step with the imports that are left to follow.
    const trail = [{ path: start, left: [...(targets.get(start) ?? [])] }]
    while (!done.has(start)) {
      const here = trail.at(-1)!
      const next = here.left.pop()
      if (next === undefined) {
        done.add(here.path)
        trail.pop()
        continue
      }
      const place = trail.findIndex(({ path }) => path === next)
      if (place !== -1) cycles.push([...trail.slice(place).map(({ path }) => path), next].join(' → '))
      else if (!done.has(next)) trail.push({ path: next, left: [...(targets.get(next) ?? [])] })
    }
  }
  return cycles
}
