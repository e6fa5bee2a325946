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
    return 'ran'
  }
  assert.equal(await client.submit(call, ''), 'ran') // So long do these take, as far as is known.

  const urls = ['/stuck', '/free'].map((path) => `http://127.0.0.1:${port}${path}`)
  const [stuck, free, ...ahead] = client.map(call, [...urls, '', ''])
  await eventually('both workers are held up', () => held.size === 2)
  held.get('/free')!.end('free')

  assert.deepEqual(await client.gather([free!, ...ahead]), ['free', 'ran', 'ran'])
  held.get('/stuck')!.end('stuck')
  assert.equal(await stuck, 'stuck')
  server.close()
})
