/**
 * A client that reads streams: each value must come in its turn, once, and be the right one, and the count in the end must be
 * that of what came. It reads at its leisure, leaves some streams amid, and goes amid others. When it loses its connection,
 * those that it reads are broken.
 */
import assert from 'node:assert/strict'
import { entryOf, Packer } from '../../common/packed.js'
import { arrayId, taskId, templateId, type ArrayId, type TaskId } from '../../protocol/ids.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { PRIORITY_BASE } from '../../protocol/urgency.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { NO_RULES } from '../../protocol/messages/rules.js'
import { codeOf, decodeNumber, encodeNumber } from './expression.js'
import { LastingLink } from './lasting-link.js'
import type { World } from './world.js'

type Failed = SchedulerToClient & { readonly type: 'failed' }
type Cancel = ClientToScheduler & { readonly type: 'cancel' }

/** What a stream gives at a place. */
export function streamedNumber(count: number, index: number): number {
  return count * 1_009 + index
}

interface Stream {
  readonly id: TaskId
  readonly count: number
  /** It is left when so many were read. */
  readonly leavesAt: number
  received: number
  taken: number
  isReading: boolean
  isOver: boolean
  endedAtMs: number
}

export class SimulatedReader {
  readonly #world: World
  readonly #connection: LastingLink
  readonly #streams = new Map<TaskId, Stream>()
  readonly #left = new Set<TaskId>()
  readonly #cancellations = new Map<number, Cancel>()
  readonly #spanMs: number
  #lastCancellation = 0
  #hasLeft = false

