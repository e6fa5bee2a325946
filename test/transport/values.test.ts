/** Values from the processes that hold them: everything asked for is answered, whatever happens. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { entryOf, type Packed } from '../../common/packed.js'
import { HeddleError } from '../../protocol/errors.js'
import { workerId, type TaskId } from '../../protocol/ids.js'
import { MAX_QUEUED_BYTES } from '../../protocol/limits.js'
import { fromHolder, toHolder, type FromHolder } from '../../protocol/messages/peer.js'
import type { CloseReason, Connection } from '../../protocol/transport/connection.js'
import { answer, type Admission } from '../../protocol/transport/handshake.js'
import type { ValueSink } from '../../protocol/transport/holder.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { ValueFetcher, type ValueFetcherOptions } from '../../protocol/transport/value-fetcher.js'
import { serveValues, type AwaitAnswer, type Awaited } from '../../protocol/transport/value-server.js'
import { FakeTimers } from './fake-timers.js'

const MIB = 1024 * 1024
const task = (n: number): TaskId => n as TaskId
const range = (from: number, to: number): TaskId[] => Array.from({ length: to - from }, (_, i) => task(from + i))

/** Processes that hold values, by address, reached over memory. */
class Holders {
  readonly timers = new FakeTimers()
  readonly values = new Map<TaskId, Uint8Array>()
  readonly connections: Connection<FromHolder>[] = []
  /** How each connection ended, at the holder's end. */
  readonly ended: CloseReason[] = []
  readonly dialled: string[] = []
  maxQueuedBytes = 0
  refusal: HeddleError | undefined
  contract: (connection: Connection<FromHolder>) => ReturnType<typeof serveValues> = (connection) =>
    serveValues(
      connection,
      (wanted) => {
        this.maxQueuedBytes = Math.max(this.maxQueuedBytes, connection.queuedBytes)
        return this.values.get(wanted)
      },
      { onClose: (reason) => this.ended.push(reason) },
    )

  fetcher(settings: Partial<ValueFetcherOptions> = {}): ValueFetcher {
    return new ValueFetcher({
      dial: (address) => Promise.resolve(this.dial(address)),
      hello: { role: 'peer', name: 'w2', secret: 's' },
      timers: this.timers,
      ...settings,
    })
  }

  dial(address: string): Socket {
    this.dialled.push(address)
    const { left, right } = memoryPair({ left: address, right: 'w2' })
    const handlers = (connection: Connection<unknown>): ReturnType<typeof serveValues> => {
      this.connections.push(connection)
      return this.contract(connection)
    }
    const admission: Admission = this.refusal
      ? { refuse: this.refusal }
      : { incoming: toHolder, outgoing: fromHolder, handlers }
    answer({ socket: left, self: 'worker', timers: this.timers, admit: () => admission })
    return right
  }
}

/** Processes that are asked for values which are still to be made there, and say nothing of themselves. */
class Makers extends Holders {
  readonly questions: { readonly asked: Awaited; readonly tell: (answer: AwaitAnswer) => void }[] = []
  /** Which of `questions` were called off. */
  readonly calledOff: number[] = []

  constructor() {
    super()
    this.contract = (connection) =>
      serveValues(connection, (wanted) => this.values.get(wanted), {
        onClose: (reason) => this.ended.push(reason),
        awaits: {
          onAwait: (asked, tell) => {
            const number = this.questions.push({ asked, tell }) - 1
            return () => this.calledOff.push(number)
          },
        },
      })
  }

  tell(question: number, answer: Partial<AwaitAnswer>): void {
    this.questions[question]!.tell({ settled: [], located: [], sizes: [], isLast: true, ...answer })
  }
}

const AWAITING = { worker: workerId(3), after: 7 }

/** Everything asked before has come when this has: it is asked for, and answered, behind it. */
async function ask(fetcher: ValueFetcher, wanted: TaskId): Promise<Answers> {
  const answers = new Answers(1)
  fetcher.fetch('a', [wanted], answers)
  await answers.complete
  return answers
}

