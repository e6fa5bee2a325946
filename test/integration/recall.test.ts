/** Work that was sent ahead goes elsewhere when its worker is held up, on real processes. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import test from 'node:test'
import { connect, LocalCluster } from '../../client/index.js'
import { eventually } from '../support/eventually.js'

test('what waits behind a task that takes longer than others is run by a worker with nothing to do', async () => {
  const held = new Map<string | undefined, ServerResponse>()
  const server = createServer((request, response) => held.set(request.url, response))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const call = async (url: string): Promise<string> => {
    if (url !== '') return await (await fetch(url)).text()
    const endMs = performance.now() + 20
    while (performance.now() < endMs) continue
    const { task } = await import('heddle/task')
    return `start ${task.attempt}`
  }
  assert.equal(await client.submit(call, ''), 'start 1') // So long do these take, as far as is known.

  const urls = ['/stuck', '/free'].map((path) => `http://127.0.0.1:${port}${path}`)
  const [stuck, free, ...ahead] = client.map(call, [...urls, '', ''])
  await eventually('both workers are held up', () => held.size === 2)
  held.get('/free')!.end('free')

  // One of them was sent ahead to the worker that is stuck, and did not start there.
  assert.deepEqual(await client.gather([free!, ...ahead]), ['free', 'start 1', 'start 1'])
  held.get('/stuck')!.end('stuck')
  assert.equal(await stuck, 'stuck')
  server.close()
})
