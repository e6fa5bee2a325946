/** The programs of the README, as a newcomer runs them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readPage } from './markdown.js'
import { testProgramsOf } from './page-programs.js'
import { codeOf } from './programs.js'

testProgramsOf(['README.md'], { share: false })

test('the README has the programs that a newcomer tries first', () => {
  const names = codeOf(readPage('README.md')).programs.map(({ name }) => name)
  assert.deepEqual(names, [
    'squares.mjs',
    'lengths.ts',
    'rests.ts',
    'workers.mjs',
    'digests.ts',
    'errors.ts',
    'lengths.test.ts',
  ])
})
