/** docs/reference-tests.md names tests of ours: each is in its file, under that name. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { PROJECT } from '../support/project.js'
import { readPage } from './markdown.js'

/** A row with one test of Dask's, what it pins, and tests of ours. */
const ROW = /^\| `([^`]+\.py::\w+)` \| ([^|]+) \| ([^|]+) \|$/gm
const OURS = /^`([\w./-]+\.test\.ts)`: (.+)$/

const rows = [...readPage('docs/reference-tests.md').text.matchAll(ROW)]

test('every test that docs/reference-tests.md names is there', () => {
  assert.ok(rows.length > 100)
  const missing = rows.flatMap(([, theirs, , ours = '']) =>
    ours.split('<br>').flatMap((each) => {
      const [, file, name] = OURS.exec(each.trim()) ?? []
      return file !== undefined && name !== undefined && isIn(file, name) ? [] : [`${theirs}: ${each}`]
    }),
  )
  assert.deepEqual(missing, [])
})

test('docs/reference-tests.md has one row for each test of Dask’s', () => {
  const theirs = rows.map(([, name]) => name)
  assert.equal(new Set(theirs).size, theirs.length)
})

/** Names are looked for as they stand in the source, in whatever quotes. */
function isIn(file: string, name: string): boolean {
  const source = path.join(PROJECT, 'test', file)
  if (!existsSync(source)) return false
  const text = readFileSync(source, 'utf8')
  return ["'", '"', '`'].some((quote) => text.includes(quote + name + quote))
}
