/** The download example, run as its reader would: it prints what it says it prints. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { PROJECT } from '../support/project.js'
import { runProgram } from '../support/run-program.js'

test('pages come one by one, in threads, all at once without threads, and politely with limits', async () => {
  const source = readFileSync(path.join(PROJECT, 'examples/download/main.ts'), 'utf8')
  const expected = [...source.matchAll(/^\/\/ => (.*)$/gm)].map(([, line]) => line)
  const printed = await runProgram(process.execPath, ['dist/examples/download/main.js'], { cwd: PROJECT })
  assert.deepEqual(printed.trimEnd().split('\n'), expected)
})
