/** A scheduler dies, and the next one knows of each failed task why it failed. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, clientId, generatedKey, taskId, type TaskId } from '../../protocol/ids.js'
import { NO_RETRIES } from '../../protocol/messages/rules.js'
import { SKIPPED_VALUE } from '../../protocol/skipped.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

for (const way of ['journal', 'snapshot'] as const) {
  test(`a task failed with the input that failed first, and still did: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const worker = before.worker({ threads: 2 })
    const f = client.define('f')
    const [early, late] = client.submit(f, [{}, {}]) as [TaskId, TaskId]
    const [dependant, own] = client.submit(f, [{ inputs: [early, late] }, { inputs: [early] }]) as [TaskId, TaskId]
    worker.fail(late)
    worker.fail(early)

    const cluster = before.successor(way)
    const id = clientId(9)
    cluster.turn({ type: 'client-joined', client: id, name: 'client', session: 'session of client' })
    const culprits = new Map<TaskId, string>()
    while (cluster.unreadTypes(id, 'to-client').includes('failed')) {
      const { tasks, culpritKey } = cluster.takeFor(id, 'failed')
      for (const task of tasks) culprits.set(task, culpritKey)
    }
    const [keyOfEarly, keyOfLate] = [early, late].map((task) => generatedKey('f', task)) as [string, string]
    assert.deepEqual(
      [early, late, dependant, own].map((task) => culprits.get(task)),
      [keyOfEarly, keyOfLate, keyOfLate, keyOfEarly],
    )
  })
  test(`a value that is made again may wait as long as it must, as that of a task that has run: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const worker = before.worker({ threads: 3 })
    const rules = { queueTimeoutMs: 100, retries: { ...NO_RETRIES, count: 1 } }
    const [lost, failed] = client.submit(client.define('f', { rules }), [{}, {}]) as [TaskId, TaskId]
    const { producer } = client.split(client.define('g', { rules, outputs: 1 }), 1)
    worker.finish([lost], { sizeBytes: 1_000_000 })
    worker.finishOutputs([producer], 1, { sizeBytes: 1_000_000 })
    worker.fail(failed)
    worker.leave()
    assert.equal(before.tasks.ready, 3)

    const cluster = before.successor(way)
    cluster.nowMs += 1_000
    cluster.turn()
    assert.deepEqual([cluster.tasks.failed, cluster.tasks.ready], [0, 3])
  })

  test(`a task that was cancelled together with an input had been skipped for that: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const [input] = client.submit(client.define('f'), [{}]) as [TaskId]
    const skips = client.define('g', { rules: { onDependencyError: 'skip' } })
    const [task] = client.submit(skips, [{ inputs: [input], key: 'g' }]) as [TaskId]
    const other = taskId(arrayId(client.firstArray + 50), 0)
    client.send({ type: 'attach', array: arrayId(client.firstArray + 50), key: 'g' })
    client.send({ type: 'cancel', request: 1, tasks: [input, task], graceMs: 5, error: Uint8Array.of(1) })
    client.want(other)
    assert.deepEqual([...client.takeValues()], [[other, [...SKIPPED_VALUE]]])

    const cluster = before.successor(way)
    const id = clientId(9)
    cluster.turn({ type: 'client-joined', client: id, name: 'client', session: 'session of client' })
    cluster.turn({ type: 'client-message', client: id, message: { type: 'want', tasks: [other] } })
    const { tasks, values } = cluster.takeFor(id, 'values')
    assert.deepEqual([tasks, [...values.bytes]], [[other], [...SKIPPED_VALUE]])
    assert.deepEqual(cluster.tasks, before.tasks)
  })
}
