import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { NO_LOG } from '../../common/node/log.js'
import { startInlineCluster } from '../../deploy/inline.js'

test('an inline: cluster runs tasks in the thread of its client', async () => {
  await using client = await connect('inline:')
  assert.equal(await client.submit((x: number) => x * 2, 21), 42)
  Object.assign(globalThis, { heddleTestPlace: 'this very thread' })
  const found = client.submit((name: string) => (globalThis as Record<string, unknown>)[name], 'heddleTestPlace')
  assert.equal(await found, 'this very thread')
})

test('a chain of a thousand tasks whose futures are let go of on the way gives its sum', async () => {
  await using client = await connect('inline:')
  let last = client.submit(() => 0)
  for (let i = 1; i <= 1_000; i++) {
    const next = last.pipe((sum: number, more: number) => sum + more, i)
    last.release()
    last = next
  }
  assert.equal(await last, 500_500)
})

test('a large value of an inline: cluster comes from its worker', async () => {
  await using client = await connect('inline:')
  const value = await client.submit((size: number) => new Uint8Array(size).fill(7), 3_000_000)
  assert.ok(value instanceof Uint8Array)
  assert.deepEqual([value.length, value[0], value.at(-1)], [3_000_000, 7, 7])
})

test('an inline: cluster closes twice without harm, and then has no worker to dial', async () => {
  const onCrash = (error: unknown): never => assert.fail(String(error))
  const cluster = await startInlineCluster({ log: NO_LOG, functionOf: () => undefined, onCrash })
  await cluster.close()
  await cluster.close()
  await assert.rejects(cluster.dialWorker('inline:worker'), { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE' })
})
