/** What a task is told of the death of the worker that it fails with. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { POST_MORTEM_MS } from '../../protocol/limits.js'
import type { WorkerDeath } from '../../protocol/messages/worker-death.js'
import { explain } from '../../scheduler/core/views/explain.js'
import { SchedulerHarness, type TestWorker } from '../support/scheduler-harness.js'

const MIB = 2 ** 20

/** A worker that somebody starts again, and that died with one task, which may not run again. */
function dead(scheduler = new SchedulerHarness()) {
  const client = scheduler.client()
  const worker = scheduler.worker({ isWatched: true, name: 'w' })
  const f = client.define('deadly', { rules: { allowedFailures: 1 } })
  const [task] = client.map(f, 1)
  const [dependant] = client.submit(f, [{ inputs: [task!] }])
  worker.takeTasks()
  worker.pulse({ memoryBytes: 50 * MIB })
  worker.leave('its connection ended')
  assert.ok(!client.unread.includes('failed'), 'it may be known soon how the worker ended')
  return { scheduler, client, worker, task: task!, dependant: dependant! }
}

function deathOf({ join: { pid } }: TestWorker, given: Partial<WorkerDeath> = {}): WorkerDeath {
  return { pid, exitCode: undefined, signal: 'SIGKILL', peakMemoryBytes: 100 * MIB, lines: ['one', 'two'], ...given }
}

test('the process that takes the place of one that died says how that ended, and the task fails with it', () => {
  const { scheduler, client, worker, task, dependant } = dead()
  assert.match(explain(scheduler.state, task, '').reason, /^It fails, since w died with it/)
  const lastDeath = deathOf(worker)
  scheduler.worker({ ...worker.join, pid: 77, lastDeath })
  const { tasks, code, death, reason } = client.take('failed')
  assert.deepEqual([tasks, code, death], [[task, dependant], 'ERR_HEDDLE_WORKER_LOST', lastDeath])
  assert.match(
    reason,
    /while a worker died, the last one w \(its connection ended; it was ended by SIGKILL; it took 100 MiB of memory at most\); the last that it logged was “two”\.$/,
  )
  assert.equal(scheduler.deadlineMs, undefined)
  client.release(task, dependant)
  scheduler.expectEmpty()
})

test('when nobody comes in its place, the task fails with what is known', () => {
  const { scheduler, client, worker, task, dependant } = dead()
  assert.equal(scheduler.wakeUp(), POST_MORTEM_MS)
  const { tasks, death, reason } = client.take('failed')
  assert.deepEqual(tasks, [task, dependant])
  const { pid } = worker.join
  assert.deepEqual(death, { pid, exitCode: undefined, signal: '', peakMemoryBytes: 50 * MIB, lines: [] })
  assert.match(reason, /\(its connection ended; it took 50 MiB of memory at most\); see the log of that worker/)
})

test('what is said of another process is not taken for the death of this one', () => {
  const { scheduler, client, worker } = dead()
  scheduler.worker({ ...worker.join, lastDeath: deathOf(worker, { pid: 1 }) })
  assert.equal(client.take('failed').death?.signal, '')
})

test('one that is cancelled or let go meanwhile fails with nothing', () => {
  const { scheduler, client, worker, task, dependant } = dead()
  client.release(task, dependant)
  scheduler.expectEmpty()
  scheduler.worker({ ...worker.join, lastDeath: deathOf(worker) })
  assert.ok(!client.unread.includes('failed'))
  assert.equal(scheduler.state.condemned.size, 0)
})

test('a scheduler that takes the place of another still knows how the worker ended', () => {
  const { scheduler, client, worker, task } = dead(new SchedulerHarness({ keepsState: true }))
  scheduler.worker({ ...worker.join, pid: 77, lastDeath: deathOf(worker, { signal: '', exitCode: 134 }) })
  const { death } = client.take('failed')
  for (const way of ['journal', 'snapshot'] as const) {
    const next = scheduler.successor(way)
    const other = next.client('other')
    other.send({ type: 'attach', array: other.firstArray, key: `deadly-${task.toString(36)}` })
    assert.deepEqual(other.take('failed').death, death)
  }
})
