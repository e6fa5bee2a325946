/** What every connection does, over every kind of socket. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import {
  CHUNK_BYTES,
  CLIENT_SILENCE_MS,
  HEARTBEAT_INTERVAL_MS,
  HEARTBEAT_TIMEOUT_MS,
  MAX_FRAME_BYTES,
  MAX_IN_FLIGHT_BYTES,
} from '../../protocol/limits.js'
import { bytes, integer, message, union, type Infer } from '../../protocol/schema.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { largeBatchFrame } from '../../protocol/transport/frame.js'
import { openLink, type LinkOptions } from '../../protocol/transport/link.js'
import { Pieces } from '../../protocol/transport/pieces.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { FakeTimers } from './fake-timers.js'
import { Recorder } from './recorder.js'
import { SOCKET_KINDS, type SocketPair } from './socket-pairs.js'

const MIB = 1024 * 1024
const TIMEOUT_MS = 180_000

const count = message('count', { n: integer })
const blob = message('blob', { n: integer, body: bytes })
const talk = union([count, blob])
type Talk = Infer<typeof talk>
type LinkSettings = Partial<
  Pick<LinkOptions<Talk, Talk>, 'timers' | 'maxQueuedBytes' | 'maxMessageBytes' | 'maxSilenceMs'>
>

interface End {
  readonly connection: Connection<Talk>
  readonly heard: Recorder<Talk>
}

function linkOver(socket: Socket, settings: LinkSettings = {}, heard = new Recorder<Talk>()): End {
  const connection = openLink<Talk, Talk>({
    socket,
    incoming: talk,
    outgoing: talk,
    handlers: () => heard,
    timers: new FakeTimers(),
    ...settings,
  })
  return { connection, heard }
}

function bothEnds(pair: SocketPair): { left: End; right: End; timers: FakeTimers } {
  const timers = new FakeTimers()
  return { left: linkOver(pair.left, { timers }), right: linkOver(pair.right, { timers }), timers }
}

/** Bytes of which each place can be told from its neighbours. */
function patterned(sizeBytes: number): Uint8Array {
  const words = new Uint32Array(sizeBytes / 4)
  for (let i = 0; i < words.length; i++) words[i] = i * 2654435761
  return new Uint8Array(words.buffer)
}

const counts = (end: End): number[] => end.heard.messages.map(({ n }) => n)
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)

