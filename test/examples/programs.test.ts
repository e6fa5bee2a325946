/** Every example of one file prints what its introduction says it prints. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { PROJECT } from '../support/project.js'
import { noPostgres, Postgres } from '../support/postgres.js'
import { runProgram } from '../support/run-program.js'

const folder = path.join(PROJECT, 'examples')

/** What works on a database. */
const WITH_DATABASE = 'database-rows.ts'

for (const file of readdirSync(folder).filter((name) => name.endsWith('.ts'))) {
  const skip = file === WITH_DATABASE && noPostgres()
  test(`examples/${file} prints what it says`, { skip }, async () => {
    await using database = file === WITH_DATABASE ? await Postgres.start() : undefined
    const env = database === undefined ? {} : { DATABASE_URL: database.url }
    const expected = printedBy(readFileSync(path.join(folder, file), 'utf8'))
    assert.ok(expected.length > 0, 'the introduction has no "Prints:"')
    const program = path.join(PROJECT, 'dist', 'examples', file.replace('.ts', '.js'))
    const printed = (await runProgram(process.execPath, [program], { cwd: PROJECT, env })).trimEnd().split('\n')
    assert.equal(printed.length, expected.length, printed.join('\n'))
    for (const [i, line] of expected.entries()) assert.match(printed[i]!, patternOf(line))
  })
}

/** The lines under "Prints:" in the first comment. */
function printedBy(source: string): string[] {
  const [, block = ''] = /^\/\*\*[^]*?\n \* Prints:\n([^]*?)\n \*\//.exec(source) ?? []
  return block.split('\n').map((line) => line.replace(/^ \* {5}/, ''))
}

/** `…` stands for what is never the same twice. */
function patternOf(line: string): RegExp {
  const parts = line.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
  return new RegExp(`^${parts.join('.+')}$`)
}
