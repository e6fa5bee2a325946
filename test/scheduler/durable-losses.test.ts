/** A scheduler dies while values are made again that were lost, and the next one knows of that. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, clientId, taskId, type TaskId } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { JournalPage } from '../../scheduler/core/durable/journal-page.js'
import type { HeardFromWorker } from '../../scheduler/core/events.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const WAYS = ['journal', 'snapshot'] as const
const LARGE = { sizeBytes: 1_000_000 }

/** A client whose large value is lost, and is being made again by a second worker. */
function withLoss() {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const [task] = client.submit(client.define('f'), [{ key: 'model' }]) as [TaskId]
  const first = before.worker()
  first.finish([task], LARGE)
  first.leave()
  const second = before.worker()
  assert.deepEqual(second.takeTasks(), [task])
  return { before, client, task, second }
}

function back(cluster: SchedulerHarness, { id }: TestClient): TestClient['id'] {
  const client = clientId(id + 50)
  cluster.turn({ type: 'client-joined', client, name: 'client', session: 'session of client' })
  return client
}

for (const way of WAYS) {
  test(`what makes a lost value again goes on, where the task was detached, released and attached meanwhile: ${way}`, () => {
    const { before, client, task, second } = withLoss()
    const array = arrayId(client.firstArray + 50)
    const attached = taskId(array, 0)
    client.send(
      { type: 'detach', tasks: [task] },
      { type: 'release', tasks: [task] },
      { type: 'attach', array, key: 'model' },
    )

    const cluster = before.successor(way)
    const mine = back(cluster, client)
    const worker = cluster.worker(second.join)
    worker.send({ type: 'tasks-held', tasks: [task], attempts: [2] }, { type: 'attached' })
    assert.deepEqual(worker.unread, ['joined'], 'it is told nothing of what it runs')
    worker.finish([task], { attempts: [2] })
    cluster.turn({ type: 'client-message', client: mine, message: { type: 'want', tasks: [attached] } })
    assert.deepEqual(cluster.takeFor(mine, 'values').tasks, [attached])
  })

  test(`what only the scheduler had its successor has: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true, maxInlineCacheBytes: 5 })
    const client = before.client()
    const f = client.define('f')
    const [alone] = client.submit(f, [{}]) as [TaskId]
    const going = before.worker()
    going.finish([alone])
    going.leave()
    const others = client.submit(f, [{}, {}, {}])
    const worker = before.worker({ threads: 3 })
    for (const task of others) worker.finish([task])

    const cluster = before.successor(way)
    const mine = back(cluster, client)
    const again = cluster.worker(worker.join)
    again.send({ type: 'copies-held', tasks: others, sizes: others.map(() => 2) }, { type: 'attached' })
    cluster.turn({ type: 'client-message', client: mine, message: { type: 'want', tasks: [alone] } })
    assert.deepEqual(cluster.takeFor(mine, 'values').tasks, [alone])
  })

  test(`what was lost with all that it is made from is made again from the first of that on: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const f = client.define('f')
    const [input] = client.submit(f, [{}]) as [TaskId]
    const [result] = client.submit(f, [{ inputs: [input] }]) as [TaskId]
    client.release(input)
    const first = before.worker()
    first.finish([input], LARGE)
    first.finish([result], LARGE)
    first.leave()
    assert.deepEqual([before.tasks.ready, before.tasks.waiting], [1, 1])

    const cluster = before.successor(way)
    assert.deepEqual(cluster.tasks, before.tasks)
    back(cluster, client)
    const worker = cluster.worker()
    assert.deepEqual(worker.takeTasks(), [input])
    worker.finish([input], LARGE)
    assert.deepEqual(worker.takeTasks(), [result])
  })

  test(`a task whose value was lost and is there again has it: ${way}`, () => {
    const { before, task, second } = withLoss()
    second.finish([task], { ...LARGE, attempts: [2] })
    assert.deepEqual(before.successor(way).tasks, before.tasks)
  })
}