  constructor(world: World, spanMs: number, name = 'reader') {
    this.#world = world
    this.#spanMs = spanMs
    this.#connection = new LastingLink({
      world,
      rng: world.crashRng,
      name,
      onMessage: (message) => this.#receive(message),
      onLost: () => this.#breakStreams(),
      onReturned: () => this.#askAgain(),
    })
  }

  /** Its connection breaks, and is had again. */
  disconnect(): void {
    if (!this.#hasLeft) this.#connection.disconnect()
  }

  /** As client/session.ts: what was given on the old connection is right, and what would follow is lost. */
  #breakStreams(): void {
    assert(this.#world.hasCrashes, 'a reader lost its connection')
    for (const stream of [...this.#streams.values()]) {
      if (stream.isOver) continue
      this.#world.counts.brokenStreams++
      this.#quit(stream)
    }
  }

  #askAgain(): void {
    for (const cancel of this.#cancellations.values()) this.#connection.send(cancel)
    const tasks = [...this.#streams.values()].filter(({ isOver }) => !isOver).map(({ id }) => id)
    if (tasks.length > 0) this.#connection.send({ type: 'want', tasks })
  }

  /** Goes, amid what it reads. */
  leave(): void {
    if (this.#hasLeft) return
    this.#hasLeft = true
    this.#connection.end()
  }

  /** Every stream came to an end, or was left. */
  checkSettled(): void {
    if (this.#hasLeft) return
    for (const { id, received, count, isOver } of this.#streams.values()) {
      assert(isOver, `stream ${id} stopped after ${received} of ${count} values`)
    }
    assert.equal(this.#cancellations.size, 0, 'streams that were left never stopped')
  }

  #receive(message: SchedulerToClient): void {
    if (this.#hasLeft) return
    switch (message.type) {
      case 'lease':
        this.#begin(message.first)
        break
      case 'stream-chunk':
        this.#onChunk(message.task, message.index, decodeNumber(message.value))
        break
      case 'located':
        this.#onEnd(message.task) // How many there were is no secret, and not worth the fetching.
        break
      case 'values':
        message.tasks.forEach((task, i) => this.#onCount(task, decodeNumber(entryOf(message.values, i))))
        break
      case 'failed':
        for (const task of message.tasks) this.#onFailed(task, message)
        break
      case 'cancelled':
        // It may have been said again before the first answer came.
        assert(this.#cancellations.delete(message.request) || this.#world.hasCrashes, 'an answer to nothing')
        break
      case 'finished':
      case 'accepted':
      case 'blocked':
      case 'progressed':
        break
      default:
        assert.fail(`a reader was told ${message.type}`)
    }
  }

  /** Streams of threads, and such that take none. */
  #begin(first: ArrayId): void {
    const { streamRng: rng, agenda, counts } = this.#world
    const define = codeOf('stream')
    this.#connection.send(define)
    for (const [i, threads] of [1, 0].entries()) {
      this.#connection.send({
        type: 'define-template',
        template: templateId(i + 1),
        name: 'stream',
        code: define.code,
        exportName: 'stream',
        constants: new Uint8Array(0),
        constantInputs: [],
        priority: PRIORITY_BASE,
        depth: 0,
        outputs: 0,
        needs: threads === 1 ? NO_NEEDS : { ...NO_NEEDS, threads },
        rules: { ...NO_RULES, isStream: true },
      })
    }
    for (let i = rng.integer(1, 6); i > 0; i--) {
      const id = taskId(arrayId(first + i), 0)
      agenda.in(rng.between(0, this.#spanMs), () => {
        if (this.#hasLeft) return
        const count = rng.pick([0, 1, 10, 200])!
        counts.streams++
        const args = new Packer()
        args.add(encodeNumber(count))
        const leavesAt = rng.chance(0.3) ? rng.integer(0, count) : Infinity
        this.#streams.set(id, {
          id,
          count,
          leavesAt,
          received: 0,
          taken: 0,
          isReading: false,
          isOver: false,
          endedAtMs: 0,
        })
        const runs = [rng.integer(1, 2), 1]
        const array = arrayId(first + i)
        this.#connection.send({
          type: 'submit',
          array,
          firstIndex: 0,
          runs,
          args: args.take(),
          inputCounts: [],
          inputs: [],
          keys: [],
        })
        this.#connection.send({ type: 'want', tasks: [id] })
        this.#connection.flush()
      })
    }
    this.#connection.flush()
  }

  #onChunk(task: TaskId, index: number, number: number): void {
    const stream = this.#streams.get(task)
    if (stream === undefined) {
      assert(this.#left.has(task), `a value of ${task}, which is no stream`)
      return
    }
    // That it ended is forgotten when the power fails just then: it runs again, and nobody reads it.
    // Or how many there were is lost with its worker, while word is under way that nobody asks for it any more.
    const { scheduler, hasDeaths } = this.#world
    if (stream.isOver && (hasDeaths || scheduler.mayHaveForgotten(stream.endedAtMs))) return
    assert(!stream.isOver, `stream ${task} gave a value after its end`)
    if (index === 0 && stream.received === stream.count && stream.count > 0 && hasDeaths) {
      // How many there were was lost before it was told, and so it runs again: that is of no use to who read it.
      this.#world.counts.brokenStreams++
      return this.#quit(stream)
    }
    assert.equal(index, stream.received, `stream ${task} left values out, or gave them twice`)
    assert.equal(number, streamedNumber(stream.count, index), `stream ${task} gave another value at ${index}`)
    stream.received++
    this.#world.counts.chunks++
    if (!stream.isReading) this.#readSoon(stream)
  }

  /** It takes some of what came, and says so; or it has had enough. */
  #readSoon(stream: Stream): void {
    const { streamRng: rng, agenda } = this.#world
    stream.isReading = true
    agenda.in(rng.between(0, rng.pick([0.1, 5])!), () => {
      stream.isReading = false
      if (this.#hasLeft || stream.isOver || !this.#streams.has(stream.id)) return
      stream.taken = rng.integer(stream.taken + 1, stream.received)
      if (stream.taken >= stream.leavesAt) return this.#quit(stream)
      this.#connection.send({ type: 'stream-taken', task: stream.id, taken: stream.taken })
      this.#connection.flush()
      if (stream.taken < stream.received) this.#readSoon(stream)
    })
  }

  /** By cancelling it, or as one whose reader was collected. */
  #quit({ id }: Stream): void {
    const { streamRng: rng, counts } = this.#world
    counts.leftStreams++
    this.#streams.delete(id)
    this.#left.add(id)
    if (rng.chance(0.7)) {
      const request = ++this.#lastCancellation
      const cancel: Cancel = { type: 'cancel', request, tasks: [id], graceMs: 500, error: encodeNumber(499) }
      this.#cancellations.set(request, cancel)
      this.#connection.send(cancel)
    }
    this.#connection.send({ type: 'release', tasks: [id] })
    this.#connection.flush()
  }

  #onCount(task: TaskId, count: number): void {
    const stream = this.#streams.get(task)
    if (stream === undefined) return
    assert.equal(count, stream.count, `stream ${task} says that it gave ${count} values`)
    this.#onEnd(task)
  }

  #onEnd(task: TaskId): void {
    const stream = this.#streams.get(task)
    if (stream === undefined || stream.isOver) return
    assert.equal(stream.received, stream.count, `stream ${task} ended before all of its values had come`)
    this.#end(stream)
  }

  #end(stream: Stream): void {
    stream.isOver = true
    stream.endedAtMs = this.#world.agenda.nowMs
    this.#connection.send({ type: 'release', tasks: [stream.id] })
    this.#connection.flush()
  }

  #onFailed(task: TaskId, { code, reason }: Failed): void {
    const stream = this.#streams.get(task)
    if (stream === undefined || stream.isOver) return
    const { hasDeaths, isLossy, counts } = this.#world
    this.#end(stream)
    counts.brokenStreams++
    if (code === 'ERR_HEDDLE_TASK_CANCELLED') assert(counts.restarts > 0, `stream ${task} was cancelled: ${reason}`)
    else {
      assert.equal(code, 'ERR_HEDDLE_WORKER_LOST', `stream ${task} failed: ${reason}`)
      // A task that ends the thread that it shares takes those along that take none; and one that waits, and is stopped, what
      // runs in its thread meanwhile.
      assert(hasDeaths || isLossy || counts.exits + counts.terminatedLent > 0, `stream ${task} broke off: ${reason}`)
    }
  }
}
