/** The project's own files, as the tests of its structure read them. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { PROJECT } from '../support/project.js'

const NOT_OURS = /^(node_modules|dist|dist-.*|\..*)$/

export interface SourceFile {
  /** From the root, with forward slashes: `scheduler/core/task.ts`. */
  readonly path: string
  readonly text: string
}

/** Every TypeScript file of the project. */
export function sourceFiles(): SourceFile[] {
  const paths: string[] = []
  for (const entry of readdirSync(PROJECT, { withFileTypes: true })) {
    if (!entry.isDirectory() || NOT_OURS.test(entry.name)) continue
    for (const below of readdirSync(path.join(PROJECT, entry.name), { recursive: true, encoding: 'utf8' })) {
      if (/\.tsx?$/.test(below) && !below.endsWith('.d.ts')) paths.push(path.posix.join(entry.name, below))
    }
  }
  return paths.sort().map((each) => ({ path: each, text: readProjectFile(each) }))
}

interface PackageJson {
  readonly version: string
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
}

export function readPackageJson(): PackageJson {
  return JSON.parse(readProjectFile('package.json')) as PackageJson
}

function readProjectFile(file: string): string {
  return readFileSync(path.join(PROJECT, file), 'utf8')
}
