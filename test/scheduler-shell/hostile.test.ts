/** Who connects and then does as little as can be: it is cut off in time, and nobody else notices. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import test from 'node:test'
import { NO_LOG } from '../../common/node/log.js'
import { startScheduler } from '../../scheduler/scheduler.js'
import { ask } from './http-request.js'

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

test('silent, slow and half-open connections are cut off in time', { timeout: 60_000 }, async () => {
  await using scheduler = await startScheduler({
    port: 0,
    log: NO_LOG,
    onCrash: (error) => assert.fail(String(error)),
  })
  const { port } = scheduler
  const open = async (bytes: string): Promise<Socket> => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.write(bytes.replace('PORT', String(port)))
    socket.resume()
    return socket
  }
  const silent = await open('')
  const slow = await open('GET /health HTTP/1.1\r\nHost: 127')
  const drip = setInterval(() => slow.write('.0'), 1_000)
  const halfOpen = await open('GET /health HTTP/1.1\r\nHost: 127.0.0.1')
  halfOpen.end()
  const mute = await open(UPGRADE)
  const flood = await Promise.all(Array.from({ length: 500 }, () => open('POST /api/v1/status HTTP/1.1\r\n')))
  assert.equal((await ask({ port, path: '/health' })).statusCode, 200)
  const all = [silent, slow, halfOpen, mute, ...flood]
  await Promise.all(all.map((socket) => (socket.readableEnded || socket.destroyed ? undefined : once(socket, 'end'))))
  clearInterval(drip)
  assert.equal((await ask({ port, path: '/health' })).statusCode, 200)
  for (const socket of all) socket.destroy()
})