for (const { name, open } of SOCKET_KINDS) {
  suite(`a connection over ${name}`, { timeout: TIMEOUT_MS }, () => {
    test('keeps messages in order, both ways at once', async () => {
      await using pair = await open()
      const { left, right } = bothEnds(pair)
      for (let n = 0; n < 500; n++) {
        left.connection.send({ type: 'count', n })
        right.connection.send({ type: 'count', n })
        if (n % 50 === 0) await new Promise(setImmediate)
      }
      await right.heard.until(() => right.heard.messages.length === 500)
      await left.heard.until(() => left.heard.messages.length === 500)
      assert.deepEqual(counts(right), upTo(500))
      assert.deepEqual(counts(left), upTo(500))
    })

    test('sends what one turn says as one frame, with what its promises add', async () => {
      await using pair = await open()
      const { left, right } = bothEnds(pair)
      for (let n = 0; n < 1000; n++) left.connection.send({ type: 'count', n })
      await Promise.resolve()
      left.connection.send({ type: 'count', n: 1000 })
      await right.heard.until(() => right.heard.messages.length === 1001)
      assert.equal(right.heard.frames.length, 1)
      assert.deepEqual(counts(right), upTo(1001))
    })

    test('carries a message of 10 MiB in chunks, in order with its neighbours', async () => {
      await using pair = await open()
      const frameSizes: number[] = []
      const left = linkOver(spied(pair.left, (frame) => frameSizes.push(frame.length)))
      const right = linkOver(pair.right)
      const body = patterned(10 * MIB)
      left.connection.send({ type: 'count', n: 0 })
      left.connection.send({ type: 'blob', n: 1, body })
      left.connection.send({ type: 'count', n: 2 })
      await right.heard.until(() => right.heard.messages.length === 3)
      assert.deepEqual(counts(right), [0, 1, 2])
      assert.ok(Buffer.compare((right.heard.messages[1] as Infer<typeof blob>).body, body) === 0)
      assert.ok(Math.max(...frameSizes) <= CHUNK_BYTES)
    })

    test('fills frames no further than a chunk, however much one turn says', async () => {
      await using pair = await open()
      const { left, right } = bothEnds(pair)
      const body = patterned(300_000)
      for (let n = 0; n < 20; n++) left.connection.send({ type: 'blob', n, body })
      await right.heard.until(() => right.heard.messages.length === 20)
      assert.deepEqual(counts(right), upTo(20))
      assert.ok(right.heard.frames.every((messages) => messages.length === 3 || messages.length === 2))
    })

    test('lets a message overtake a large payload, which arrives whole in memory of the receiver’s choice', async () => {
      await using pair = await open()
      const left = linkOver(pair.left)
      const memory: Uint8Array[] = []
      const heard = Object.assign(new Recorder<Talk>(), {
        allocate: (sizeBytes: number) => {
          memory.push(new Uint8Array(new SharedArrayBuffer(sizeBytes)))
          return memory.at(-1)!
        },
      })
      linkOver(pair.right, {}, heard)
      const payload = patterned(64 * MIB)
      left.connection.sendPayload({ type: 'count', n: 1 }, payload)
      await new Promise(setImmediate)
      left.connection.send({ type: 'count', n: 2 })
      await heard.until(() => heard.payloads.length === 1)
      assert.deepEqual(heard.order, ['messages', 'payload'])
      assert.deepEqual(heard.payloads[0]!.message, { type: 'count', n: 1 })
      assert.equal(heard.payloads[0]!.payload, memory[0])
      assert.ok(Buffer.compare(heard.payloads[0]!.payload, payload) === 0)
    })

    test('carries a payload in pieces, of any size, as one', async () => {
      await using pair = await open()
      const { left, right } = bothEnds(pair)
      const whole = patterned(5 * MIB)
      const cuts = [0, 0, 1, 8, 100_000, 100_000 + CHUNK_BYTES, 4 * MIB, whole.length]
      const pieces = new Pieces(cuts.slice(1).map((end, i) => whole.subarray(cuts[i], end)))
      left.connection.sendPayload({ type: 'count', n: 1 }, pieces)
      left.connection.sendPayload({ type: 'count', n: 2 }, new Pieces([]))
      await right.heard.until(() => right.heard.payloads.length === 2)
      assert.equal(right.heard.payloads[0]!.payload.length, 0)
      assert.ok(Buffer.compare(right.heard.payloads[1]!.payload, whole) === 0)
      assert.equal(left.connection.queuedBytes, 0)
    })

    test('ends when memory that it is to send was transferred: half a payload is none', async () => {
      await using pair = await open()
      const { left, right } = bothEnds(pair)
      const lost = new Uint8Array(1000)
      left.connection.sendPayload({ type: 'count', n: 1 }, new Pieces([new Uint8Array(3 * MIB), lost]))
      structuredClone(lost, { transfer: [lost.buffer] })
      const { code, message } = await left.connection.closed
      assert.equal(code, 'ERR_HEDDLE_CONNECTION_LOST')
      assert.match(message, /transferred/)
      await right.connection.closed
      assert.equal(right.heard.payloads.length, 0)
    })

    test('carries payloads in turn: a small one does not wait for a large one', async () => {
      await using pair = await open()
      const { left, right } = bothEnds(pair)
      left.connection.sendPayload({ type: 'count', n: 1 }, patterned(16 * MIB))
      for (let n = 2; n < 10; n++) left.connection.sendPayload({ type: 'count', n }, patterned(4 * n))
      left.connection.sendPayload({ type: 'count', n: 10 }, new Uint8Array(0))
      await right.heard.until(() => right.heard.payloads.length === 10)
      assert.equal(right.heard.payloads.at(-1)!.message.n, 1)
      const sizes = new Map(right.heard.payloads.map(({ message: { n }, payload }) => [n, payload.length]))
      for (let n = 2; n < 10; n++) assert.equal(sizes.get(n), 4 * n)
      assert.equal(sizes.get(10), 0)
    })

    test('answers heartbeats in the middle of a large transfer', async () => {
      await using pair = await open()
      const kinds: number[] = []
      const timers = new FakeTimers()
      const left = linkOver(spied(pair.left, (frame) => frame.length === 1 && kinds.push(frame[0]!)))
      const right = linkOver(pair.right, { timers })
      left.connection.sendPayload({ type: 'count', n: 1 }, patterned(64 * MIB))
      timers.advance(HEARTBEAT_INTERVAL_MS)
      await right.heard.until(() => right.heard.payloads.length === 1)
      assert.deepEqual(kinds, [5], 'one pong went out, and ahead of the end of the payload')
    })

    test('keeps the socket from holding too much, and says when there is room again', async () => {
      await using pair = await open()
      let mostBuffered = 0
      const left = linkOver(spied(pair.left, () => (mostBuffered = Math.max(mostBuffered, pair.left.bufferedBytes))))
      const right = linkOver(pair.right)
      const body = patterned(MIB / 2)
      for (let n = 0; n < 40; n++) left.connection.send({ type: 'blob', n, body })
      assert.ok(left.connection.queuedBytes >= 20 * MIB)
      let isDrained = false
      const drained = left.connection.whenDrained().then(() => (isDrained = true))
      await Promise.resolve()
      assert.equal(isDrained, false)
      await drained
      assert.ok(left.connection.queuedBytes < MAX_IN_FLIGHT_BYTES)
      await right.heard.until(() => right.heard.messages.length === 40)
      assert.equal(left.connection.queuedBytes, 0)
      assert.ok(mostBuffered <= MAX_IN_FLIGHT_BYTES + 100, `${mostBuffered} bytes were in the socket`)
    })

    test('cuts off a peer for which too much waits', async () => {
      await using pair = await open()
      const left = linkOver(pair.left, { maxQueuedBytes: 8 * MIB })
      pair.cut()
      const body = patterned(MIB)
      for (let n = 0; n < 9; n++) left.connection.send({ type: 'blob', n, body })
      const reason = await left.connection.closed
      assert.equal(reason.code, 'ERR_HEDDLE_CONNECTION_LOST')
      assert.match(reason.message, /reads too slowly/)
      assert.deepEqual(left.heard.closeReasons, [reason])
      await left.connection.whenDrained()
    })

    test('delivers what was sent before it closes, and the reason to both ends', async () => {
      await using pair = await open()
      const { left, right, timers } = bothEnds(pair)
      const reason = { code: 'ERR_HEDDLE_NAME_IN_USE', message: 'The name a is taken.' }
      left.connection.send({ type: 'blob', n: 0, body: patterned(3 * MIB) })
      left.connection.sendPayload({ type: 'count', n: 7 }, patterned(3 * MIB))
      left.connection.send({ type: 'count', n: 1 })
      left.connection.close(reason)
      left.connection.close({ code: 'closed', message: 'Too late.' })
      left.connection.send({ type: 'count', n: 2 })
      assert.deepEqual(await right.connection.closed, reason)
      assert.deepEqual(await left.connection.closed, reason)
      assert.deepEqual(counts(right), [0, 1])
      assert.equal(right.heard.payloads.length, 1)
      assert.deepEqual(right.heard.closeReasons, [reason])
      assert.deepEqual(left.heard.closeReasons, [reason])
      assert.equal(timers.pending, 0)
    })

    test('closes well from the other end too, while this one still has much to say', async () => {
      await using pair = await open()
      const { left, right } = bothEnds(pair)
      left.connection.sendPayload({ type: 'count', n: 7 }, patterned(64 * MIB))
      right.connection.close()
      assert.equal((await right.connection.closed).code, 'closed')
      assert.equal((await left.connection.closed).code, 'closed')
      assert.equal(left.connection.queuedBytes, 0)
    })

    test('notices a peer whose socket breaks', async () => {
      await using pair = await open()
      const left = linkOver(pair.left)
      pair.right.handle({ onFrame: () => undefined, onDrain: () => undefined, onClose: () => undefined })
      pair.right.terminate()
      assert.equal((await left.connection.closed).code, 'ERR_HEDDLE_CONNECTION_LOST')
    })

    test('gives up a peer that fell silent, and not before', async () => {
      await using pair = await open()
      const { left, timers } = bothEnds(pair)
      pair.cut()
      timers.advance(HEARTBEAT_TIMEOUT_MS - 1)
      await new Promise(setImmediate)
      assert.deepEqual(left.heard.closeReasons, [])
      timers.advance(1)
      const reason = await left.connection.closed
      assert.equal(reason.code, 'ERR_HEDDLE_CONNECTION_LOST')
      assert.match(reason.message, /stopped answering/)
    })

    test('a peer that may be silent for longer is not given up before', async () => {
      await using pair = await open()
      const timers = new FakeTimers()
      const left = linkOver(pair.left, { timers, maxSilenceMs: CLIENT_SILENCE_MS })
      pair.cut()
      timers.advance(CLIENT_SILENCE_MS - 1)
      await new Promise(setImmediate)
      assert.deepEqual(left.heard.closeReasons, [])
      timers.advance(1)
      assert.equal((await left.connection.closed).code, 'ERR_HEDDLE_CONNECTION_LOST')
    })

    test('a close that nobody hears ends too', async () => {
      await using pair = await open()
      const { left, timers } = bothEnds(pair)
      pair.cut()
      left.connection.sendPayload({ type: 'count', n: 1 }, patterned(64 * MIB))
      left.connection.close({ code: 'closed', message: 'Bye.' })
      await new Promise(setImmediate)
      // How long the system goes on taking bytes, which is a sign of life, is its own business.
      while (left.heard.closeReasons.length === 0) {
        timers.advance(HEARTBEAT_INTERVAL_MS)
        await new Promise(setImmediate)
      }
      assert.deepEqual(await left.connection.closed, { code: 'closed', message: 'Bye.' })
    })

    test('refuses to send a message above the limit, and goes on', async () => {
      await using pair = await open()
      const left = linkOver(pair.left, { maxMessageBytes: 1000 })
      const right = linkOver(pair.right)
      const body = patterned(2000)
      assert.throws(() => left.connection.send({ type: 'blob', n: 1, body }), {
        code: 'ERR_HEDDLE_PROTOCOL',
        fault: 'ours',
      })
      assert.throws(() => left.connection.sendPayload({ type: 'count', n: 1 }, body), { code: 'ERR_HEDDLE_PROTOCOL' })
      left.connection.send({ type: 'count', n: 2 })
      await right.heard.until(() => right.heard.messages.length === 1)
      assert.deepEqual(counts(right), [2])
    })

    const garbage: readonly (readonly [string, readonly Uint8Array[]])[] = [
      ['an unknown kind', [Uint8Array.of(99, 1, 2, 3)]],
      ['an empty frame', [new Uint8Array(0)]],
      ['a batch that is no MessagePack', [Uint8Array.of(0, 0xdd, 255, 255, 255, 255, 1)]],
      ['a batch that nests without end', [new Uint8Array(100_000).fill(0x91, 1)]],
      ['a batch that is no list', [Uint8Array.of(0, 5)]],
      ['a message of no known type', [Uint8Array.of(0, 0x91, 0x92, 9, 0x90)]],
      ['a chunk of nothing', [Uint8Array.of(3, 1)]],
      ['a chunk for a lane that is not there', [Uint8Array.of(3, 200)]],
      ['a batch that is too large', [Uint8Array.of(1, 255, 255, 255, 255)]],
      ['a payload that is too large', [Uint8Array.of(2, 1, 255, 255, 0, 0, 0, 0, 0x92, 0, 0x91, 1)]],
      ['a payload without a message', [Uint8Array.of(2, 1, 0, 0, 0, 0, 0, 1)]],
      ['chunks beyond the size', [largeBatchFrame(3), Uint8Array.of(3, 0), new Uint8Array(4)]],
      ['a batch that overtakes another', [largeBatchFrame(3), Uint8Array.of(0, 0x90)]],
      ['a frame above the limit', [new Uint8Array(MAX_FRAME_BYTES + 1)]],
    ]
    for (const [what, frames] of garbage) {
      test(`closes, and says why, on ${what}`, async () => {
        await using pair = await open()
        const left = linkOver(pair.left)
        const told = linkOver(pair.right)
        for (const frame of frames) pair.right.send(frame)
        const reason = await left.connection.closed
        assert.equal(reason.code, 'ERR_HEDDLE_PROTOCOL')
        assert.deepEqual(left.heard.messages, [])
        assert.equal((await told.connection.closed).code, 'ERR_HEDDLE_PROTOCOL')
      })
    }

    test('closes when there is no memory for what a peer begins', async () => {
      await using pair = await open()
      const heard = Object.assign(new Recorder<Talk>(), {
        allocate: (): Uint8Array => {
          throw new RangeError('Array buffer allocation failed')
        },
      })
      const left = linkOver(pair.left, {}, heard)
      const right = linkOver(pair.right)
      right.connection.sendPayload({ type: 'count', n: 1 }, new Uint8Array(10))
      assert.equal((await left.connection.closed).code, 'ERR_HEDDLE_OUT_OF_MEMORY')
      assert.equal((await right.connection.closed).code, 'ERR_HEDDLE_OUT_OF_MEMORY')
    })
  })
}

test('bytes of a frame that is not whole yet are a sign of life', () => {
  const timers = new FakeTimers()
  let receivedBytes = 0
  const socket: Socket = {
    peer: 'slow',
    localAddress: '',
    bufferedBytes: 0,
    get receivedBytes() {
      return receivedBytes
    },
    handle: () => undefined,
    send: () => undefined,
    close: () => assert.fail('closed'),
    terminate: () => assert.fail('terminated'),
  }
  linkOver(socket, { timers })
  for (let second = 0; second < 60; second++) {
    receivedBytes += 1000
    timers.advance(HEARTBEAT_INTERVAL_MS)
  }
})

/** The same socket, telling `onSend` of each frame after it was sent. */
function spied(socket: Socket, onSend: (frame: Uint8Array) => void): Socket {
  return {
    peer: socket.peer,
    localAddress: socket.localAddress,
    get bufferedBytes() {
      return socket.bufferedBytes
    },
    get receivedBytes() {
      return socket.receivedBytes
    },
    handle: (handlers) => socket.handle(handlers),
    send: (frame) => {
      socket.send(frame)
      onSend(frame)
    },
    close: () => socket.close(),
    terminate: () => socket.terminate(),
  }
}
