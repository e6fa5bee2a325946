/** Pages that list what is in the code list all of it and nothing else, and what pages point to is there. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import type { Command } from 'commander'
import { createProgram } from '../../cli/program.js'
import { formatBytes, formatDuration } from '../../common/units.js'
import * as errors from '../../protocol/errors.js'
import * as limits from '../../protocol/limits.js'
import { PROJECT } from '../support/project.js'
import { anchorsOf, headingsOf, linksOf, readPage, readPages } from './markdown.js'

interface PackageJson {
  readonly scripts: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}
const packageJson = JSON.parse(readFileSync(path.join(PROJECT, 'package.json'), 'utf8')) as PackageJson

test('docs/errors.md has a heading for every code, in order, and for nothing else', () => {
  const headings = headingsOf(readPage('docs/errors.md'), 3)
  assert.deepEqual(
    headings,
    errors.ERROR_CODES.map((code) => `\`${code}\``),
  )
})

test('docs/errors.md names every class that a caller can catch', () => {
  const { text } = readPage('docs/errors.md')
  const unnamed = Object.keys(errors).filter((name) => name.endsWith('Error') && !text.includes(`\`${name}\``))
  assert.deepEqual(unnamed, [])
})

test('docs/limits.md has a row with the value of every limit, and no other', () => {
  const rows = [...readPage('docs/limits.md').text.matchAll(/^\| `(\w+)` \| ([^|]+) \| [^|]+ \|$/gm)]
  const documented = rows.map(([, name, value]) => `${name}: ${value}`)
  const declared = Object.entries(limits).map(([name, value]) => `${name}: ${inItsUnit(name, value)}`)
  assert.deepEqual(documented.sort(), declared.sort())
})

test('docs/dependencies.md has a heading for every dependency, in order, and for nothing else', () => {
  const { dependencies, devDependencies } = packageJson
  assert.deepEqual(headingsOf(readPage('docs/dependencies.md'), 3), [
    ...Object.keys(dependencies),
    ...Object.keys(devDependencies),
  ])
})

test('docs/command-line.md has a heading for every command, and for nothing else', () => {
  const headings = headingsOf(readPage('docs/command-line.md'), 3)
  assert.deepEqual(
    headings.toSorted(),
    commandsOf(createProgram())
      .map((name) => `\`${name}\``)
      .sort(),
  )
})

test('docs/glossary.md is in the order of the alphabet', () => {
  const words = [...readPage('docs/glossary.md').text.matchAll(/^\*\*(.+?)\*\*/gm)].map(([, word]) => word ?? '')
  assert.ok(words.length > 30)
  assert.deepEqual(
    words,
    words.toSorted((a, b) => a.localeCompare(b, 'en')),
  )
})

test('the tests that docs/guarantees.md names for each promise are there', () => {
  const rows = readPage('docs/guarantees.md')
    .text.split('\n')
    .filter((line) => line.startsWith('| '))
  const promises = rows.slice(2)
  assert.ok(promises.length > 20)
  for (const row of promises) {
    const named = [...row.matchAll(/`(test\/[\w./-]+)`/g)].map(([, file]) => file ?? '')
    assert.ok(named.length > 0 || row.includes('the same'), `no test shows: ${row.slice(0, 80)}`)
    assert.deepEqual(
      named.filter((file) => !existsSync(path.join(PROJECT, file))),
      [],
    )
  }
})

for (const page of readPages()) {
  test(`the links of ${page.name} lead somewhere`, () => {
    assert.deepEqual(
      linksOf(page).filter((target) => !leadsSomewhere(page.name, target)),
      [],
    )
  })

  test(`the scripts that ${page.name} names are there`, () => {
    const named = [...page.text.matchAll(/\bnpm (?:run )?([a-z][a-z:]*)/g)].filter(
      ([command, name]) => command.startsWith('npm run') || name === 'test' || name === 'start',
    )
    assert.deepEqual(
      named.map(([, name]) => name ?? '').filter((name) => !Object.hasOwn(packageJson.scripts, name)),
      [],
    )
  })
}

/** Those that do something themselves. */
function commandsOf(command: Command, parent = ''): string[] {
  const name = `${parent} ${command.name()}`.trim()
  return command.commands.length === 0 ? [name] : command.commands.flatMap((each) => commandsOf(each, name))
}

function inItsUnit(name: string, value: number): string {
  if (name.endsWith('_BYTES')) return formatBytes(value)
  return name.endsWith('_MS') ? formatDuration(value) : value.toLocaleString('en')
}

/** Links to other sites are taken at their word. */
function leadsSomewhere(from: string, target: string): boolean {
  if (/^https?:/.test(target)) return true
  const [file = '', anchor] = target.split('#', 2)
  const name = file === '' ? from : path.posix.join(path.posix.dirname(from), file)
  if (!existsSync(path.join(PROJECT, name))) return false
  return anchor === undefined || anchorsOf(readPage(name)).has(anchor)
}
