/** Tasks that tasks submit: who keeps them, who comes first, and what a waiting parent's slot is used for. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { attempt, type TaskId } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import {
  SchedulerHarness,
  type TaskDescription,
  type TestClient,
  type TestWorker,
} from '../support/scheduler-harness.js'

/** What a task says that submits these. */
function submitUnder(
  client: TestClient,
  parent: TaskId,
  {
    template,
    tasks,
    number = 1,
    call = 0,
  }: {
    readonly template: number
    readonly tasks: readonly TaskDescription[]
    readonly number?: number
    readonly call?: number
  },
): TaskId[] {
  const { message, ids } = client.submission(template, tasks)
  client.send({ type: 'submit-under', parent, attempt: attempt(number), call }, message)
  return ids
}

function suspend(worker: TestWorker, task: TaskId, number = 1): void {
  worker.send({ type: 'tasks-suspended', tasks: [task], attempts: [number] })
}

/** A worker with one thread runs the task of a client. */
function running(): {
  readonly scheduler: SchedulerHarness
  readonly worker: TestWorker
  readonly client: TestClient
  readonly parent: TaskId
  readonly inTask: TestClient
  readonly template: number
} {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const [parent] = client.submit(client.define('parent'), [{}])
  assert.deepEqual(worker.takeTasks(), [parent])
  const inTask = scheduler.clientOfTasks('w1')
  const template = inTask.define('child')
  return { scheduler, worker, client, parent: parent!, inTask, template }
}

