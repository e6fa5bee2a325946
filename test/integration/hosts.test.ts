import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { Command } from '../cli/command.js'
import { canMakeHosts, makeHosts } from '../support/hosts.js'

const PROGRAM = fileURLToPath(new URL('./programs/across-hosts.js', import.meta.url))
const REASON = 'needs root and the ip command for network namespaces'

test('workers on two hosts, off loopback, with a token: their values cross', { skip: skipReason() }, async () => {
  using hosts = makeHosts()
  const [first, second] = hosts.addresses
  const env = { HEDDLE_TOKEN: 'a-token-of-this-test' }
  const json = ['--log-format', 'json']
  await using scheduler = new Command(['scheduler', '--host', first, '--port', '0', ...json], {
    env,
    prefix: hosts.on(0),
  })
  const { address } = await scheduler.logged('scheduler is up')
  assert.ok(typeof address === 'string' && address.includes(first))
  const join = ['worker', 'join', address, '--threads', '1', ...json]
  await using _a = new Command([...join, '--name', 'a'], { env, prefix: hosts.on(0) })
  await using _b = new Command([...join, '--name', 'b'], { env, prefix: hosts.on(1) })

  const { command, args } = hosts.on(1)
  const program = spawn(command, [...args, process.execPath, PROGRAM, address], { env: { ...process.env, ...env } })
  let output = ''
  let errors = ''
  program.stdout.on('data', (data: Buffer) => (output += data.toString()))
  program.stderr.on('data', (data: Buffer) => (errors += data.toString()))
  const [code] = (await once(program, 'close')) as [number]

  assert.equal(code, 0, errors)
  assert.deepEqual(JSON.parse(output), {
    total: 240,
    last: [100_000, 15],
    workers: [
      ['a', first],
      ['b', second],
    ],
  })
  assert(!scheduler.stderr.includes(env.HEDDLE_TOKEN), 'the token is in the log')
})

function skipReason(): string | false {
  if (canMakeHosts) return false
  if (process.env['CI'] === 'true') throw new Error(`This test ${REASON}.`)
  return REASON
}
