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
