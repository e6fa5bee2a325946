/** What only a WebSocket has: addresses, tokens, HTTP answers. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server } from 'node:http'
import { connect, createServer as createTcpServer, type Socket as TcpSocket } from 'node:net'
import { suite, test } from 'node:test'
import { WebSocket } from 'ws'
import type { CloseReason } from '../../protocol/transport/connection.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { CHUNK_BYTES, MAX_FRAME_BYTES, MAX_HELLO_BYTES } from '../../protocol/limits.js'
import { answer, type AnswerOptions } from '../../protocol/transport/handshake.js'
import { acceptUpgrade, dial, refuseUpgrade, upgradeServer } from '../../protocol/transport/websocket.js'
import { present } from '../../common/assert.js'
import { eventually } from '../support/eventually.js'
import { closeServer, listen } from './socket-pairs.js'

/** The head of a frame of just what may be read into place, with a mask of zeros. */
const HEAD_OF_CHUNK = Uint8Array.of(0x82, 0xff, 0, 0, 0, 0, ...uint32(CHUNK_BYTES), 0, 0, 0, 0)
const STRANGERS = 100
/** How long reading rests. */
const REST_MS = 2

class Host implements AsyncDisposable {
  readonly requests: IncomingMessage[] = []
  readonly accepted: Socket[] = []
  readonly #server: Server
  readonly port: number

  private constructor(server: Server, port: number) {
    this.#server = server
    this.port = port
  }

  static async start(isBulk: boolean | undefined, statusCode = 101): Promise<Host> {
    const server = createServer()
    const host = new Host(server, await listen(server))
    const upgrades = upgradeServer()
    server.on('upgrade', (request, socket, head) => {
      host.requests.push(request)
      if (statusCode !== 101) return refuseUpgrade(socket, statusCode, 'No')
      const accepted = acceptUpgrade(upgrades, request, socket, head, { isBulk })
      if (accepted !== undefined) host.accepted.push(accepted)
    })
    return host
  }