suite('tasks of tasks', () => {
  test('run in the slot of a parent that waits for them, before other tasks', () => {
    const { scheduler, worker, client, parent, inTask } = running()
    const [other] = client.submit(client.define('other'), [{}])
    const child = inTask.define('child', { depth: 1 })
    const [inner] = submitUnder(inTask, parent, { template: child, tasks: [{}] })
    assert.deepEqual(worker.takeTasks(), [], 'the thread is the parent’s')
    suspend(worker, parent)
    assert.deepEqual(worker.takeTasks(), [inner])
    worker.finish([inner!])
    assert.deepEqual(worker.takeTasks(), [other])
    worker.send({ type: 'tasks-resumed', tasks: [parent], attempts: [1] })
    client.submit(client.define('last'), [{}])
    worker.finish([other!])
    assert.deepEqual(worker.takeTasks(), [], 'the thread is the parent’s again')
    worker.finish([parent])
    assert.equal(worker.takeTasks().length, 1)
    scheduler.skip()
  })

  test('are let go of when their parent ends, whatever holds them', () => {
    const { scheduler, worker, client, parent, inTask, template } = running()
    const children = submitUnder(inTask, parent, { template, tasks: [{}, {}, {}] })
    suspend(worker, parent)
    const [first] = worker.takeTasks()
    assert.equal(first, children[0])
    worker.finish([first!])
    inTask.want(children[2]!)
    scheduler.skip()
    worker.finish([parent])
    const { tasks } = worker.take('free-tasks')
    assert.ok(tasks.includes(first!))
    const { tasks: failed, code } = inTask.take('failed')
    assert.deepEqual([failed, code], [[children[2]], 'ERR_HEDDLE_TASK_CANCELLED'])
    client.release(parent)
    scheduler.expectEmpty()
  })

  test('stay while their parent starts again, which finds what it had submitted', () => {
    const { scheduler, worker, client, parent, inTask, template } = running()
    const children = submitUnder(inTask, parent, { template, tasks: [{ arg: 1 }, { arg: 2 }, { arg: 3 }] })
    const elsewhere = scheduler.worker({ threads: 4 })
    const placed = elsewhere.takeTasks()
    assert.deepEqual(placed, children)
    elsewhere.finish(children.slice(0, 2))
    scheduler.skip()
    worker.leave()
    inTask.leave()
    assert.deepEqual(elsewhere.takeTasks(), [parent], 'the parent starts again, and nothing else')
    const again = scheduler.clientOfTasks('w2')
    const same = again.define('child')
    const [one, , other] = submitUnder(again, parent, {
      template: same,
      tasks: [{ arg: 1 }, { arg: 2 }, { arg: 4 }],
      number: 2,
    })
    assert.deepEqual(elsewhere.takeTasks(), [other], 'other arguments are other work')
    again.want(one!)
    assert.deepEqual([...again.takeValues().keys()], [one])
    scheduler.skip()
    elsewhere.finish([parent], { attempts: [2] })
    client.release(parent)
    scheduler.expectEmpty()
  })

  test('that failed are tried again when their parent starts again', () => {
    const { scheduler, worker, parent, inTask, template } = running()
    const [child] = submitUnder(inTask, parent, { template, tasks: [{ arg: 1 }] })
    const elsewhere = scheduler.worker({ threads: 4 })
    assert.deepEqual(elsewhere.takeTasks(), [child])
    elsewhere.fail(child!)
    worker.leave()
    inTask.leave()
    scheduler.skip()
    const again = scheduler.clientOfTasks('w2')
    const [retried] = submitUnder(again, parent, { template: again.define('child'), tasks: [{ arg: 1 }], number: 2 })
    assert.deepEqual(elsewhere.takeTasks(), [retried])
  })

  test('of an attempt that is over are not taken, and whoever asks is told', () => {
    const { scheduler, worker, client, parent, inTask, template } = running()
    client.release(parent)
    assert.ok(worker.take('free-tasks').tasks.includes(parent))
    const [late] = submitUnder(inTask, parent, { template, tasks: [{}] })
    inTask.want(late!)
    assert.equal(inTask.take('failed').code, 'ERR_HEDDLE_RELEASED')
    scheduler.expectEmpty()
  })

  test('are all that their client may submit, and only those of its own worker', () => {
    const { scheduler, parent, inTask, template } = running()
    scheduler.worker()
    const other = scheduler.clientOfTasks('w2')
    const [stray] = submitUnder(other, parent, { template: other.define('child'), tasks: [{}] })
    other.want(stray!)
    assert.equal(other.take('failed').code, 'ERR_HEDDLE_RELEASED')
    inTask.submit(template, [{}])
    assert.equal(scheduler.takeClosing().type, 'close-client')
  })

  test('are stopped with their parent when that is cancelled, however deep', () => {
    const { scheduler, worker, client, parent, inTask, template } = running()
    const [child] = submitUnder(inTask, parent, { template, tasks: [{}] })
    suspend(worker, parent)
    assert.deepEqual(worker.takeTasks(), [child])
    const [grandchild] = submitUnder(inTask, child!, { template, tasks: [{}] })
    suspend(worker, child!)
    assert.deepEqual(worker.takeTasks(), [grandchild])
    inTask.want(child!)
    scheduler.skip()
    client.send({ type: 'cancel', request: 1, tasks: [parent], graceMs: 5, error: Uint8Array.of(1) })
    const { tasks } = worker.take('stop-tasks')
    assert.deepEqual(new Set(tasks), new Set([parent, child, grandchild]))
    assert.equal(inTask.take('failed').tasks[0], child)
    worker.send({ type: 'tasks-stopped', tasks: [child!, grandchild!], attempts: [], stoppedBy: ['signal', 'thread'] })
    assert.ok(!client.unread.includes('cancelled'), 'the parent still runs')
    worker.send({ type: 'tasks-stopped', tasks: [parent], attempts: [], stoppedBy: ['signal'] })
    assert.deepEqual(client.take('cancelled').stoppedBy, ['signal'])
    client.release(parent)
    scheduler.expectEmpty()
  })

  test('that wait are not blamed for the death of their worker', () => {
    const { scheduler, worker, client, parent, inTask, template } = running()
    let current = worker
    for (let death = 1; death <= 5; death++) {
      submitUnder(inTask, parent, { template, tasks: [{}], number: death })
      suspend(current, parent, death)
      current.leave()
      scheduler.skip()
      current = scheduler.worker()
      assert.ok(current.takeTasks().includes(parent), `it starts again after death ${death}`)
    }
    client.release(parent)
    assert.equal(scheduler.tasks.failed, 0)
  })

  test('are not held back for the memory that what they wait for takes', () => {
    const scheduler = new SchedulerHarness()
    const worker = scheduler.worker({ memoryLimitBytes: 1_000 })
    const client = scheduler.client()
    const [large] = client.submit(client.define('large'), [{}])
    worker.takeTasks()
    worker.finish([large!], { sizeBytes: 900 })
    const inTask = scheduler.clientOfTasks('w1')
    const template = inTask.define('child')
    // One that takes no thread waits without a word.
    for (const threads of [1, 0]) {
      const needs = { ...NO_NEEDS, threads }
      const [parent] = client.submit(client.define('parent', { needs }), [{ inputs: [large!] }])
      assert.deepEqual(worker.takeTasks(), [parent])
      const [child] = submitUnder(inTask, parent!, { template, tasks: [{}] })
      if (threads > 0) suspend(worker, parent!)
      assert.deepEqual(worker.takeTasks(), [child])
      worker.finish([child!, parent!])
      scheduler.skip()
    }
  })

  test('have all threads of a parent that waits for them, on a worker that is paused too', () => {
    const needs = { ...NO_NEEDS, threads: 2 }
    for (const isPaused of [false, true]) {
      const scheduler = new SchedulerHarness()
      const worker = scheduler.worker({ threads: 2 })
      const client = scheduler.client()
      const [parent] = client.submit(client.define('parent', { needs }), [{}])
      assert.deepEqual(worker.takeTasks(), [parent])
      if (isPaused) worker.pulse({ pausedBy: 'values' })
      const inTask = scheduler.clientOfTasks('w1')
      for (const template of [inTask.define('child'), inTask.define('wide', { needs })]) {
        const [child] = submitUnder(inTask, parent!, { template, tasks: [{}] })
        suspend(worker, parent!)
        assert.deepEqual(worker.takeTasks(), [child])
        worker.send({ type: 'tasks-resumed', tasks: [parent!], attempts: [1] })
        worker.finish([child!])
      }
      worker.finish([parent!])
      inTask.leave()
      client.release(parent!)
      scheduler.skip()
      scheduler.expectEmpty()
    }
  })
})
