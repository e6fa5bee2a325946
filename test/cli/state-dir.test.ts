import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import path from 'node:path'
import test from 'node:test'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { Command, run, startSchedulerCommand } from './command.js'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise<void>((resolve) => server.close(() => resolve()))
  return port
}

test('a scheduler keeps its state in a directory of its port, unless it is told another or none', async () => {
  await using folder = await TemporaryFolder.create('state')
  const env = { XDG_STATE_HOME: folder.path }
  const port = await freePort()
  const directory = path.join(folder.path, 'heddle', String(port))
  await using command = new Command(['scheduler', '--port', `${port}`, '--log-format', 'json'], { env })
  assert.equal((await command.logged('scheduler is up'))['stateDir'], directory)
  command.process.kill('SIGTERM')
  await command.ended
  assert.ok(existsSync(path.join(directory, 'journal-000001.log')))
  assert.ok(!existsSync(path.join(directory, 'lock')))

  await using without = new Command(['scheduler', '--port', `${port}`, '--state-dir', 'none', '--log-format', 'json'], {
    env,
  })
  assert.equal((await without.logged('scheduler is up'))['stateDir'], undefined)
})

test('a state directory has one scheduler at a time', async () => {
  await using folder = await TemporaryFolder.create('state')
  await using scheduler = await startSchedulerCommand(['--state-dir', folder.path])
  const { code, stdout, stderr } = await run(['scheduler', '--port', '0', '--state-dir', folder.path])
  assert.deepEqual([code, stdout], [1, ''])
  const { pid } = scheduler.command
  assert.equal(
    stderr,
    `heddle: The state directory ${folder.path} is in use by process ${pid}, which is a scheduler; stop that one, or ` +
      'choose another directory with --state-dir.\n',
  )
})

test('what can be given for --sync is one of two words', async () => {
  const { code, stderr } = await run(['scheduler', '--sync', 'never'])
  assert.equal(code, 2)
  assert.match(stderr, /soon, always/)
})

test('a grace for clients that can be none is refused with a sentence', async () => {
  await using folder = await TemporaryFolder.create('grace')
  for (const [args, message] of [
    [['--state-dir', folder.path, '--client-grace', '10ms'], /A client grace of 10ms .*; give one from 1s to 1d\.\n$/],
    [
      ['--state-dir', 'none', '--client-grace', '10s'],
      /^heddle: A scheduler that keeps no state .*; give it a state directory/,
    ],
  ] as const) {
    const { code, stderr } = await run(['scheduler', '--port', '0', ...args])
    assert.equal(code, 2)
    assert.match(stderr, message)
  }
})
