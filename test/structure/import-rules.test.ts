/** The import rules of the architecture hold in this tree, and the check that says so can fail. */
import assert from 'node:assert/strict'
import test, { suite } from 'node:test'
import { cyclesOf, violationsOf, ZONES } from './import-rules.js'
import { parseImports } from './imports.js'
import { readPackageJson, sourceFiles } from './project.js'

suite('this project', () => {
  const files = sourceFiles().map(parseImports)

  test('each file imports only what its folder may', () => {
    assert.ok(files.length > 100, 'the files were not found')
    assert.deepEqual(files.flatMap(violationsOf), [])
  })

  test('no files need each other to be loaded', () => {
    assert.deepEqual(cyclesOf(files), [])
  })

  test('every package that the product depends on has a home, and every home is in use', () => {
    // Examples are programs of users, who depend on what they like.
    const product = ZONES.filter(({ folder }) => folder !== 'examples')
    const homes = new Set(product.flatMap(({ packages = [] }) => packages))
    const dependencies = Object.keys(readPackageJson().dependencies).filter((name) => !name.startsWith('@types/'))
    assert.deepEqual([...homes].sort(), dependencies.sort())
  })

  test('what the build puts into its files is a dependency of development', () => {
    const bundled = ZONES.flatMap(({ bundled = [] }) => bundled)
    const { devDependencies } = readPackageJson()
    assert.deepEqual(
      bundled.filter((name) => !Object.hasOwn(devDependencies, name)),
      [],
    )
  })

  test('nothing imports the command line', () => {
    assert.deepEqual(
      ZONES.filter(({ mayImport, lazily = [] }) => [...mayImport, ...lazily].includes('cli')),
      [],
    )
  })
})

suite('the check', () => {
  const refused = (path: string, text: string): string => {
    const [violation, ...more] = violationsOf(parseImports({ path, text }))
    assert.deepEqual(more, [])
    return violation ?? 'nothing was refused'
  }

  test('refuses a neighbour that the table does not name, with file and line', () => {
    assert.equal(
      refused('scheduler/core/task.ts', `\nimport { encode } from '../../protocol/values/encode.js'`),
      'scheduler/core/task.ts:2 may not import protocol/values/encode.ts (static).',
    )
    assert.match(
      refused('scheduler/main.ts', `export { encode } from '../protocol/values/encode.js'`),
      /may not import/,
    )
    assert.match(refused('worker/main.ts', `import type { Cli } from '../cli/main.js'`), /cli\/main\.ts \(type\)/)
    assert.match(refused('deploy/local.ts', `type T = import('../client/client.js').Client`), /client\.ts \(type\)/)
    assert.match(refused('examples/a/main.ts', `import { connect } from '../../client/connect.js'`), /may not import/)
  })

  test('takes what is lazy only lazily, and what is for types only as types', () => {
    const lazy = `const cluster = async () => await import('../deploy/local-cluster.js')`
    assert.deepEqual(violationsOf(parseImports({ path: 'client/connect.ts', text: lazy })), [])
    assert.match(refused('client/connect.ts', `import { x } from '../deploy/local-cluster.js'`), /\(static\)/)
    const types = `import type { Infer } from '../protocol/schema.js'`
    assert.deepEqual(violationsOf(parseImports({ path: 'dashboard/status.tsx', text: types })), [])
    assert.match(refused('dashboard/status.ts', `import { text } from '../protocol/schema.js'`), /\(static\)/)
  })

  test('refuses a package outside its home', () => {
    assert.match(refused('client/client.ts', `import { WebSocket } from 'ws'`), /the package ws/)
    assert.match(refused('cli/main.ts', `const p = await import('@scope/name/sub')`), /the package @scope\/name\./)
    assert.deepEqual(
      violationsOf(parseImports({ path: 'cli/program.ts', text: `import { Command } from 'commander'` })),
      [],
    )
  })

  test('refuses Node in code that is without I/O, and its modules without their prefix anywhere', () => {
    assert.match(refused('worker/core/task.ts', `import { readFileSync } from 'node:fs'`), /without I\/O/)
    assert.match(refused('worker/main.ts', `import { readFileSync } from 'fs'`), /write node:fs/)
  })

  test('refuses a folder that is not in the table', () => {
    assert.match(refused('misc/helpers.ts', ''), /no known folder/)
  })

  test('finds circles, and none where there are only types', () => {
    const a = parseImports({ path: 'common/a.ts', text: `import { b } from './b.js'` })
    const c = parseImports({ path: 'common/c.ts', text: `import { a } from './a.js'` })
    const circle = [a, parseImports({ path: 'common/b.ts', text: `export const b = () => import('./c.js')` }), c]
    assert.deepEqual(cyclesOf(circle), ['common/a.ts → common/b.ts → common/c.ts → common/a.ts'])
    const line = [a, parseImports({ path: 'common/b.ts', text: `import type { C } from './c.js'` }), c]
    assert.deepEqual(cyclesOf(line), [])
  })

  test('reads imports of every kind, and nothing in comments and strings', () => {
    const text = [
      `import a from 'a'`,
      `import type { b } from 'b'`,
      `import { type c } from 'c'`,
      `export type { d } from 'd'`,
      `// import 'no'`,
      `const text = "import 'no'"`,
      `const lazy = () => import('e')`,
      `import 'f'`,
    ].join('\n')
    assert.deepEqual(
      parseImports({ path: 'x.ts', text }).imports.map(({ specifier, kind }) => `${specifier} ${kind}`),
      ['a static', 'b type', 'c static', 'd type', 'e lazy', 'f static'],
    )
  })
})