/** Writes down every answer. */
class Answers implements ValueSink {
  readonly values = new Map<TaskId, Uint8Array>()
  readonly large = new Set<TaskId>()
  readonly located = new Map<TaskId, number | undefined>()
  readonly gone: TaskId[] = []
  readonly unreachable: TaskId[] = []
  readonly reasons: string[] = []
  messages = 0
  readonly complete: Promise<void>
  #missing: number
  #complete: () => void = () => undefined

  constructor(expected: number) {
    this.#missing = expected
    this.complete = new Promise((resolve) => (this.#complete = resolve))
  }

  onValues(tasks: readonly TaskId[], values: Packed): void {
    tasks.forEach((answered, i) => this.values.set(answered, entryOf(values, i)))
    this.#count(tasks.length)
  }

  onLargeValue(answered: TaskId, value: Uint8Array): void {
    this.values.set(answered, value)
    this.large.add(answered)
    this.#count(1)
  }

  onLocated(tasks: readonly TaskId[], sizes: readonly number[]): void {
    tasks.forEach((answered, i) => this.located.set(answered, sizes[i]))
    this.#count(tasks.length)
  }

  onGone(tasks: readonly TaskId[]): void {
    this.gone.push(...tasks)
    this.#count(tasks.length)
  }

  onUnreachable(tasks: readonly TaskId[], reason: string): void {
    this.unreachable.push(...tasks)
    this.reasons.push(reason)
    this.#count(tasks.length)
  }

  #count(answered: number): void {
    this.messages += 1
    this.#missing -= answered
    assert.ok(this.#missing >= 0, 'no task is answered twice')
    if (this.#missing === 0) this.#complete()
  }
}

suite('fetching values', { timeout: 180_000 }, () => {
  test('25,000 small values come in a handful of messages over one connection', async () => {
    const holders = new Holders()
    for (const key of range(0, 25_000)) holders.values.set(key, new Uint8Array(20).fill(key % 251))
    const fetcher = holders.fetcher()
    const answers = new Answers(25_000)
    fetcher.fetch('a', range(0, 25_000), answers)
    await answers.complete
    for (const key of range(0, 25_000)) assert.equal(answers.values.get(key)?.[19], key % 251)
    assert.ok(answers.messages <= 2, `${answers.messages} messages`)
    assert.deepEqual(holders.dialled, ['a'])
    fetcher.close()
  })

  test('large values come as payloads, in memory that the asker gives; missing ones are told', async () => {
    const holders = new Holders()
    holders.values.set(task(1), Uint8Array.of(1))
    holders.values.set(task(2), new Uint8Array(3 * MIB).fill(2))
    holders.values.set(task(4), new Uint8Array(64 * 1024 + 1).fill(4))
    const allocated: Uint8Array[] = []
    const allocate = (sizeBytes: number): Uint8Array => {
      allocated.push(new Uint8Array(new SharedArrayBuffer(sizeBytes)))
      return allocated.at(-1)!
    }
    const fetcher = holders.fetcher({ allocate })
    const answers = new Answers(5)
    fetcher.fetch('a', range(1, 6), answers)
    await answers.complete
    assert.deepEqual([...answers.large].sort(), [task(2), task(4)])
    assert.deepEqual(answers.gone, [task(3), task(5)])
    assert.deepEqual(answers.values.get(task(2)), new Uint8Array(3 * MIB).fill(2))
    assert.ok(allocated.includes(answers.values.get(task(4))!))
    fetcher.close()
  })

  test('requests take turns: a small one does not wait for a huge one', async () => {
    const holders = new Holders()
    for (const key of range(0, 100)) holders.values.set(key, new Uint8Array(MIB))
    holders.values.set(task(1000), Uint8Array.of(1))
    const fetcher = holders.fetcher()
    const [huge, small] = [new Answers(100), new Answers(1)]
    fetcher.fetch('a', range(0, 100), huge)
    fetcher.fetch('a', [task(1000)], small)
    await small.complete
    assert.ok(huge.values.size < 50)
    await huge.complete
    assert.equal(holders.connections.length, 1)
    assert.ok(holders.maxQueuedBytes < 4 * MIB, 'the store is read no faster than the connection sends')
    fetcher.close()
  })

  test('a connection that breaks leaves nobody waiting, and the next request opens another', async () => {
    const holders = new Holders()
    holders.values.set(task(1), Uint8Array.of(1))
    const serve = holders.contract
    holders.contract = (connection) => ({ onMessages: () => connection.close(), onClose: () => undefined })
    const fetcher = holders.fetcher()
    const [first, second] = [new Answers(3), new Answers(1)]
    fetcher.fetch('a', range(1, 4), first)
    fetcher.fetch('a', [task(9)], second)
    await Promise.all([first.complete, second.complete])
    assert.deepEqual(first.unreachable, range(1, 4))
    assert.deepEqual(second.unreachable, [task(9)])
    holders.contract = serve
    const again = new Answers(1)
    fetcher.fetch('a', [task(1)], again)
    await again.complete
    assert.deepEqual(again.values.get(task(1)), Uint8Array.of(1))
    fetcher.close()
    assert.equal(fetcher.connectionCount, 0)
  })

  test('a holder that cannot be dialled, and one that refuses, are unreachable with a reason', async () => {
    const holders = new Holders()
    const failing = holders.fetcher({ dial: () => Promise.reject(new Error('no route')) })
    const unreached = new Answers(2)
    failing.fetch('a', range(0, 2), unreached)
    await unreached.complete
    assert.deepEqual(unreached.unreachable, range(0, 2))
    assert.match(unreached.reasons[0] ?? '', /no route/)
    assert.equal(failing.connectionCount, 0)

    holders.refusal = new HeddleError('ERR_HEDDLE_AUTHENTICATION', 'The secret is wrong.')
    const refused = new Answers(2)
    holders.fetcher().fetch('b', range(0, 2), refused)
    await refused.complete
    assert.deepEqual(refused.unreachable, range(0, 2))
    assert.deepEqual(refused.reasons, ['The secret is wrong.'])
    assert.equal(holders.timers.pending, 0)
  })

  test('an answer to no question is the end of that connection', async () => {
    const holders = new Holders()
    holders.contract = (connection) => ({
      onMessages: () => connection.send({ type: 'gone', request: 1, tasks: [task(77)] }),
      onClose: (reason) => holders.ended.push(reason),
    })
    const fetcher = holders.fetcher()
    const answers = new Answers(1)
    fetcher.fetch('a', [task(1)], answers)
    await answers.complete
    assert.deepEqual(answers.unreachable, [task(1)])
    assert.equal((await holders.connections[0]!.closed).code, 'ERR_HEDDLE_PROTOCOL')
  })

  test('an idle connection is closed after a while; a busy one stays', async () => {
    const holders = new Holders()
    holders.values.set(task(1), Uint8Array.of(1))
    const fetcher = holders.fetcher({ idleMs: 500 })
    for (let round = 0; round < 3; round++) {
      const answers = new Answers(1)
      fetcher.fetch('a', [task(1)], answers)
      await answers.complete
      holders.timers.advance(499)
    }
    assert.equal(holders.connections.length, 1)
    assert.equal(fetcher.connectionCount, 1)
    holders.timers.advance(1)
    assert.equal(fetcher.connectionCount, 0)
    assert.equal((await holders.connections[0]!.closed).code, 'closed')
    assert.equal(holders.timers.pending, 0)
  })

  test('values are brought a few at a time: a holder that is slow to take them in is waited for', async () => {
    const holders = new Holders()
    const arrived: TaskId[] = []
    let connection: Connection<FromHolder> | undefined
    let onArrival: () => void = () => undefined
    holders.contract = (opened) => {
      connection = opened
      return {
        onMessages: () => assert.fail('nothing is asked for'),
        onPayload: (message) => {
          assert.ok(message.type === 'put-value')
          arrived.push(message.task)
          onArrival()
        },
        onClose: (reason) => holders.ended.push(reason),
      }
    }
    const fetcher = holders.fetcher({ maxPutBytes: 100_000 })
    const failed: TaskId[] = []
    const put = (id: number, sizeBytes: number): void =>
      fetcher.put('a', { task: task(id), value: new Uint8Array(sizeBytes), onFailed: () => failed.push(task(id)) })
    const arrivals = async (count: number): Promise<readonly TaskId[]> => {
      while (arrived.length < count) await new Promise<void>((resolve) => (onArrival = resolve))
      for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
      return arrived.toSorted()
    }
    const hold = (...ids: number[]): void => {
      for (const id of ids) connection!.send({ type: 'put-held', task: task(id) })
    }
    for (const id of [1, 2, 3]) put(id, 50_000)
    put(4, 200_000)
    put(5, 1)
    assert.deepEqual(await arrivals(2), [1, 2])
    hold(1)
    assert.deepEqual(await arrivals(3), [1, 2, 3])
    hold(2)
    assert.deepEqual(await arrivals(3), [1, 2, 3])
    hold(3) // Nothing else is on its way: now the one that is larger than all may be goes.
    assert.deepEqual(await arrivals(4), [1, 2, 3, 4])
    put(4, 200_000) // The worker was lost and came back: it is to have it again, when it has answered for the first.
    hold(4)
    assert.deepEqual(await arrivals(5), [1, 2, 3, 4, 5])
    hold(5)
    assert.deepEqual(await arrivals(6), [1, 2, 3, 4, 4, 5])
    put(6, 1)
    connection!.close()
    await connection!.closed
    await new Promise((resolve) => setImmediate(resolve))
    assert.deepEqual(failed, [task(4), task(6)])
    fetcher.close()
  })

  test('more than may wait on a connection can be brought to one holder', async () => {
    const holders = new Holders()
    const value = new Uint8Array(64 * MIB)
    const room = new Uint8Array(64 * MIB)
    let held = 0
    let onHeld: () => void = () => undefined
    const few = new Promise<void>((resolve) => (onHeld = resolve))
    holders.contract = (connection) =>
      serveValues(connection, () => undefined, {
        puts: {
          allocate: () => room,
          onPut: () => {
            held++
            if (held === 3) onHeld()
          },
        },
      })
    const fetcher = holders.fetcher()
    const failures: string[] = []
    const count = MAX_QUEUED_BYTES / value.length + 3
    for (const id of range(0, count)) {
      fetcher.put('a', { task: id, value, onFailed: (reason) => failures.push(reason) })
    }
    await few
    assert.deepEqual(failures, [])
    fetcher.close()
    assert.ok(failures.length >= count - 5)
  })

  test('keeps no more connections than it may: others wait for an idle place', async () => {
    const holders = new Holders()
    holders.values.set(task(1), Uint8Array.of(1))
    const fetcher = holders.fetcher({ maxConnections: 2 })
    const addresses = Array.from({ length: 10 }, (_, i) => `holder-${i}`)
    let mostConnections = 0
    const all = addresses.map((address) => {
      const answers = new Answers(1)
      fetcher.fetch(address, [task(1)], answers)
      return answers.complete.then(() => (mostConnections = Math.max(mostConnections, fetcher.connectionCount)))
    })
    await Promise.all(all)
    assert.deepEqual(holders.dialled, addresses)
    assert.equal(mostConnections, 2)
    fetcher.close()
    const late = new Answers(1)
    fetcher.fetch('late', [task(1)], late)
    await late.complete
    assert.deepEqual(late.unreachable, [task(1)])
  })

  test('an awaited value is sent when it is told to be there, and others need not wait for it', async () => {
    const makers = new Makers()
    makers.values.set(task(2), Uint8Array.of(2))
    const fetcher = makers.fetcher({ idleMs: 500 })
    const answers = new Answers(1)
    fetcher.fetch('a', [task(1)], answers, AWAITING)
    assert.deepEqual((await ask(fetcher, task(2))).values.get(task(2)), Uint8Array.of(2))
    assert.deepEqual(
      makers.questions.map(({ asked }) => asked),
      [{ tasks: [task(1)], ...AWAITING }],
    )
    makers.timers.advance(1_000)
    assert.equal(answers.messages, 0)
    assert.equal(fetcher.connectionCount, 1, 'a connection over which values are awaited is not idle')

    makers.values.set(task(1), Uint8Array.of(1))
    makers.tell(0, { settled: [task(1)] })
    await answers.complete
    assert.deepEqual(answers.values.get(task(1)), Uint8Array.of(1))
    assert.deepEqual(makers.dialled, ['a'])
    fetcher.close()
  })

  test('one question has many answers: values, sizes of large ones, and what will not come', async () => {
    const makers = new Makers()
    const fetcher = makers.fetcher()
    const answers = new Answers(5)
    fetcher.fetch('a', range(1, 6), answers, AWAITING)
    await ask(fetcher, task(9))
    makers.values.set(task(2), Uint8Array.of(2))
    makers.tell(0, { settled: [task(2)], isLast: false })
    await ask(fetcher, task(9))
    assert.deepEqual([...answers.values.keys()], [task(2)])

    makers.tell(0, { settled: [task(1)], located: [task(3), task(4)], sizes: [100_000, 200_000], isLast: false })
    await ask(fetcher, task(9))
    assert.deepEqual(answers.gone, [task(1)])
    assert.deepEqual(
      [...answers.located],
      [
        [task(3), 100_000],
        [task(4), 200_000],
      ],
    )

    makers.values.set(task(5), Uint8Array.of(5))
    makers.tell(0, { settled: [task(5)] })
    await answers.complete
    assert.deepEqual([...answers.values.keys()], [task(2), task(5)])
    // A question that was answered is closed: what is told of it is not sent, where it would end the connection.
    makers.tell(0, { settled: [task(5)] })
    makers.tell(0, { located: [task(3)], sizes: [100_000] })
    assert.deepEqual((await ask(fetcher, task(9))).gone, [task(9)])
    assert.equal(makers.connections.length, 1)
    fetcher.close()
  })

  test('the end of a connection calls off what was awaited over it and was not answered', async () => {
    const makers = new Makers()
    const fetcher = makers.fetcher()
    const [first, second] = [new Answers(1), new Answers(2)]
    fetcher.fetch('a', [task(1)], first, AWAITING)
    fetcher.fetch('a', [task(2), task(3)], second, AWAITING)
    await ask(fetcher, task(9))
    makers.tell(0, { settled: [task(1)] })
    makers.tell(1, { settled: [task(2)], isLast: false })
    await first.complete
    await ask(fetcher, task(9))
    assert.deepEqual(makers.calledOff, [])

    makers.connections[0]!.close()
    await second.complete
    assert.deepEqual([second.gone, second.unreachable], [[task(2)], [task(3)]])
    await makers.connections[0]!.closed
    assert.deepEqual(makers.calledOff, [1])
    makers.tell(1, { settled: [task(3)] }) // It was on its way to be told.
    assert.deepEqual((await ask(fetcher, task(9))).gone, [task(9)])
    assert.equal(second.messages, 2)
    fetcher.close()
  })

  test('a server that tells of no values to come gives what it has, at once', async () => {
    const holders = new Holders()
    holders.values.set(task(1), Uint8Array.of(1))
    holders.values.set(task(2), new Uint8Array(MIB))
    const fetcher = holders.fetcher()
    const answers = new Answers(3)
    fetcher.fetch('a', range(1, 4), answers, AWAITING)
    await answers.complete
    assert.deepEqual(answers.values.get(task(1)), Uint8Array.of(1))
    assert.deepEqual([[...answers.large], answers.gone], [[task(2)], [task(3)]])
    fetcher.close()
  })

  test('a holder that names large values without their sizes is hung up on', async () => {
    const holders = new Holders()
    holders.contract = (connection) => ({
      onMessages: () => connection.send({ type: 'values-located', request: 1, tasks: [task(1)], sizes: [] }),
      onClose: (reason) => holders.ended.push(reason),
    })
    const answers = new Answers(1)
    holders.fetcher().fetch('a', [task(1)], answers, AWAITING)
    await answers.complete
    assert.deepEqual([answers.unreachable, [...answers.located]], [[task(1)], []])
    assert.equal((await holders.connections[0]!.closed).code, 'ERR_HEDDLE_PROTOCOL')
  })
})
