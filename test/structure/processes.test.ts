/** What the processes of a cluster load before they do anything: it is most of the time that a cluster takes to start. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { parseImports } from './imports.js'

for (const path of ['scheduler/main.js', 'worker/main.js']) {
  test(`dist/${path} is one file, and imports no package that is CommonJS`, () => {
    const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
    const imports = parseImports({ path, text }).imports.map(({ specifier }) => specifier)
    assert.ok(imports.includes('node:module'), 'the file was not understood')
    assert.deepEqual(
      imports.filter((specifier) => !specifier.startsWith('node:')),
      ['msgpackr/pack'],
    )
  })
}

/** What a thread has once, for its own code and for that of tasks, which import it by way of `heddle/task` and `heddle`. */
const SHARED = [
  '../../protocol/errors.js',
  '../../protocol/values/register.js',
  './code.js',
  './current-task.js',
  './lending.js',
  './locals.js',
  './task-signal.js',
  './uncaught.js',
]

test('dist/worker/thread/start.js is one file, but for what code of tasks may import too', () => {
  const path = 'worker/thread/start.js'
  const text = readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
  const imports = parseImports({ path, text }).imports.map(({ specifier }) => specifier)
  const ours = new Set(imports.filter((specifier) => !specifier.startsWith('node:')))
  assert.deepEqual([...ours].sort(), SHARED)
  for (const name of ['runInThread', 'collectInThread', 'disposeInThread'])
    assert.ok(text.includes(`function ${name}(`))
})
