/** Who connects and then does as little as can be: it is cut off in time, and nobody else notices. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import test from 'node:test'
import { NO_LOG } from '../../common/node/log.js'
import { clientToScheduler, schedulerToClient } from '../../protocol/messages/client.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { connectTo } from '../../protocol/transport/handshake.js'
import type { Socket as FrameSocket } from '../../protocol/transport/socket.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { createMachine, startScheduler } from '../../scheduler/scheduler.js'
import { Sessions } from '../../scheduler/sessions.js'
import { openWebSocketPair } from '../transport/socket-pairs.js'
import { eventually } from '../support/eventually.js'
import { ask } from './http-request.js'

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: 127.0.0.1:PORT\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

test('silent, slow and half-open connections are cut off in time', { timeout: 180_000 }, async () => {
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

test(
  'a client that asks and never reads is cut off when much waits for it, and another goes on',
  { timeout: 180_000 },
  async () => {
    const ends: string[] = []
    const sessions = new Sessions({
      machine: createMachine(),
      log: { ...NO_LOG, warn: (_fields, text) => void ends.push(text) },
      maxClientQueuedBytes: 4 * 2 ** 20,
      onCrash: (error) => assert.fail(String(error)),
    })
    await using deafPair = await openWebSocketPair(false)
    await using goodPair = await openWebSocketPair(false)
    let answers = 0
    const join = (
      socket: FrameSocket,
      onMessages: (messages: readonly SchedulerToClient[]) => void,
    ): Promise<Connection<ClientToScheduler>> =>
      connectTo<SchedulerToClient, ClientToScheduler>({
        socket,
        hello: { role: 'client', name: 'test' },
        incoming: schedulerToClient,
        outgoing: clientToScheduler,
        handlers: () => ({ onMessages, onClose: () => undefined }),
      })
    sessions.accept(deafPair.left)
    sessions.accept(goodPair.left)
    const deaf = await join(deafPair.right, () => undefined)
    const good = await join(goodPair.right, (messages) => {
      for (const { type } of messages) if (type === 'status') answers++
    })
    deafPair.deafen!()
    // What the system takes on the way comes on top.
    for (let asked = 0; ends.length === 0; asked += 1_000) {
      assert.ok(asked < 1_000_000, 'it is never cut off')
      for (let i = 0; i < 1_000; i++) deaf.send({ type: 'ask-status', request: asked + i })
      await new Promise((resolve) => setImmediate(resolve))
    }
    assert.match(ends.join(), /reads too slowly/)
    const before = answers
    good.send({ type: 'ask-status', request: 1 })
    await eventually('the other is answered', () => answers > before)
    assert.equal(sessions.connections, 1)
    sessions.close()
  },
)
