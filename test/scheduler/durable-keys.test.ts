/** A scheduler dies, and what clients held by a key or a name is for the next one what it was. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, clientId, taskId, type TaskId } from '../../protocol/ids.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const WAYS = ['journal', 'snapshot'] as const

function back(cluster: SchedulerHarness, { id }: TestClient, name: string): TestClient['id'] {
  const client = clientId(id + 50)
  cluster.turn({ type: 'client-joined', client, name, session: `session of ${name}` })
  cluster.takeFor(client, 'lease')
  return client
}

function want(cluster: SchedulerHarness, client: TestClient['id'], ...tasks: TaskId[]): void {
  cluster.turn({ type: 'client-message', client, message: { type: 'want', tasks } })
}

for (const way of WAYS) {
  test(`a key that stood for another task before the cluster was restarted: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client('client')
    const other = before.client('other')
    const worker = before.worker({ isWatched: true })
    const [first] = client.submit(client.define('f'), [{ key: 'model' }])
    const [same, besides] = other.submit(other.define('f'), [{ key: 'model' }, {}]) as [TaskId, TaskId]
    const attached = taskId(arrayId(other.firstArray + 50), 0)
    other.send({ type: 'attach', array: arrayId(other.firstArray + 50), key: 'model' })
    client.send({ type: 'restart', request: 1, timeoutMs: 60_000 })
    client.release(first!)
    worker.leave()
    const [later] = client.submit(client.define('g'), [{ key: 'model' }])
    const gone = client.submit(client.define('h'), [{ key: 'gone' }])
    client.send({ type: 'restart', request: 2, timeoutMs: 60_000 })
    const [latest] = client.submit(client.define('i'), [{ key: 'model' }])

    const cluster = before.successor(way)
    assert.deepEqual(cluster.tasks, before.tasks, 'nothing runs that was cancelled')
    assert.deepEqual([...cluster.state.keys.keys()], ['model'])
    const others = back(cluster, other, 'other')
    want(cluster, others, same, besides, attached)
    const { tasks, code } = cluster.takeFor(others, 'failed')
    assert.deepEqual(tasks.toSorted(), [same, besides, attached].toSorted())
    assert.equal(code, 'ERR_HEDDLE_TASK_CANCELLED')
    const mine = back(cluster, client, 'client')
    want(cluster, mine, later!, ...gone)
    assert.equal(cluster.takeFor(mine, 'failed').code, 'ERR_HEDDLE_TASK_CANCELLED')
    const again = cluster.worker()
    assert.deepEqual(again.takeTasks(), [latest])
  })

  test(`a restart that was refused cancels nothing later: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client('client')
    const [task] = client.submit(client.define('f'), [{}])
    before.worker({ isWatched: false })
    client.send({ type: 'restart', request: 1, timeoutMs: 60_000 })
    assert.deepEqual(client.take('restarted').unwatched, ['w1'])

    const cluster = before.successor(way)
    assert.equal(cluster.tasks.failed, 0)
    const mine = clientId(client.id + 50)
    cluster.turn({ type: 'client-joined', client: mine, name: 'client', session: 'session of client' })
    assert.equal(cluster.takeFor(mine, 'lease').saidCount, 4, 'and it is not said again')
    cluster.wakeUp()
    assert.deepEqual(cluster.worker().takeTasks(), [task])
  })

  test(`a future of a dataset that was not there stays a failed future: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client('client')
    const array = arrayId(client.firstArray + 50)
    client.send({ type: 'open-dataset', array, name: 'prices' })
    assert.equal(client.take('failed').code, 'ERR_HEDDLE_NO_DATASET')

    // The next one may be told of it by a snapshot that the one before had begun with.
    const cluster = before.successor(way).successor(way)
    const mine = back(cluster, client, 'client')
    want(cluster, mine, taskId(array, 0))
    const { code, reason, culpritKey } = cluster.takeFor(mine, 'failed')
    assert.deepEqual([code, culpritKey], ['ERR_HEDDLE_NO_DATASET', 'prices'])
    assert.match(reason, /Nothing is published under the name "prices"/)
  })

  test(`a client has no code of those whose tasks it has futures of: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client('client')
    const other = before.client('other')
    const [task] = client.submit(client.define('f'), [{ key: 'model' }])
    other.send({ type: 'attach', array: arrayId(other.firstArray + 50), key: 'model' })
    client.release(task!)

    const cluster = before.successor(way)
    const codes = [...cluster.state.clients.values()].map(({ name, codes: known }) => [name, known.size])
    assert.deepEqual(
      codes,
      [...before.state.clients.values()].map(({ name, codes: known }) => [name, known.size]),
    )
  })
}
