/** Two processes that meet: who may talk, and what the other is told. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { packageVersion } from '../../common/node/package-version.js'
import { HeddleError } from '../../protocol/errors.js'
import { HANDSHAKE_TIMEOUT_MS, MAX_HELLO_BYTES } from '../../protocol/limits.js'
import type { Hello, Welcome } from '../../protocol/messages/handshake.js'
import { integer, message, union, type Infer } from '../../protocol/schema.js'
import type { Connection } from '../../protocol/transport/connection.js'
import {
  answer,
  connectTo,
  type Admission,
  type AnswerOptions,
  type Introduction,
} from '../../protocol/transport/handshake.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import type { VersionRange } from '../../protocol/version.js'
import { FakeTimers } from './fake-timers.js'
import { Recorder } from './recorder.js'

const ask = union([message('ask', { n: integer })])
const reply = union([message('reply', { n: integer })])
type Ask = Infer<typeof ask>
type Reply = Infer<typeof reply>

const hello: Introduction = { role: 'worker', name: 'w1', secret: 's3cret' }
const ADMIT: Admission = { incoming: ask, outgoing: reply, handlers: () => new Recorder<unknown>() }

class Meeting {
  readonly timers = new FakeTimers()
  readonly pair = memoryPair({ left: 'scheduler', right: 'worker' })
  readonly refusals: HeddleError[] = []
  readonly heard = new Recorder<Reply>()

  answer(settings: Partial<AnswerOptions> = {}): void {
    answer({
      socket: this.pair.left,
      self: 'scheduler',
      timers: this.timers,
      admit: () => ADMIT,
      onRefused: (error) => this.refusals.push(error),
      ...settings,
    })
  }

  connect(
    versions?: VersionRange,
    signal?: AbortSignal,
    onWelcome?: (welcome: Welcome) => void,
  ): Promise<Connection<Ask>> {
    return connectTo<Reply, Ask>({
      socket: this.pair.right,
      hello,
      timers: this.timers,
      incoming: reply,
      outgoing: ask,
      handlers: () => this.heard,
      signal,
      onWelcome,
      ...(versions && { versions }),
    })
  }
}

suite('the handshake', { timeout: 180_000 }, () => {
  test('makes a connection of both ends, and says who came', async () => {
    const meeting = new Meeting()
    const hellos: Hello[] = []
    const asked: Ask[] = []
    const peers: string[] = []
    meeting.answer({
      admit: (came) => {
        hellos.push(came)
        return {
          incoming: ask,
          outgoing: reply,
          handlers: (connection) => {
            peers.push(connection.peer)
            connection.send({ type: 'reply', n: 0 }) // Right behind the welcome.
            return {
              onMessages: (messages) => {
                asked.push(...(messages as Ask[]))
                connection.send({ type: 'reply', n: 1 })
              },
              onClose: () => undefined,
            }
          },
        }
      },
    })
    const connection = await meeting.connect()
    connection.send({ type: 'ask', n: 5 })
    await meeting.heard.until(() => meeting.heard.messages.length === 2)
    assert.deepEqual(meeting.heard.messages, [
      { type: 'reply', n: 0 },
      { type: 'reply', n: 1 },
    ])
    assert.deepEqual(asked, [{ type: 'ask', n: 5 }])
    assert.deepEqual(hellos, [
      {
        type: 'hello',
        lowestVersion: 1,
        highestVersion: 1,
        packageVersion: packageVersion(),
        nodeVersion: process.version,
        role: 'worker',
        name: 'w1',
        secret: 's3cret',
      },
    ])
    assert.deepEqual(peers, ['w1 (worker)'])
    connection.close()
    await connection.closed
    assert.equal(meeting.timers.pending, 0)
  })

  test('tells the dialling side which heddle and which Node it met', async () => {
    const meeting = new Meeting()
    meeting.answer({ nodeVersion: 'v18.0.0' })
    const welcomes: Welcome[] = []
    const connection = await meeting.connect(undefined, undefined, (welcome) => welcomes.push(welcome))
    assert.deepEqual(welcomes, [
      { type: 'welcome', version: 1, packageVersion: packageVersion(), nodeVersion: 'v18.0.0' },
    ])
    connection.close()
    await connection.closed
  })

  for (const [versions, older] of [
    [{ lowest: 1, highest: 2 }, 'worker'],
    [{ lowest: 5, highest: 7 }, 'scheduler'],
  ] as const) {
    test(`tells both ends to upgrade the ${older} when it is too old`, async () => {
      const meeting = new Meeting()
      meeting.answer({ versions: { lowest: 3, highest: 4 } })
      const expected = {
        name: 'VersionMismatchError',
        code: 'ERR_HEDDLE_VERSION_MISMATCH',
        message:
          `The scheduler speaks protocol versions 3 to 4 (heddle ${packageVersion()}) and the worker "w1" ` +
          `versions ${versions.lowest} to ${versions.highest} (heddle ${packageVersion()}); upgrade heddle on the ${older}.`,
      }
      await assert.rejects(meeting.connect(versions), expected)
      assert.equal(meeting.refusals[0]?.message, expected.message)
      assert.equal(meeting.timers.pending, 0)
    })
  }

  test('gives the reason of a refusal, as an error with its code', async () => {
    const meeting = new Meeting()
    const error = new HeddleError('ERR_HEDDLE_NAME_IN_USE', 'A worker named "w1" is here already; give another --name.')
    meeting.answer({ admit: () => ({ refuse: error }) })
    await assert.rejects(meeting.connect(), { code: error.code, message: error.message })
    assert.deepEqual(meeting.refusals, [error])
  })

  test('gives a refusal for authentication its own class', async () => {
    const meeting = new Meeting()
    meeting.answer({ admit: () => ({ refuse: new HeddleError('ERR_HEDDLE_AUTHENTICATION', 'Wrong secret.') }) })
    await assert.rejects(meeting.connect(), { name: 'AuthenticationError' })
  })

  test('does not wait for ever, at either end', async () => {
    const quietAnswer = new Meeting()
    const connecting = quietAnswer.connect()
    quietAnswer.timers.advance(HANDSHAKE_TIMEOUT_MS)
    await assert.rejects(connecting, { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE', retryable: true })

    const quietDialler = new Meeting()
    quietDialler.answer()
    const told = framesOf(quietDialler.pair.right)
    quietDialler.timers.advance(HANDSHAKE_TIMEOUT_MS)
    await told.closed
    assert.equal(quietDialler.refusals[0]?.code, 'ERR_HEDDLE_TIMEOUT')
  })

  for (const [what, frame] of [
    ['is no handshake', Uint8Array.of(0, 0x90)],
    ['is garbage', Uint8Array.of(7, 0xc1, 1, 2)],
    ['is empty', new Uint8Array(0)],
    ['is too large', new Uint8Array(MAX_HELLO_BYTES + 1).fill(7)],
  ] as const) {
    test(`refuses a first frame that ${what}`, async () => {
      const meeting = new Meeting()
      meeting.answer()
      const told = framesOf(meeting.pair.right)
      meeting.pair.right.send(frame)
      await told.closed
      assert.equal(meeting.refusals[0]?.code, 'ERR_HEDDLE_PROTOCOL')
      assert.equal(told.frames.length, 1, 'the reason was sent')
    })

    test(`refuses an answer that ${what}`, async () => {
      const meeting = new Meeting()
      const connecting = meeting.connect()
      meeting.pair.left.send(frame)
      await assert.rejects(connecting, { code: 'ERR_HEDDLE_PROTOCOL' })
    })
  }

  test('says so when the other end leaves in the middle', async () => {
    const dialler = new Meeting()
    const connecting = dialler.connect()
    dialler.pair.left.terminate()
    await assert.rejects(connecting, { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE' })

    const answering = new Meeting()
    answering.answer()
    const told = framesOf(answering.pair.right)
    answering.pair.right.terminate()
    await told.closed
    assert.equal(answering.refusals[0]?.code, 'ERR_HEDDLE_CONNECTION_LOST')
  })

  test('ends with the caller’s own reason when the caller aborts', async () => {
    const meeting = new Meeting()
    const aborter = new AbortController()
    const connecting = meeting.connect(undefined, aborter.signal)
    const reason = new Error('never mind')
    aborter.abort(reason)
    await assert.rejects(connecting, reason)
    assert.equal(meeting.timers.pending, 0)
  })
})

/** What comes out of a socket that nothing else listens to. */
function framesOf(socket: Socket): { readonly frames: Uint8Array[]; readonly closed: Promise<void> } {
  const frames: Uint8Array[] = []
  const closed = new Promise<void>((resolve) => {
    socket.handle({ onFrame: (frame) => frames.push(frame), onDrain: () => undefined, onClose: () => resolve() })
  })
  return { frames, closed }
}
