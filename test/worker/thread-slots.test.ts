/** What happens to a batch between the core and the pool. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { arrayId, taskId } from '../../protocol/ids.js'
import { encodeValue } from '../../protocol/values/encode.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import type { BatchTask } from '../../worker/core/instructions.js'
import { ThreadSlots } from '../../worker/thread-slots.js'
import type { ThreadPool } from '../../worker/thread-pool.js'
import type { BatchRequest } from '../../worker/thread/batch.js'
import { LaneReader, LaneWriter, VALUE } from '../../worker/thread/lane.js'
import { ValueStore } from '../../worker/value-store.js'
import { Future, task, tasksOf, templateOf } from './pool-harness.js'

/** A pool that has its batches end when it is told, and keeps what it is given. */
function fakePool() {
  const batches: BatchRequest[] = []
  const added: BatchRequest[] = []
  let end = (): void => undefined
  const ended = new Promise<void>((resolve) => (end = resolve))
  const pool: ThreadPool = {
    run: async (batch) => {
      batches.push(batch)
      await ended
      return { type: 'replied', reply: { large: undefined } }
    },
    io: { run: () => Promise.reject(new Error('no I/O task')), tellToStop: () => false },
    canTerminate: false,
    extend: (batch) => added.push(batch),
    tellToStop: () => undefined,
    tellTaken: () => undefined,
    threads: 'this' as const,
    terminate: () => undefined,
    terminateThread: () => undefined,
    collect: () => undefined,
    close: () => Promise.resolve(),
  }
  return { pool, batches, added, end }
}

function start() {
  const lane = new LaneReader()
  const store = new ValueStore()
  const events: WorkerEvent[] = []
  const fake = fakePool()
  const slots = new ThreadSlots({
    lanes: [lane],
    worker: 'w',
    pool: fake.pool,
    store,
    urlOf: (code) => `file:///${code}.mjs`,
    submit: (event) => events.push(event),
  })
  return { ...fake, slots, store, events, thread: new LaneWriter(lane.memory) }
}

const batchOf = (tasks: readonly BatchTask[], mayGrow = false) =>
  ({
    type: 'run-batch',
    thread: 0,
    tasks,
    isLarge: false,
    makers: undefined,
    wanted: undefined,
    isPatient: false,
    mayGrow,
  }) as const

suite('a slot', () => {
  test('keeps the inputs of its batch while the code is written, even if they are dropped', async () => {
    const { slots, store, batches, events, end } = start()
    const input = taskId(arrayId(9), 0)
    const value = encodeValue([1, 2], { path: 'result' })
    store.put(input, value)
    let resolve = (): void => undefined
    const codeStored = new Promise<void>((stored) => (resolve = stored))
    const ended = slots.run(batchOf(tasksOf(templateOf(), [[new Future(input)]])), codeStored)
    store.drop(input)
    assert.equal(batches.length, 0)
    end()
    resolve()
    await ended
    assert.deepEqual(Buffer.from(batches[0]!.inputValues.bytes), Buffer.from(value))
    assert.equal(events.at(-1)?.type, 'batch-ended')
    assert.equal(batches[0]!.number, undefined)
  })

  /** Five tasks: the fourth needs the first and the third. */
  const all = tasksOf(templateOf(), [[0], [1], [2], [new Future(task(0)), new Future(task(2))], [4]])

  /** Adds the tasks from `first` to `end`. */
  function extend(slots: ThreadSlots, first: number, end: number, isCodeStored = true): void {
    const makers = first === 3 ? new Set([task(0), task(2)]) : undefined
    const tasks = all.slice(first, end)
    slots.extend({ type: 'extend-batch', thread: 0, tasks, makers, wanted: [first] }, isCodeStored)
  }

  test('adds to its batch by its number, behind all that it was given', async () => {
    const { slots, batches, added, events, end, thread } = start()
    const ended = slots.run(batchOf(all.slice(0, 2), true), undefined)
    extend(slots, 2, 3)
    extend(slots, 3, 5)
    const [batch] = batches
    assert.notEqual(batch!.number, undefined)
    assert.deepEqual(
      added.map(({ number, first, taskIds, wanted }) => ({ number, first, taskIds: [...taskIds], wanted })),
      [
        { number: batch!.number, first: 2, taskIds: [task(2)], wanted: [2] },
        { number: batch!.number, first: 3, taskIds: [task(3), task(4)], wanted: [3] },
      ],
    )
    // Places of makers count from the first task of all.
    assert.deepEqual([...added[1]!.madeInputs!.values()], [0, 2])

    // The thread ran all but the last: what came of it belongs to the task at its place.
    const value = encodeValue('v', { path: 'result' })
    for (let place = 0; place < 4; place++) {
      assert.equal(thread.claim(5), place)
      assert.ok(thread.tryWrite(place, VALUE, 1, value))
    }
    end()
    await ended
    const [outcomes, last] = events.slice(-2)
    assert.ok(outcomes?.type === 'tasks-ended' && last?.type === 'batch-ended')
    assert.deepEqual([outcomes.outcomes.places, last.firstUnstarted], [[0, 1, 2, 3], 4])
  })

  test('gives its next batch another number', async () => {
    const { slots, batches, end } = start()
    end()
    await slots.run(batchOf(all.slice(0, 2), true), undefined)
    await slots.run(batchOf(all.slice(0, 2), true), undefined)
    assert.notEqual(batches[0]!.number, batches[1]!.number)
  })

  test('leaves unstarted what it has no code for yet, and all that comes behind that', async () => {
    const { slots, added, events, end, thread } = start()
    const ended = slots.run(batchOf(all.slice(0, 2), true), undefined)
    extend(slots, 2, 3, false)
    assert.equal(added.length, 0)
    extend(slots, 3, 5)
    // A thread that has run two does not take it.
    assert.equal(added[0]!.first, 3)
    for (let place = 0; place < 2; place++) thread.claim(2)
    end()
    await ended
    assert.deepEqual(events.at(-1), { ...events.at(-1), type: 'batch-ended', firstUnstarted: 2 })
  })

  test('adds nothing to a batch that has ended', async () => {
    const { slots, added, end } = start()
    end()
    await slots.run(batchOf(all.slice(0, 2), true), undefined)
    extend(slots, 2, 3)
    assert.equal(added.length, 0)
    // It is free all the same.
    await slots.run(batchOf(all.slice(0, 2), true), undefined)
  })
})
