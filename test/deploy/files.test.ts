/** The files in `deploy/` that run heddle elsewhere: checked as far as that goes without a container engine. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { createProgram } from '../../cli/program.js'

const ROOT = fileURLToPath(new URL('../../../', import.meta.url))
const UNITS = path.join(ROOT, 'deploy/systemd')

/** Asserts that a command line is one that `heddle` takes, and gives the name of the command that would run. */
async function commandOf(argv: readonly string[]): Promise<string> {
  let ran = ''
  const program = createProgram()
  for (const command of [...program.commands, ...program.commands.flatMap((each) => each.commands)]) {
    if (command.commands.length === 0) command.action(() => void (ran = command.name()))
  }
  await program.parseAsync(argv, { from: 'user' })
  return ran
}

test('the image copies what the package has, and its commands are real ones', async () => {
  const dockerfile = readFileSync(path.join(ROOT, 'deploy/Dockerfile'), 'utf8')
  const manifest = JSON.parse(readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
    readonly bin: { readonly heddle: string }
    readonly scripts: Readonly<Record<string, string>>
    readonly engines: { readonly node: string }
  }
  for (const [, script = ''] of dockerfile.matchAll(/npm run ([\w:]+)/g)) assert.ok(script in manifest.scripts, script)
  for (const [, from = ''] of dockerfile.matchAll(/^COPY --from=build \/build\/(\S+)/gm)) {
    assert.ok(from === 'dist' || existsSync(path.join(ROOT, from)), from)
  }
  assert.ok(dockerfile.includes(`/opt/heddle/${manifest.bin.heddle} /usr/local/bin/heddle`))
  const commands = [...dockerfile.matchAll(/^CMD (\[.*\])$/gm)].map(([, argv = '']) => JSON.parse(argv) as string[])
  assert.deepEqual(await Promise.all(commands.map(commandOf)), ['join', 'scheduler'])
  assert.match(dockerfile, /^USER node$/m)
  assert.match(dockerfile, /^ENTRYPOINT \["tini", "--", "heddle"\]$/m)
  assert.match(dockerfile, /^HEALTHCHECK [^]*\/health/m)
  const lastStage = dockerfile.slice(dockerfile.lastIndexOf('\nFROM'))
  assert.ok(!lastStage.includes('npm'), 'no build tools run in the image')
})

test('the systemd units run real commands', async () => {
  const commands = readdirSync(UNITS).map((name) => {
    const [, line = ''] =
      /^ExecStart=\/usr\/local\/bin\/heddle (.*)$/m.exec(readFileSync(path.join(UNITS, name), 'utf8')) ?? []
    return line.split(' ')
  })
  assert.deepEqual((await Promise.all(commands.map(commandOf))).sort(), ['join', 'scheduler'])
})

const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0

test('systemd accepts the units', { skip: !hasSystemd && 'systemd-analyze is not here' }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'heddle-test-'))
  try {
    for (const name of readdirSync(UNITS)) {
      // The command is not installed here, and systemd looks for it.
      const unit = readFileSync(path.join(UNITS, name), 'utf8').replace('/usr/local/bin/heddle', process.execPath)
      writeFileSync(path.join(folder, name), unit)
    }
    const units = readdirSync(folder).map((name) => path.join(folder, name.replace('@', '@1')))
    writeFileSync(
      path.join(folder, 'heddle-worker@1.service'),
      readFileSync(path.join(folder, 'heddle-worker@.service')),
    )
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], { encoding: 'utf8' })
    assert.deepEqual([status, stderr], [0, ''])
  } finally {
    rmSync(folder, { recursive: true })
  }
})
