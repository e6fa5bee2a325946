/** Collecting on demand, in many threads at once. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import test from 'node:test'
import { Worker } from 'node:worker_threads'

const GARBAGE = new URL('../../common/node/garbage.js', import.meta.url).href

test('threads that first collect at the same time all get their collector', async () => {
  const start = new SharedArrayBuffer(4)
  // Each load is a first time; it is rare that two of them meet.
  const source = `
    const { workerData, parentPort } = require('node:worker_threads')
    const loads = Array.from({ length: 40 }, (_, i) => import(workerData.garbage + '?' + i))
    Promise.all(loads).then((modules) => {
      parentPort.postMessage('ready')
      Atomics.wait(new Int32Array(workerData.start), 0, 0)
      for (const { collectGarbage } of modules) collectGarbage()
    })`
  const threads = Array.from({ length: 4 }, () => {
    return new Worker(source, { eval: true, workerData: { garbage: GARBAGE, start } })
  })
  const exits = threads.map((thread) => once(thread, 'exit'))
  await Promise.all(threads.map((thread) => once(thread, 'message')))
  const go = new Int32Array(start)
  Atomics.store(go, 0, 1)
  Atomics.notify(go, 0)
  assert.deepEqual(
    (await Promise.all(exits)).map(([code]: unknown[]) => code),
    threads.map(() => 0),
  )
})
