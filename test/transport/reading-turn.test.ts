/** Turns of reading end, and memory that is slow to come is touched by others, while nothing is read. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { suite, test } from 'node:test'
import { Rng } from '../../common/rng.js'
import { MAX_FRAME_BYTES } from '../../protocol/limits.js'
import { BulkReader } from '../../protocol/transport/bulk-reader.js'
import { touch } from '../../protocol/transport/first-touch.js'
import { freshMemory, Inbox } from '../../protocol/transport/inbox.js'
import { Outbox } from '../../protocol/transport/outbox.js'
import { Pieces } from '../../protocol/transport/pieces.js'
import { ReadingTurn, type ReadingTurnOptions } from '../../protocol/transport/reading-turn.js'
import { integer, message } from '../../protocol/schema.js'
import { bytesOf, frame } from './raw-frames.js'

const MIB = 1024 * 1024
const schema = message('value', { number: integer })

/** A turn whose bytes take as long to be put in place as it is told, and whose memory comes as fast. */
class Turns {
  nowMs = 0
  /** What putting bytes in place takes, and what touching memory does. */
  placingMs = 0
  touchingMs = 0
  readonly touched: Uint8Array[] = []
  /** Memory of another value in each turn. */
  #coming = new Uint8Array(8)
  hasMore = true
  hasZeros = true
  readonly turn: ReadingTurn
  readonly #goneOn: (() => void)[] = []

