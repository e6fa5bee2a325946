/** What happens to a batch between the core and the pool. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { arrayId, taskId } from '../../protocol/ids.js'
import { encodeValue } from '../../protocol/values/encode.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import { ThreadSlots } from '../../worker/thread-slots.js'
import type { ThreadPool } from '../../worker/thread-pool.js'
import type { BatchRequest } from '../../worker/thread/batch.js'
import { LaneReader } from '../../worker/thread/lane.js'
import { ValueStore } from '../../worker/value-store.js'
import { Future, tasksOf, templateOf } from './pool-harness.js'

suite('a slot', () => {
  test('keeps the inputs of its batch while the code is written, even if they are dropped', async () => {
    const store = new ValueStore()
    const input = taskId(arrayId(9), 0)
    const value = encodeValue([1, 2], { path: 'result' })
    store.put(input, value)
    const batches: BatchRequest[] = []
    const pool: ThreadPool = {
      run: (batch) => {
        batches.push(batch)
        return Promise.resolve({ type: 'replied', reply: { large: undefined } })
      },
      io: { run: () => Promise.reject(new Error('no I/O task')), tellToStop: () => false },
      canTerminate: false,
      tellToStop: () => undefined,
      tellTaken: () => undefined,
      threads: 'this' as const,
      terminate: () => undefined,
      terminateThread: () => undefined,
      collect: () => undefined,
      close: () => Promise.resolve(),
    }
    const events: WorkerEvent[] = []
    const slots = new ThreadSlots({
      lanes: [new LaneReader()],
      worker: 'w',
      pool,
      store,
      urlOf: (code) => `file:///${code}.mjs`,
      submit: (event) => events.push(event),
    })
    let resolve = (): void => undefined
    const codeStored = new Promise<void>((stored) => (resolve = stored))
    const ended = slots.run(
      {
        type: 'run-batch',
        thread: 0,
        tasks: tasksOf(templateOf(), [[new Future(input)]]),
        isLarge: false,
        makers: undefined,
        wanted: undefined,
        isPatient: false,
      },
      codeStored,
    )
    store.drop(input)
    assert.equal(batches.length, 0)
    resolve()
    await ended
    assert.deepEqual(Buffer.from(batches[0]!.inputValues.bytes), Buffer.from(value))
    assert.equal(events.at(-1)?.type, 'batch-ended')
  })
})
