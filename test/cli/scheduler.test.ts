import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'node:test'
import type { ClusterStatus } from '../../protocol/messages/status.js'
import { ask } from '../scheduler-shell/http-request.js'
import { eventually } from '../support/eventually.js'
import { Command, run, startSchedulerCommand } from './command.js'

test('a scheduler runs until SIGTERM or SIGINT, and then ends with exit code 0 and nothing on standard output', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    await using scheduler = await startSchedulerCommand()
    assert.equal((await ask({ port: scheduler.port, path: '/health' })).statusCode, 200)
    scheduler.command.process.kill(signal)
    assert.equal(await scheduler.command.ended, 0)
    assert.equal(scheduler.command.stdout, '')
  }
})

test('status asks a scheduler, for people and for programs', async () => {
  await using scheduler = await startSchedulerCommand()
  const { address } = scheduler
  const table = await run(['status', address])
  assert.deepEqual([table.code, table.stderr], [0, ''])
  assert.match(table.stdout, /^ws:\/\/127\.0\.0\.1:\d+ {2}up for /)
  assert.match(table.stdout, /\nNo workers; start one with: heddle worker join ws:/)

  const json = await run(['status', '--json'], { env: { HEDDLE_ADDRESS: address } })
  assert.equal(json.stdout.split('\n').length, 2, 'one line')
  const status = JSON.parse(json.stdout) as ClusterStatus
  const { body } = await ask({ port: scheduler.port, path: '/api/v1/status' })
  assert.deepEqual(Object.keys(status), Object.keys(JSON.parse(body) as object))
  assert.deepEqual(status.workers, [])
})

test('a port in use is exit code 1 and a sentence', async () => {
  await using scheduler = await startSchedulerCommand()
  const { code, stdout, stderr } = await run(['scheduler', '--port', String(scheduler.port)])
  assert.deepEqual([code, stdout], [1, ''])
  assert.equal(
    stderr,
    `heddle: Port ${scheduler.port} on 127.0.0.1 is in use; stop what listens there, or choose another port with --port.\n`,
  )
})

test('status of a scheduler that is not there is exit code 1 and a sentence', async () => {
  const { code, stdout, stderr } = await run(['status', 'ws://127.0.0.1:1', '--timeout', '5s'])
  assert.deepEqual([code, stdout], [1, ''])
  assert.equal(stderr, 'heddle: No answer from ws://127.0.0.1:1; check that the scheduler runs there.\n')
})

test('off loopback, a scheduler prints its new token once, ready to be used', async () => {
  await using scheduler = await startSchedulerCommand(['--host', '0.0.0.0'])
  const { command, address, port } = scheduler
  await eventually('both lines', () => command.stdout.split('\n').length === 3)
  const [join = '', page = ''] = command.stdout.split('\n')
  const [, token = ''] = /^HEDDLE_TOKEN=(\S+) heddle worker join ws:\/\/\S+:\d+$/.exec(join) ?? []
  assert.ok(join.endsWith(address))
  assert.equal(page, `status page: http://${new URL(address).host}/?token=${token}`)
  assert.ok(!command.stderr.includes(token), 'a log is no place for it')

  const refused = await run(['status', `ws://127.0.0.1:${port}`])
  assert.deepEqual([refused.code, refused.stdout], [1, ''])
  assert.match(refused.stderr, /^heddle: ws:\S+ refused the token; give the one its scheduler was started with\.\n$/)
  const wrong = await run(['status', `ws://127.0.0.1:${port}`], { env: { HEDDLE_TOKEN: 'wrong-token' } })
  assert.equal(wrong.code, 1)
  assert.ok(!wrong.stderr.includes('wrong-token'))
  const shown = await run(['status', `ws://127.0.0.1:${port}`], { env: { HEDDLE_TOKEN: token } })
  assert.deepEqual([shown.code, shown.stderr], [0, ''])

  const worker = await run(['worker', 'join', `ws://127.0.0.1:${port}`], { env: { HEDDLE_TOKEN: 'wrong-token' } })
  assert.equal(worker.code, 1)
  assert.match(worker.stderr, /heddle: ws:\S+ refused the token; give the one its scheduler was started with\.\n$/)
})

test('a token that was given comes from a file or the environment, and is printed nowhere', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'heddle-test-'))
  try {
    const file = path.join(folder, 'token')
    writeFileSync(file, 'from-the-file\n')
    await using scheduler = await startSchedulerCommand(['--host', '0.0.0.0', '--token-file', file], {
      env: { HEDDLE_TOKEN: 'from-env' },
    })
    const address = `ws://127.0.0.1:${scheduler.port}`
    assert.equal((await run(['status', address, '--token-file', file])).code, 0)
    assert.equal((await run(['status', address], { env: { HEDDLE_TOKEN: 'from-env' } })).code, 1)
    assert.equal(scheduler.command.stdout, '')
    assert.ok(!scheduler.command.stderr.includes('from-the-file'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a scheduler that is told twice to end does so at once', async () => {
  await using command = new Command(['scheduler', '--port', '0', '--log-format', 'json'])
  await command.logged('scheduler is up')
  command.process.kill('SIGINT')
  command.process.kill('SIGTERM')
  assert.ok([0, 1].includes(Number(await command.ended)))
})
