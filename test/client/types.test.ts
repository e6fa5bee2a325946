/** The types as a user's compiler sees them: our declarations, and no option beyond `strict`. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'

const BUILD = fileURLToPath(new URL('../../', import.meta.url))
const SOURCES = path.join(BUILD, '..', 'test', 'types')

/** What the compiler says about a file of test/types. */
function complaintsAbout(file: string): string[] {
  const program = ts.createProgram([path.join(SOURCES, file)], {
    strict: true,
    noEmit: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
    paths: { heddle: [path.join(BUILD, 'client/index.d.ts')], 'heddle/*': [path.join(BUILD, 'client/*.d.ts')] },
  })
  return ts.getPreEmitDiagnostics(program).map(({ file: source, start, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n')
    if (source === undefined || start === undefined) return text
    return `${path.basename(source.fileName)}:${source.getLineAndCharacterOfPosition(start).line + 1}: ${text}`
  })
}

test('programs that are right compile, with the types they should have', () => {
  const count = readFileSync(path.join(SOURCES, 'valid.ts'), 'utf8').match(/\bexactly<|\bsatisfies\b/g)?.length ?? 0
  assert.ok(count >= 60, `${count} right programs`)
  assert.deepEqual(complaintsAbout('valid.ts'), [])
})

test('programs that are wrong do not compile', () => {
  const count = readFileSync(path.join(SOURCES, 'invalid.ts'), 'utf8').match(/^ *\/\/ @ts-expect-error/gm)?.length ?? 0
  assert.ok(count >= 60, `${count} wrong programs`)
  assert.deepEqual(complaintsAbout('invalid.ts'), [])
})
