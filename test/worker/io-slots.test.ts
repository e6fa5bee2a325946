/** Tasks that take no thread and are to stop before they have begun. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { createBatchRequest } from '../../worker/batch-request.js'
import { IoSlots } from '../../worker/io-slots.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import { IoTasks } from '../../worker/thread/io-task.js'
import { ValueStore } from '../../worker/value-store.js'
import { tasksOf, templateOf } from './pool-harness.js'

const [STREAMED] = tasksOf(templateOf({ isCounted: true, isIo: true, isStream: true }), [[1]])

suite('a task without a thread that is to stop before it begins', () => {
  test('does not begin once its code is stored, and its slot becomes free', async () => {
    const events: WorkerEvent[] = []
    const slots = new IoSlots({
      worker: 'w',
      pool: { run: () => assert.fail('it began'), tellToStop: () => assert.fail('there is nobody to tell') },
      store: new ValueStore(),
      urlOf: (code) => `file:///${code}.mjs`,
      submit: (event) => events.push(event),
    })
    const { promise: codeStored, resolve } = deferred()
    const ended = slots.run(1, STREAMED!, codeStored)
    slots.askToStop(1, 'cancelled')
    resolve()
    await ended
    assert.deepEqual(
      events.map((event) => (event.type === 'stop-asked' ? event.wasTold : event.type)),
      [false, 'thread-exited'],
    )
  })

  test('is not called once its code is loaded', async () => {
    const { promise: loaded, resolve } = deferred()
    let isCalled = false
    const tasks = new IoTasks({
      loadFunction: async () => {
        await loaded
        return () => void (isCalled = true)
      },
      onListening: () => undefined,
      tell: () => undefined,
      route: undefined,
    })
    const request = createBatchRequest({
      thread: 1,
      worker: 'w',
      tasks: [STREAMED!],
      isLarge: false,
      valueOf: () => undefined,
      urlOf: () => '',
    })
    const outcome = tasks.run(request)
    tasks.stop(1, 'dropped')
    resolve()
    await outcome
    assert.ok(!isCalled)
  })
})

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((settle) => (resolve = settle))
  return { promise, resolve }
}