  constructor(options: Partial<ReadingTurnOptions> = {}) {
    this.turn = new ReadingTurn({
      take: () => (this.nowMs += this.placingMs),
      comingMemory: () => (this.hasMore ? this.#coming : undefined),
      goOn: () => this.#goneOn.shift()!(),
      touch: (memory, onTouched) => {
        if (!this.hasZeros) return false
        this.touched.push(memory)
        this.nowMs += this.touchingMs
        queueMicrotask(onTouched)
        return true
      },
      nowMs: () => this.nowMs,
      ...options,
    })
  }

  /** Reads a turn's worth at once, until the next may begin. Returns whether memory was touched before. */
  async readTurn(): Promise<boolean> {
    const touchedBefore = this.touched.length
    this.#coming = new Uint8Array(8)
    const goneOn = new Promise<void>((resolve) => this.#goneOn.push(resolve))
    assert.equal(this.turn.onRead(MIB, new Uint8Array(0)), false)
    await goneOn
    return this.touched.length > touchedBefore
  }
}

suite('a turn of reading', () => {
  test('ends after a mebibyte, and the next begins when others had theirs', async () => {
    const order: string[] = []
    const { turn } = new Turns({ goOn: () => order.push('goes on') })
    const buffer = new Uint8Array(0)
    for (let i = 0; i < 3; i++) assert.equal(turn.onRead(MIB / 4, buffer), true)
    setImmediate(() => order.push('another'))
    assert.equal(turn.onRead(MIB / 4, buffer), false)
    assert.equal(turn.onRead(MIB / 4, buffer), true, 'the next turn')
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(order, ['another', 'goes on'])
  })

  test('has memory touched once it was slow, until it came at once twice', async () => {
    const turns = new Turns()
    assert.equal(await turns.readTurn(), false)
    turns.placingMs = 6
    turns.touchingMs = 6
    assert.equal(await turns.readTurn(), true)
    turns.placingMs = 0
    for (let i = 0; i < 20; i++) assert.equal(await turns.readTurn(), true)
    turns.touchingMs = 0
    for (let i = 0; i < 2; i++) assert.equal(await turns.readTurn(), true)
    assert.equal(await turns.readTurn(), false)
  })

  test('touches what is ahead by a turn while it goes on, and waits before it comes nearer', async () => {
    const touching: (() => void)[] = []
    const value = new Uint8Array(16 * MIB)
    let at = 0
    let wentOn = 0
    const starts: number[] = []
    const { turn } = new Turns({
      nowMs: (() => {
        let nowMs = 0
        return () => (nowMs += 10)
      })(),
      comingMemory: () => value.subarray(at),
      goOn: () => wentOn++,
      touch: (memory, onTouched) => {
        starts.push(memory.byteOffset / MIB)
        touching.push(onTouched)
        return true
      },
    })
    const readOn = async (): Promise<boolean> => {
      const before = wentOn
      at += MIB
      turn.onRead(MIB, value)
      await new Promise((resolve) => setImmediate(resolve))
      return wentOn > before
    }
    assert.equal(await readOn(), false, 'nothing is touched yet')
    assert.deepEqual(starts, [1])
    touching.shift()!()
    assert.equal(wentOn, 1)
    assert.deepEqual(starts, [1, 3], 'more is touched while it reads')
    assert.equal(await readOn(), false, 'the next turn could come there')
    touching.shift()!()
    assert.deepEqual(starts, [1, 3, 5])
    assert.equal(wentOn, 2)
    touching.shift()!()
    assert.equal(await readOn(), true)
    assert.deepEqual(starts, [1, 3, 5, 7])
    touching.shift()!()
    at = 8 * MIB
    assert.equal(await readOn(), false, 'nothing is touched so far ahead')
    assert.deepEqual(starts, [1, 3, 5, 7, 9])
  })

  test('goes on where nothing is known to come, or nobody can touch it', async () => {
    const turns = new Turns()
    turns.placingMs = 6
    turns.hasMore = false
    assert.equal(await turns.readTurn(), false)
    turns.hasMore = true
    turns.hasZeros = false
    assert.equal(await turns.readTurn(), false)
  })

  test('does not time what is small', () => {
    const nowMs = (): number => assert.fail('timed')
    assert.equal(new Turns({ nowMs }).turn.onRead(60, new Uint8Array(0)), true)
  })
})

suite('touching memory', () => {
  test('leaves zeros, and calls back later', { skip: !existsSync('/dev/zero') && 'no /dev/zero' }, async () => {
    for (const memory of [freshMemory(3 * MIB), new Uint8Array(new SharedArrayBuffer(3 * MIB))]) {
      memory.fill(7)
      let isDone = false
      await new Promise<void>((resolve) => {
        assert.ok(
          touch(memory.subarray(10), () => {
            isDone = true
            resolve()
          }),
        )
        assert.equal(isDone, false)
      })
      assert.ok(memory.every((byte, i) => byte === (i < 10 ? 7 : 0)))
    }
  })
})

test('values arrive whole though memory is touched before each turn', async () => {
  for (let seed = 1; seed <= 12; seed++) {
    const rng = new Rng(seed)
    const outbox = new Outbox(schema, 64 * MIB)
    const sent = Array.from({ length: 6 }, (_, number) => {
      const payload = new Uint8Array(rng.integer(1, 3 * MIB)).fill(1 + number)
      outbox.addPayload({ type: 'value', number }, new Pieces([payload]))
      if (rng.chance(0.5)) outbox.addMessage({ type: 'value', number: 100 + number })
      return payload
    })
    const wire: Buffer[] = []
    while (outbox.sendNext((bytes) => wire.push(bytesOf(frame(Buffer.from(bytes))))) > 0);
    const stream = Buffer.concat(wire)

    const inbox = new Inbox(schema, 64 * MIB, freshMemory)
    const received = new Map<number, Uint8Array>()
    const reader = new BulkReader({
      isBehindResponse: false,
      maxFrameBytes: MAX_FRAME_BYTES,
      pass: () => assert.fail('passed'),
      place: (sizeBytes) => inbox.chunkMemory(sizeBytes) ?? freshMemory(sizeBytes),
      onPlaced: (bytes) => {
        const arrival = inbox.read(bytes)
        if (arrival.type === 'payload') received.set(arrival.message.number, arrival.payload)
      },
    })
    reader.start()
    let goOn = (): void => undefined
    let nowMs = 0
    let touchedBytes = 0
    const turn = new ReadingTurn({
      take: reader.onRead,
      comingMemory: () => inbox.comingMemory(reader.placedBytes),
      goOn: () => goOn(),
      // Whatever it shows, twice in a row, is slow.
      nowMs: () => (nowMs += 10),
      touch: (memory, onTouched) => {
        touchedBytes += memory.length
        memory.fill(0)
        setImmediate(onTouched)
        return true
      },
    })
    for (let at = 0; at < stream.length;) {
      const buffer = reader.nextBuffer()
      const count = Math.min(buffer.length, stream.length - at, rng.integer(1, 2 * buffer.length))
      buffer.set(stream.subarray(at, at + count))
      at += count
      const mayGoOn = new Promise<void>((resolve) => (goOn = resolve))
      if (!turn.onRead(count, buffer)) await mayGoOn
    }
    assert.ok(touchedBytes > MIB, `seed ${seed}`)
    assert.equal(received.size, sent.length)
    for (const [number, payload] of received) assert.deepEqual(payload, sent[number], `seed ${seed}`)
  }
})