for (const kind of ['plain', 'with outputs', 'with needs'] as const) {
  test(`a task that had a scattered value before this was lost for good is not failed by a snapshot: ${kind}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const worker = before.worker()
    const array = arrayId(client.firstArray + 50)
    client.send({ type: 'scatter', array, sizeBytes: 1_000_000, copies: 'one', workers: [] })
    const scattered = taskId(array, 0)
    worker.send({ type: 'copies-held', tasks: [scattered], sizes: [1_000_000] })
    const needs = { ...NO_NEEDS, memoryBytes: kind === 'with needs' ? 1 : 0 }
    const count = kind === 'with outputs' ? 2 : 0
    const f = client.define('f', kind === 'plain' ? {} : { needs, outputs: count })
    const { producer: task, outputs } = client.split(f, count, [scattered])
    assert.deepEqual(worker.takeTasks(), [task])
    worker.send({ type: 'values-lost', tasks: [scattered] })
    assert.equal(before.tasks.failed, 1)

    const cluster = before.successor('snapshot')
    assert.equal(cluster.tasks.failed, 1)
    const mine = back(cluster, client)
    const same = cluster.worker(worker.join)
    same.send({ type: 'tasks-held', tasks: [task], attempts: [1] }, { type: 'attached' })
    if (count > 0) same.finishOutputs([task], count)
    else same.finish([task])
    const wanted = count > 0 ? outputs : [task]
    cluster.turn({ type: 'client-message', client: mine, message: { type: 'want', tasks: wanted } })
    assert.deepEqual(cluster.takeFor(mine, 'values').tasks, wanted)
  })
}

test('a turn may find a value, lose it and find it again', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const tasks = client.submit(client.define('f'), [{}, {}])
  const worker = before.worker({ threads: 2 })
  const said = (message: HeardFromWorker) => ({ type: 'worker-message', worker: worker.id, message }) as const
  before.turn(
    said(worker.finished(tasks, LARGE)),
    said({ type: 'values-lost', tasks }),
    said({ type: 'copies-held', tasks: tasks.slice(1), sizes: [1_000_000] }),
  )
  assert.deepEqual(
    before.kept.slice(-3).map(({ type }) => type),
    ['finished', 'lost', 'finished'],
  )
  const { tasks: known } = before.successor()
  assert.deepEqual([known['in-memory'], known.ready], [1, 1])
})

test('a journal that says nothing of losses is read: what failed as it was made again is failed', () => {
  const { before, client, task, second } = withLoss()
  second.fail(task, 2)
  const losses = before.kept.splice(0, Infinity, ...before.kept.filter(({ type }) => type !== 'lost'))
  assert.ok(losses.length > before.kept.length)

  const cluster = before.successor()
  const mine = back(cluster, client)
  cluster.turn({ type: 'client-message', client: mine, message: { type: 'want', tasks: [task] } })
  assert.deepEqual(cluster.takeFor(mine, 'failed').tasks, [task])
})

test('what failed before something was lost in the same turn is kept before it, and what was lost before it ended again too', () => {
  const page = new JournalPage()
  const [failed, lost, again] = [taskId(arrayId(1), 0), taskId(arrayId(1), 1), taskId(arrayId(1), 2)]
  page.addFailed(failed, {
    error: new Uint8Array(0),
    code: '',
    reason: 'it threw',
    worker: '',
    attempt: 1,
    culpritKey: '',
    death: undefined,
  })
  page.addLost(lost)
  page.addLost(again)
  page.addFinished(again, { type: 'in-memory', holders: [], sizeBytes: 1, page: undefined, start: 0 })
  assert.deepEqual(
    page.take().map((record) => [record.type, 'tasks' in record ? record.tasks : []]),
    [
      ['failed', [failed]],
      ['lost', [lost, again]],
      ['finished', [again]],
    ],
  )
})
