/** A cluster of commands that all show certificates: values move between its workers encrypted, or by way of the scheduler. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { Command, run, startSchedulerCommand } from '../cli/command.js'
import { Certificates, noOpenssl } from '../support/certificates.js'

const skip = noOpenssl()
const SIZE = 2 * 1024 * 1024

test(
  'workers with certificates serve each other encrypted, and one without goes by way of the scheduler',
  { skip },
  async () => {
    using made = new Certificates()
    const shown = (
      name: string,
    ): { readonly args: string[]; readonly tls: { ca: Buffer; cert: Buffer; key: Buffer } } => {
      const { cert, key } = made.make(name)
      const args = ['--tls-ca', made.ca, '--tls-cert', cert, '--tls-key', key]
      return { args, tls: { ca: readFileSync(made.ca), cert: readFileSync(cert), key: readFileSync(key) } }
    }
    const laptop = shown('laptop')
    await using scheduler = await startSchedulerCommand(['--host', '127.0.0.1', ...shown('scheduler').args])
    const { address } = scheduler
    assert.match(address, /^wss:/)
    const join = (name: string, args: readonly string[]): Command =>
      new Command(['worker', 'join', address, '--name', name, '--threads', '1', ...args, '--log-format', 'json'])
    await using anna = join('anna', shown('anna').args)
    await using bert = join('bert', shown('bert').args)
    await using carl = join('carl', [...shown('carl').args, '--no-listen'])
    assert.ok(anna.pid !== bert.pid && bert.pid !== carl.pid)

    await using client = await connect(address, { tls: laptop.tls })
    await client.waitForWorkers(3, { timeoutMs: 60_000 })
    const { workers } = await client.info()
    const schemes = Object.fromEntries(workers.map((worker) => [worker.name, worker.address.replace(/:.*/, '')]))
    assert.deepEqual(schemes, { anna: 'wss', bert: 'wss', carl: '' })

    const make = (size: number): Uint8Array => new Uint8Array(size).fill(7)
    const sum = (bytes: Uint8Array): number => bytes.reduce((total, byte) => total + byte, 0)
    for (const [from, to] of [
      ['anna', 'bert'],
      ['bert', 'carl'],
      ['carl', 'anna'],
    ] as const) {
      const value = client.with({ workers: [from] }).submit(make, SIZE)
      assert.equal(await client.with({ workers: [to] }).submit(sum, value), 7 * SIZE, `${from} to ${to}`)
      assert.equal((await value).length, SIZE)
    }
    const logs = [anna, bert, carl].map(({ stderr }) => stderr).join('')
    assert.ok(!logs.includes('out of reach'), logs)

    const status = await run(['status', address, ...laptop.args])
    assert.deepEqual([status.code, status.stderr], [0, ''])
    const stranger = await run(['status', address, '--tls-ca', made.ca])
    assert.match(stranger.stderr, /wants a certificate that it trusts; give yours/)
    const worker = await run(['worker', 'join', address, '--tls-ca', made.ca])
    assert.equal(worker.code, 1)
  },
)
