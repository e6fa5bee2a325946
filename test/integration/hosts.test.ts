import assert from 'node:assert/strict'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { Command } from '../cli/command.js'
import { makeHosts, noHosts, runOnHost } from '../support/hosts.js'

const PROGRAM = fileURLToPath(new URL('./programs/across-hosts.js', import.meta.url))

test('workers on two hosts, off loopback, with a token: their values cross', { skip: noHosts() }, async () => {
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

  const output = await runOnHost(hosts.on(1), [PROGRAM, address], env)
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
