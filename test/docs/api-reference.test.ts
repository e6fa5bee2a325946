/** docs/api/ is what `npm run docs` makes of the doc comments. That reads the whole program, so it is not part of every run. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { PROJECT } from '../support/project.js'
import { runProgram } from '../support/run-program.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

const TYPEDOC = path.join(PROJECT, 'node_modules/typedoc/bin/typedoc')
const skip = process.env['HEDDLE_REFERENCE'] === '1' ? false : 'npm run test:all reads all doc comments'

test('the reference is up to date; if it is not, npm run docs writes it', { skip }, async () => {
  await using folder = await TemporaryFolder.create('heddle-reference')
  await runProgram(process.execPath, [TYPEDOC, '--logLevel', 'Warn', '--out', folder.path], { cwd: PROJECT })
  assert.deepEqual(pagesIn(path.join(PROJECT, 'docs/api')), pagesIn(folder.path))
})

function pagesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.md'))
  return Object.fromEntries(names.sort().map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]))
}
