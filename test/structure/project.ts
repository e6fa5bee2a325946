/** The project's own files, as the tests of its structure and of its pages read them. */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** From `dist/test/structure` up to the folder of package.json. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url))

const NOT_OURS = /^(node_modules|dist|dist-.*|\..*)$/

export interface SourceFile {
  /** From the root, with forward slashes: `scheduler/core/task.ts`. */
  readonly path: string
  readonly text: string
}

/** Every TypeScript file of the project. */
export function sourceFiles(): SourceFile[] {
  const paths: string[] = []
  for (const entry of readdirSync(ROOT, { withFileTypes: true })) {
    if (!entry.isDirectory() || NOT_OURS.test(entry.name)) continue
    for (const below of readdirSync(ROOT + entry.name, { recursive: true, encoding: 'utf8' })) {
      const path = `${entry.name}/${below.replaceAll('\\', '/')}`
      if (path.endsWith('.ts') && !path.endsWith('.d.ts')) paths.push(path)
    }
  }
  return paths.sort().map((path) => ({ path, text: readProjectFile(path) }))
}

export function readProjectFile(path: string): string {
  return readFileSync(ROOT + path, 'utf8')
}

interface PackageJson {
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
}

export function readPackageJson(): PackageJson {
  return JSON.parse(readProjectFile('package.json')) as PackageJson
}