  get address(): string {
    return `ws://127.0.0.1:${this.port}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.accepted) socket.terminate()
    this.#server.closeAllConnections()
    await closeServer(this.#server)
  }
}

for (const isBulk of [false, true, undefined])
  suite(
    isBulk === undefined ? 'a WebSocket past ws' : isBulk ? 'a bulk WebSocket' : 'a WebSocket',
    { timeout: 180_000 },
    () => {
      test('shows its token in a header, and knows both addresses', async () => {
        await using host = await Host.start(isBulk)
        const socket = await dial(host.address, { token: 'hunter2', isBulk })
        assert.equal(host.requests[0]!.headers.authorization, 'Bearer hunter2')
        assert.equal(socket.peer, host.address)
        assert.equal(socket.localAddress, '127.0.0.1')
        assert.equal(host.accepted[0]!.localAddress, '127.0.0.1')
        assert.match(host.accepted[0]!.peer, /^127\.0\.0\.1:\d+$/)
        socket.terminate()
      })

      test('keeps frames that come before anyone listens', async () => {
        await using host = await Host.start(isBulk)
        const socket = await dial(host.address, { isBulk })
        host.accepted[0]!.send(Uint8Array.of(1))
        host.accepted[0]!.send(Uint8Array.of(2))
        await new Promise(setImmediate)
        const frames: number[] = []
        await new Promise<void>((resolve) => {
          const onFrame = (frame: Uint8Array): void => {
            frames.push(frame[0]!)
            if (frames.length === 2) resolve()
          }
          socket.handle({ onFrame, onDrain: () => undefined, onClose: () => undefined })
        })
        assert.deepEqual(frames, [1, 2])
        socket.terminate()
      })

      test('brings frames of every size, whole and in order, both ways', async () => {
        await using host = await Host.start(isBulk)
        const dialled = await dial(host.address, { isBulk })
        const accepted = host.accepted[0]!
        const sizes = [1, 0, 125, 126, 127, 4_096, 4_097, 0, 65_535, 65_536, CHUNK_BYTES, CHUNK_BYTES + 1, 3]
        const sent = sizes.map((size, i) => new Uint8Array(size).fill(i + 1))
        for (const [from, to] of [
          [accepted, dialled],
          [dialled, accepted],
        ] as const) {
          const frames: Uint8Array[] = []
          const allCame = new Promise<void>((resolve) => {
            const onFrame = (frame: Uint8Array): void => {
              frames.push(frame)
              if (frames.length === sent.length) resolve()
            }
            to.handle({ onFrame, onDrain: () => undefined, onClose: () => undefined })
          })
          for (const frame of sent) from.send(frame)
          await allCame
          assert.deepEqual(
            frames.map((frame) => Buffer.from(frame)),
            sent.map((frame) => Buffer.from(frame)),
          )
        }
        dialled.terminate()
      })

      if (isBulk !== false) {
        const name =
          isBulk === true ? 'rests from large frames while messages come elsewhere' : 'never rests from frames'
        test(name, async (t) => {
          const timeouts = t.mock.method(globalThis, 'setTimeout')
          let nowMs = 1_000
          t.mock.method(performance, 'now', () => nowMs)
          const restCount = (): number => timeouts.mock.calls.filter(({ arguments: [, ms] }) => ms === REST_MS).length
          await using large = await Host.start(isBulk)
          await using small = await Host.start(undefined)
          const receiver = await dial(large.address, { isBulk })
          const sender = present(large.accepted[0], 'the other end')
          const memory = new Uint8Array(CHUNK_BYTES)
          // Each takes a millisecond.
          const chunksUntil = (isEnough: (count: number) => boolean): Promise<void> =>
            new Promise((resolve) => {
              let count = 0
              const onFrame = (): void => {
                nowMs++
                if (isEnough(++count)) resolve()
                else sender.send(memory)
              }
              receiver.handle({ onFrame, memoryFor: () => memory, onDrain: () => undefined, onClose: () => undefined })
              sender.send(memory)
            })
          await chunksUntil((count) => count === 64)
          assert.equal(restCount(), 0, 'nobody else has anything to say')

          const caller = await dial(small.address)
          const called = present(small.accepted[0], 'the end that answers')
          const ignoring = { onDrain: () => undefined, onClose: () => undefined }
          called.handle({ ...ignoring, onFrame: (frame) => called.send(frame) })
          await new Promise<void>((onFrame) => {
            caller.handle({ ...ignoring, onFrame: () => onFrame() })
            caller.send(Uint8Array.of(1))
          })
          nowMs += 100
          await chunksUntil((count) => count === 4)
          assert.equal(restCount(), 0, 'others had their turn before these')

          caller.handle({ ...ignoring, onFrame: (frame) => caller.send(frame) })
          caller.send(Uint8Array.of(1))
          await chunksUntil((count) => (isBulk === true ? restCount() > 0 : count === 64))
          assert.equal(restCount() > 0, isBulk === true)
          for (const socket of [receiver, caller]) socket.terminate()
        })
      }

      if (isBulk) {
        test('has large frames read straight into the memory that is given for them', async () => {
          await using host = await Host.start(isBulk)
          const dialled = await dial(host.address, { isBulk })
          const accepted = host.accepted[0]!
          for (const [from, to] of [
            [accepted, dialled],
            [dialled, accepted],
          ] as const) {
            const memory = new Uint8Array(new SharedArrayBuffer(MAX_FRAME_BYTES))
            const frame = new Promise<Uint8Array>((onFrame) => {
              const memoryFor = (): Uint8Array => memory
              to.handle({ onFrame, memoryFor, onDrain: () => undefined, onClose: () => undefined })
            })
            from.send(new Uint8Array(MAX_FRAME_BYTES).fill(9))
            assert.equal(await frame, memory)
            assert.ok(memory.every((byte) => byte === 9))
            assert.ok(to.receivedBytes > MAX_FRAME_BYTES)
          }
          dialled.terminate()
        })
      }

      test('says when nothing answers', async () => {
        const server = createServer()
        const port = await listen(server)
        await closeServer(server)
        await assert.rejects(dial(`ws://127.0.0.1:${port}`, { isBulk }), {
          name: 'SchedulerUnreachableError',
          message: `No answer from ws://127.0.0.1:${port}; check that the scheduler runs there.`,
          retryable: true,
        })
      })

      test('gives up on a server that accepts and says nothing', async () => {
        const server = createTcpServer((socket) => socket.on('error', () => undefined).resume())
        const port = await listen(server)
        await assert.rejects(dial(`ws://127.0.0.1:${port}`, { isBulk, timeoutMs: 30 }), {
          code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
          message: `No answer from ws://127.0.0.1:${port} in 30 ms; check that the scheduler runs there.`,
        })
        const aborter = new AbortController()
        const dialling = dial(`ws://127.0.0.1:${port}`, { isBulk, signal: aborter.signal })
        const reason = new Error('never mind')
        aborter.abort(reason)
        await assert.rejects(dialling, reason)
        await assert.rejects(dial(`ws://127.0.0.1:${port}`, { isBulk, signal: aborter.signal }), reason)
        await closeServer(server)
      })

      test('tells a wrong token from a wrong server, and shows the token to nobody', async () => {
        const expected = [
          [401, { name: 'AuthenticationError', retryable: false }],
          [403, { name: 'AuthenticationError', retryable: false }],
          [404, { name: 'SchedulerUnreachableError', retryable: false }],
          [503, { name: 'SchedulerUnreachableError', retryable: true }],
        ] as const
        for (const [statusCode, error] of expected) {
          await using host = await Host.start(isBulk, statusCode)
          await assert.rejects(dial(host.address, { token: 'hunter2', isBulk }), (thrown: Error) => {
            assert.equal(thrown.name, error.name)
            assert.equal((thrown as { retryable?: boolean }).retryable, error.retryable)
            assert.ok(thrown.message.includes(host.address))
            assert.ok(!JSON.stringify([thrown.message, thrown.stack, String(thrown.cause)]).includes('hunter2'))
            return true
          })
        }
      })

      test('refuses what is no address, and addresses with secrets in them', async () => {
        for (const address of ['', '10.0.0.5:8786', 'http://127.0.0.1:8786', 'ws://', 'localhost']) {
          await assert.rejects(dial(address), { code: 'ERR_HEDDLE_INVALID_OPTION', message: /write it like ws:/ })
        }
        for (const address of ['ws://h:1/?token=hunter2', 'ws://u:hunter2@h:1', 'http://h:1/?token=hunter2']) {
          await assert.rejects(dial(address), (error: Error) => {
            assert.ok(!error.message.includes('hunter2'))
            return (error as { code?: string }).code === 'ERR_HEDDLE_INVALID_OPTION'
          })
        }
        await assert.rejects(dial('ws://127.0.0.1:1', { token: 'two\nlines' }), (error: Error) => {
          assert.ok(!error.message.includes('lines'))
          return (error as { code?: string }).code === 'ERR_HEDDLE_INVALID_OPTION'
        })
      })

      for (const [what, frame, code] of [
        ['a frame above the limit', new Uint8Array(MAX_FRAME_BYTES + 1), 1009],
        ['a text', 'GET / HTTP/1.1', 1003],
      ] as const) {
        test(`closes on ${what}, with a code that says so`, async () => {
          await using host = await Host.start(isBulk)
          const client = new WebSocket(host.address)
          await new Promise((resolve) => client.once('open', resolve))
          const closed = new Promise<number>((resolve) => client.once('close', resolve))
          const reason = new Promise<CloseReason | undefined>((resolve) => {
            const onFrame = (): void => assert.fail('nothing may be delivered')
            host.accepted[0]!.handle({ onFrame, onDrain: () => undefined, onClose: resolve })
          })
          client.send(frame)
          assert.equal(await closed, code)
          assert.equal((await reason)?.code, 'ERR_HEDDLE_PROTOCOL')
        })
      }

      for (const [what, maxFrameBytes] of [
        ['what it was told', 1_000],
        ['the limit', undefined],
      ] as const) {
        test(`ends on a frame above ${what}, and takes none that follows, whoever has memory for it`, async () => {
          await using host = await Host.start(isBulk)
          const dialled = await dial(host.address, { isBulk, ...(maxFrameBytes !== undefined && { maxFrameBytes }) })
          const accepted = host.accepted[0]!
          const most = maxFrameBytes ?? MAX_FRAME_BYTES
          const sizes: number[] = []
          const ended = new Promise<CloseReason | undefined>((onClose) => {
            dialled.handle({
              isPeerKnown: true,
              onFrame: (frame) => sizes.push(frame.length),
              memoryFor: (sizeBytes) => new Uint8Array(sizeBytes),
              onDrain: () => undefined,
              onClose,
            })
          })
          const told = new Promise<CloseReason | undefined>((onClose) => {
            accepted.handle({ onFrame: () => undefined, onDrain: () => undefined, onClose })
          })
          for (const sizeBytes of [most, most + 1, 3]) accepted.send(new Uint8Array(sizeBytes))
          const message = `A frame of ${host.address} is malformed: Max payload size exceeded.`
          assert.deepEqual(await ended, { code: 'ERR_HEDDLE_PROTOCOL', message })
          assert.match((await told)!.message, /refused a frame \(WebSocket status 1009\)/)
          assert.deepEqual(sizes, [most])
        })
      }

      test('keeps little memory for strangers who begin large frames', async () => {
        await using host = await Host.start(isBulk)
        const strangers = await Promise.all(
          Array.from({ length: STRANGERS }, async () => {
            const stranger = new WebSocket(host.address)
            const [response] = (await once(stranger, 'upgrade')) as [IncomingMessage]
            return response.socket
          }),
        )
        for (const socket of host.accepted) greet(socket)
        const before = host.accepted.map((socket) => socket.receivedBytes)
        const keptBefore = process.memoryUsage().arrayBuffers
        for (const tcpSocket of strangers) tcpSocket.write(HEAD_OF_CHUNK)
        await eventually('all heads have come', () =>
          host.accepted.every((socket, i) => socket.receivedBytes === before[i]! + HEAD_OF_CHUNK.length),
        )
        assert.equal(host.accepted.length, STRANGERS)
        const keptBytes = process.memoryUsage().arrayBuffers - keptBefore
        assert.ok(keptBytes < (STRANGERS / 4) * CHUNK_BYTES, `${keptBytes} bytes are kept`)
        for (const tcpSocket of strangers) tcpSocket.destroy()
      })

      test('refuses a first frame that is too large for a hello, and says why', async () => {
        await using host = await Host.start(isBulk)
        for (const sizeBytes of [MAX_HELLO_BYTES + 1, CHUNK_BYTES + 1]) {
          const stranger = await dial(host.address, { isBulk })
          const refused = new Promise<Error>((onRefused) => greet(host.accepted.at(-1)!, onRefused))
          const ended = new Promise<CloseReason | undefined>((onClose) => {
            stranger.handle({ onFrame: () => undefined, onDrain: () => undefined, onClose })
          })
          stranger.send(new Uint8Array(sizeBytes))
          assert.equal(
            (await refused).message,
            `The first frame has ${sizeBytes} bytes, and the limit is ${MAX_HELLO_BYTES}.`,
          )
          assert.equal(await ended, undefined)
        }
      })

      test('leaves a request that is no upgrade to a WebSocket unaccepted', async () => {
        await using host = await Host.start(isBulk)
        const response = await new Promise<number>((resolve, reject) => {
          const client = createTcpClient(host.port, (head) => resolve(Number(/^HTTP\/1.1 (\d+)/.exec(head)?.[1])))
          client.on('error', reject)
        })
        assert.equal(response, 400)
        assert.equal(host.accepted.length, 0)
      })
    },
  )

/** As a scheduler does it that takes nobody. */
function greet(socket: Socket, onRefused: NonNullable<AnswerOptions['onRefused']> = () => undefined): void {
  answer({ socket, self: 'test', admit: () => assert.fail('nobody says a hello'), onRefused })
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function createTcpClient(port: number, onHead: (head: string) => void): TcpSocket {
  const client = connect({ port, host: '127.0.0.1' })
  client.once('data', (head) => {
    onHead(head.toString())
    client.destroy()
  })
  client.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
  return client
}
