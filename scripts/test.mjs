/**
 * `npm test`: builds, checks, lints and runs every test. `npm test -- scheduler values` builds, and runs the tests of
 * these folders under test/ only. It ends with the counts of Node's own runner, and with exit code 0 if all is well.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A test file that has not ended by then hangs, however busy the machine is. Ten times the seeds take ten times the time. */
const FILE_TIMEOUT_MS = 600_000 * Math.max(1, Number(process.env.HEDDLE_SEEDS ?? 1_000) / 1_000)

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const areas = process.argv.slice(2)
await step('build', 'npm run --silent build')
// The build has checked the types of everything else. The two that are left and the linter use one core each.
if (areas.length === 0) {
  await Promise.all([
    step('lint', 'npm run --silent lint'),
    step('check', 'tsc -p tsconfig.core.json').then(() => step('check', 'tsc -p dashboard')),
  ])
}
process.exitCode = await run(
  [
    `"${process.execPath}"`,
    '--enable-source-maps',
    '--test',
    '--test-concurrency=2',
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    `--test-reporter=${process.stdout.isTTY ? 'spec' : './scripts/tap-reporter.mjs'}`,
    ...testFiles(areas),
  ].join(' '),
)

/** Ends this process when the command fails: nothing after it would mean anything. */
async function step(name, command) {
  const startedAtMs = performance.now()
  const status = await run(command)
  if (status !== 0) {
    console.error(`npm test: ${name} failed (${command})`)
    process.exit(1)
  }
  console.error(`npm test: ${name} done in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`)
}

function run(command) {
  const child = spawn(command, { shell: true, stdio: 'inherit' })
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}

function testFiles(areas) {
  const folders = areas.length === 0 ? ['dist/test'] : areas.map((area) => `dist/test/${area}`)
  const missing = folders.find((folder) => !existsSync(folder))
  if (missing !== undefined) {
    console.error(`npm test: there are no tests in ${missing.replace('dist/', '')}.`)
    process.exit(2)
  }
  return folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.js'))
      .map((path) => `${folder}/${path}`),
  )
}
