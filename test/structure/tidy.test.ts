/** The source is tidy, and has no limit or error code that nothing uses. */
import assert from 'node:assert/strict'
import test, { suite } from 'node:test'
import { ERROR_CODES } from '../../protocol/errors.js'
import * as limits from '../../protocol/limits.js'
import { sourceFiles } from './project.js'
import { findingsIn } from './tidy.js'

const files = sourceFiles()

test('no file holds dead code, unfinished work, a silenced compiler or a test left out', () => {
  assert.deepEqual(files.flatMap(findingsIn), [])
})

test('each limit is used', () => {
  const product = files.filter(({ path }) => !path.startsWith('test/') && path !== 'protocol/limits.ts')
  const unused = Object.keys(limits).filter((name) => !product.some(({ text }) => text.includes(name)))
  assert.deepEqual(unused, [])
})

test('each error code is used beside its declaration', () => {
  const product = files.filter(({ path }) => !path.startsWith('test/')).map(({ text }) => text)
  const uses = product.join('\n').match(/'ERR_HEDDLE_\w+'/g) ?? []
  const unused = ERROR_CODES.filter((code) => uses.filter((use) => use === `'${code}'`).length < 2)
  assert.deepEqual(unused, [])
})

suite('the check', () => {
  const findingsOf = (text: string, path = 'test/a/b.test.ts'): string[] =>
    findingsIn({ path, text }).map((finding) => finding.replace(`${path}:`, ''))

  test('finds commented-out code, and lets prose be', () => {
    for (const code of [
      'const a = 1',
      'await run()',
      'if (a) b()',
      'this.#x = 3',
      'send(message)',
      '}',
      `import { a } from 'b'`,
    ]) {
      assert.deepEqual(findingsOf(`\n// ${code}\nrun()`), ['2 is commented-out code; delete it.'], code)
    }
    for (const prose of [
      'Return early: nobody waits.',
      'For a = b see above.',
      'If it fails, x() is called.',
      'a → b',
      '=> 6',
    ]) {
      assert.deepEqual(findingsOf(`// ${prose}\nrun()`), [], prose)
    }
  })

  test('finds comments wherever they stand, and none in strings', () => {
    const text = [
      'run(',
      '  a, // TODO',
      '  /* FIXME */ b',
      ')',
      'const s = "// TODO"',
      'const t = `// ${a} TODO`',
      '// XXX',
    ].join('\n')
    assert.deepEqual(
      findingsOf(text)
        .map((finding) => finding.split(' ')[0])
        .sort(),
      ['2', '3', '7'],
    )
  })

  test('finds silenced types and tests left out', () => {
    assert.deepEqual(findingsOf('run(a as any)'), ['1 casts to any.'])
    assert.deepEqual(findingsOf('// @ts-ignore\nrun()'), ['1 silences the compiler.'])
    assert.deepEqual(findingsOf('test.only("a", run)'), ['1 leaves tests out.'])
    assert.deepEqual(findingsOf('/** Runs. */\n// @ts-expect-error: no.\nrun()', 'cli/a.ts'), [
      '2 expects an error of types.',
    ])
  })

  test('wants an introduction and a name in kebab-case', () => {
    assert.match(findingsOf('export const a = 1', 'protocol/a.ts').join(), /does not begin with a paragraph/)
    assert.deepEqual(findingsOf('#!/usr/bin/env node\n/** Runs. */\nrun()', 'cli/main.ts'), [])
    assert.match(findingsOf('/** Runs. */', 'client/myFile.ts').join(), /kebab-case/)
  })
})
