/**
 * `npm test`: builds, checks, lints and runs every test. `npm test -- scheduler values` builds, and runs the tests of
 * these folders under test/ only. It ends with the counts of Node's own runner, and with exit code 0 if all is well.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A test file that has not ended by then hangs, however busy the machine is. Ten times the seeds take ten times the time, and endurance what is asked for. */
const FILE_TIMEOUT_MS =
  600_000 * Math.max(1, Number(process.env.HEDDLE_SEEDS ?? 1_000) / 1_000) +
  3_000 * Number(process.env.HEDDLE_ENDURANCE ?? 0)

/**
 * Folders whose tests share a process, so many files in each: to start one and to load what they test takes longer than they do.
 * None changes anything that the others would see.
 */
const TOGETHER = [
  'client',
  'common',
  'dashboard',
  'graph',
  'protocol',
  'scheduler',
  'structure',
  'transport',
  'worker-core',
]
const FILES_TOGETHER = 24
const TOGETHER_FOLDER = 'dist/.together'
/** These take longest: begun first, they have company to the end. */
const LONG = ['docs', 'simulation', 'integration', 'examples', 'package']

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const areas = process.argv.slice(2)
if ((await timed('npm run --silent build')) !== 0) process.exit(1) // Nothing after it would mean anything.
const files = testFiles(areas)
// The build has checked the types of everything else. Ahead of the tests these would leave a core unused for most of a minute.
const checks = areas.length === 0 ? checkBeside() : []
const tests = await run(
  [
    `"${process.execPath}"`,
    '--enable-source-maps',
    '--test',
    // Some wait for time-outs and for processes to start: two at once would leave a seventh of two cores unused.
    '--test-concurrency=3',
    `--test-timeout=${FILE_TIMEOUT_MS}`,
    `--test-reporter=${process.stdout.isTTY ? 'spec' : './scripts/tap-reporter.mjs'}`,
    ...files,
  ].join(' '),
)
const failed = (await checks).filter(({ status }) => status !== 0)
for (const { command } of failed) console.error(`npm test: ${command} failed, see above`)
process.exitCode = tests === 0 && failed.length > 0 ? 1 : tests

/** One after another. What they say goes to standard error, for the counts of the tests are last on standard output. */
async function checkBeside() {
  const results = []
  for (const command of ['tsc -p tsconfig.core.json', 'tsc -p dashboard', 'npm run --silent lint'])
    results.push({ command, status: await timed(command, 'to-stderr') })
  return results
}

/** Returns the exit code of the command, and says how long it took. */
async function timed(command, output) {
  const startedAtMs = performance.now()
  const status = await run(command, output)
  const seconds = ((performance.now() - startedAtMs) / 1000).toFixed(1)
  console.error(`npm test: ${command} ${status === 0 ? 'done' : 'failed'} in ${seconds} s`)
  return status
}

function run(command, output = 'as-is') {
  const stdio = output === 'to-stderr' ? ['inherit', 2, 'inherit'] : 'inherit'
  const child = spawn(command, { shell: true, stdio })
  return new Promise((resolve) => child.once('exit', (code) => resolve(code ?? 1)))
}

function testFiles(areas) {
  const folders = areas.length === 0 ? ['dist/test'] : areas.map((area) => `dist/test/${area}`)
  const missing = folders.find((folder) => !existsSync(folder))
  if (missing !== undefined) {
    console.error(`npm test: there are no tests in ${missing.replace('dist/', '')}.`)
    process.exit(2)
  }
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((path) => path.endsWith('.test.js'))
      .map((path) => `${folder}/${path}`),
  )
  const areaOf = (file) => file.split('/')[2]
  const alone = files.filter((file) => !TOGETHER.includes(areaOf(file)))
  const isLong = (file) => LONG.includes(areaOf(file))
  rmSync(TOGETHER_FOLDER, { recursive: true, force: true })
  return [
    ...alone.filter(isLong),
    ...alone.filter((file) => !isLong(file)),
    ...TOGETHER.flatMap((area) =>
      together(
        area,
        files.filter((file) => areaOf(file) === area),
      ),
    ),
  ]
}

/** Files that load these, so many each. */
function together(area, files) {
  const parts = Math.ceil(files.length / FILES_TOGETHER)
  return Array.from({ length: parts }, (_, part) => {
    const file = `${TOGETHER_FOLDER}/${area}-${part + 1}.test.mjs`
    const mine = files.filter((_, i) => i % parts === part)
    mkdirSync(TOGETHER_FOLDER, { recursive: true })
    writeFileSync(file, mine.map((each) => `import '../../${each}'\n`).join(''))
    return file
  })
}
