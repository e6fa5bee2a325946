/** Streams as the scheduler sees them: values go through, and what has given one is not run again. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { arrayId, attempt, generatedKey, type TaskId } from '../../protocol/ids.js'
import { NO_RETRIES } from '../../protocol/messages/rules.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

function streaming(): {
  readonly scheduler: SchedulerHarness
  readonly worker: TestWorker
  readonly client: TestClient
  readonly stream: TaskId
} {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [stream] = client.submit(client.define('stream', { rules: { isStream: true } }), [{}])
  assert.ok(worker.take('define-template').isStream)
  assert.deepEqual(worker.takeTasks(), [stream])
  return { scheduler, worker, client, stream: stream! }
}

function give(worker: TestWorker, task: TaskId, index: number, number = 1): void {
  worker.send({ type: 'stream-chunk', task, attempt: attempt(number), index, value: Uint8Array.of(index) })
}

suite('streams', () => {
  test('are passed on to the client, and what it took to the worker', () => {
    const { worker, client, stream } = streaming()
    give(worker, stream, 0)
    const { task, index, value } = client.take('stream-chunk')
    assert.deepEqual([task, index, [...value]], [stream, 0, [0]])
    client.send({ type: 'stream-taken', task: stream, taken: 1 })
    assert.deepEqual(worker.take('stream-taken'), { type: 'stream-taken', task: stream, attempt: 1, taken: 1 })
    worker.finish([stream])
    client.want(stream)
    assert.deepEqual([...client.takeValues().keys()], [stream])
  })

  test('that gave a value fail with their worker; others start again', () => {
    const { scheduler, worker, client, stream } = streaming()
    const elsewhere = scheduler.worker()
    worker.leave()
    assert.deepEqual(elsewhere.takeTasks(), [stream])
    give(elsewhere, stream, 0, 1) // Of an attempt that is over.
    assert.ok(!client.unread.includes('stream-chunk'))
    give(elsewhere, stream, 0, 2)
    client.take('stream-chunk')
    scheduler.worker()
    elsewhere.leave()
    const { code, tasks } = client.take('failed')
    assert.deepEqual([code, tasks], ['ERR_HEDDLE_WORKER_LOST', [stream]])
    client.release(stream)
    scheduler.expectEmpty()
  })

  test('do not run again when somebody has failed tasks retried: their reader has had all that they gave', () => {
    const { scheduler, worker, client, stream } = streaming()
    worker.fail(stream)
    client.take('failed')
    const key = generatedKey('stream', stream)
    scheduler.turn({ type: 'operator-asked', request: 1, action: 'retry', target: key })
    assert.deepEqual(scheduler.takeOrder('answer-operator').answer, { outcome: 'ended', count: 0 })
    client.send({ type: 'retry', tasks: [stream] })
    assert.deepEqual([client.unread.includes('retried'), worker.takeTasks()], [false, []])
  })

  test('are not tried again once they gave a value, and fail as they did', () => {
    const scheduler = new SchedulerHarness()
    const worker = scheduler.worker()
    const client = scheduler.client()
    const retries = { ...NO_RETRIES, count: 3 }
    const [stream] = client.submit(client.define('stream', { rules: { isStream: true, retries } }), [{}])
    worker.takeTasks()
    worker.fail(stream!)
    assert.deepEqual(worker.takeTasks(), [stream])
    give(worker, stream!, 0, 2)
    client.take('stream-chunk')
    worker.fail(stream!, 2)
    assert.equal(client.take('failed').attempt, 2)
  })

  test('are their reader’s alone: nobody else gets a future of one', () => {
    const { scheduler, client, stream } = streaming()
    const other = scheduler.client()
    const array = arrayId(other.submission(1, []).message.array + 5_000)
    other.send({ type: 'attach', array, key: generatedKey('stream', stream) })
    assert.equal(other.take('failed').code, 'ERR_HEDDLE_UNKNOWN_KEY')
    client.release(stream)
  })

  test('that come back from a thread that is gone fail, too', () => {
    const { worker, client, stream } = streaming()
    give(worker, stream, 0)
    worker.send({ type: 'tasks-returned', tasks: [stream], attempts: [1], begun: [] })
    assert.equal(client.take('failed').code, 'ERR_HEDDLE_WORKER_LOST')
  })

  test('that were let go of give nothing more', () => {
    const { scheduler, worker, client, stream } = streaming()
    give(worker, stream, 0)
    client.take('stream-chunk')
    client.release(stream)
    assert.ok(worker.take('free-tasks').tasks.includes(stream))
    give(worker, stream, 1)
    assert.ok(!client.unread.includes('stream-chunk'))
    scheduler.expectEmpty()
  })
})
