/** What clients ask of tasks by their futures: to go on without them, to run again, to be theirs too. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, generatedKey, taskId, type TaskId } from '../../protocol/ids.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

function cluster() {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  return { scheduler, client, worker, template: client.define() }
}

/** Finishes whatever the worker is sent, and what it is sent then. */
function finishAll(worker: TestWorker): TaskId[] {
  const done: TaskId[] = []
  for (let sent = worker.takeTasks(); sent.length > 0; sent = worker.takeTasks()) {
    worker.finish(sent)
    done.push(...sent)
  }
  return done
}

let attached = 0
function attach(client: TestClient, key: string): TaskId {
  // Far behind the ids that its submits use.
  const array = arrayId(client.submission(1, []).message.array + 5_000 + ++attached)
  client.send({ type: 'attach', array, key })
  return taskId(array, 0)
}

test('detached work goes on though its future was released and its client is gone, and goes with its outcome', () => {
  const { scheduler, client, worker, template } = cluster()
  const ids = client.map(template, 40)
  client.send({ type: 'detach', tasks: ids }, { type: 'release', tasks: ids })
  client.leave()
  assert.equal(finishAll(worker).length, 40)
  scheduler.expectEmpty()
})

test('what detached work needs stays until then, and what fails is gone too', () => {
  const { scheduler, client, worker, template } = cluster()
  const [input] = client.submit(template, [{}])
  const [task] = client.submit(template, [{ inputs: [input!] }])
  client.send({ type: 'detach', tasks: [task!] }, { type: 'release', tasks: [task!, input!] })
  worker.finish(worker.takeTasks())
  assert.deepEqual(worker.takeTasks(), [task])
  worker.fail(task!)
  scheduler.expectEmpty()
})

test('detached work can be cancelled by the client that detached it, and by no other', () => {
  const { scheduler, client, worker, template } = cluster()
  const [id] = client.submit(template, [{ key: 'k' }])
  client.send({ type: 'detach', tasks: [id!] })
  const other = scheduler.client('other')
  const again = attach(other, 'k')
  const error = Uint8Array.of(9)
  other.send({ type: 'cancel', request: 1, tasks: [again], graceMs: 0, error }, { type: 'release', tasks: [again] })
  assert.deepEqual(other.take('cancelled').stoppedBy, ['none'])
  client.send({ type: 'cancel', request: 1, tasks: [id!], graceMs: 0, error }, { type: 'release', tasks: [id!] })
  worker.take('stop-tasks')
  scheduler.expectEmpty()
})

test('a task whose outcome is known is detached from nothing', () => {
  const { scheduler, client, worker, template } = cluster()
  const [id] = client.submit(template, [{}])
  worker.finish(worker.takeTasks())
  client.send({ type: 'detach', tasks: [id!] }, { type: 'release', tasks: [id!] })
  scheduler.expectEmpty()
})

test('a failed task runs again as a further attempt, and so does what failed because of it, for each client', () => {
  const { scheduler, client, worker, template } = cluster()
  const other = scheduler.client('other')
  const [a] = client.submit(template, [{ key: 'a' }])
  const [b] = client.submit(template, [{ inputs: [a!] }])
  const theirs = attach(other, 'a')
  worker.takeTasks()
  worker.fail(a!)
  assert.deepEqual(client.take('failed').tasks, [a, b])
  assert.deepEqual(other.take('failed').tasks, [theirs])
  const [late] = client.submit(template, [{ inputs: [a!] }])
  assert.deepEqual(client.take('failed').tasks, [late])

  client.send({ type: 'retry', tasks: [a!] })
  assert.deepEqual(client.take('retried').tasks.toSorted(), [a, b, late].toSorted())
  assert.deepEqual(other.take('retried').tasks, [theirs])
  const run = worker.take('run-tasks')
  assert.deepEqual([run.tasks, run.attempts], [[a], [2]])
  worker.finish([a!], { attempts: [2] })
  assert.deepEqual(finishAll(worker).toSorted(), [b, late].toSorted())
  client.want(b!)
  assert.deepEqual(client.takeValues().size, 1)
})

test('to retry a dependant is to retry what it failed for, held or not', () => {
  const { scheduler, client, worker, template } = cluster()
  const [a] = client.submit(template, [{}])
  const [b] = client.submit(template, [{ inputs: [a!] }])
  client.release(a!)
  worker.takeTasks()
  worker.fail(a!)
  client.take('failed')
  client.send({ type: 'retry', tasks: [b!] })
  assert.deepEqual(client.take('retried').tasks, [b])
  assert.deepEqual(worker.takeTasks(), [a])
  worker.finish([a!], { attempts: [2] })
  assert.deepEqual(worker.takeTasks(), [b])
  worker.finish([b!])
  client.release(b!)
  scheduler.expectEmpty()
})

test('what failed is found behind what was let go', () => {
  const { client, worker, template } = cluster()
  const [a] = client.submit(template, [{}])
  const [b] = client.submit(template, [{ inputs: [a!] }])
  const [c] = client.submit(template, [{ inputs: [b!] }])
  client.release(b!)
  worker.takeTasks()
  worker.fail(a!)
  client.take('failed')
  client.send({ type: 'retry', tasks: [c!] })
  assert.deepEqual(client.take('retried').tasks.toSorted(), [a, c].toSorted())
  assert.deepEqual(worker.takeTasks(), [a])
  assert.deepEqual(client.unread, [])
})

test('what fails for another reason too fails again, after the client heard that it runs', () => {
  const { client, worker, template } = cluster()
  const [a, b] = client.submit(template, [{}, {}])
  const [c] = client.submit(template, [{ inputs: [a!, b!] }])
  worker.takeTasks()
  worker.fail(a!)
  const more = worker.takeTasks()
  if (more.length > 0) assert.deepEqual(more, [b])
  worker.fail(b!)
  client.take('failed')
  client.take('failed')
  client.send({ type: 'retry', tasks: [a!] })
  assert.deepEqual(client.unread, ['retried', 'failed'])
  assert.deepEqual(client.take('retried').tasks.toSorted(), [a, c].toSorted())
  assert.deepEqual(client.take('failed').tasks, [c])
})

test('what failed for one reason runs again together, however often that was found', () => {
  const { scheduler, client, worker, template } = cluster()
  const array = arrayId(client.submission(1, []).message.array + 4_000)
  client.send({ type: 'scatter', array, sizeBytes: 100_000, copies: 'one', workers: [] })
  const lost = taskId(array, 0)
  client.take('scatter-to')
  worker.send({ type: 'copies-held', tasks: [lost], sizes: [100_000] })
  const [a, b] = client.submit(template, [{ inputs: [lost] }, { inputs: [lost] }])
  client.release(lost)
  worker.leave()
  scheduler.worker()
  scheduler.skip()
  // Each of them finds it lost, one after the other.
  for (let i = 0; i < 2; i++) {
    client.send({ type: 'retry', tasks: [a!] })
    assert.deepEqual(client.take('retried').tasks.toSorted(), [a, b].toSorted())
    scheduler.skip()
  }
})

test('a retry that crossed with news of the task is answered by them', () => {
  const { scheduler, client, worker, template } = cluster()
  const [a] = client.submit(template, [{}])
  worker.finish(worker.takeTasks())
  client.take('finished')
  client.send({ type: 'retry', tasks: [a!] })
  scheduler.wakeUp()
  assert.deepEqual(client.take('finished').tasks, [a])
})

test('all outputs of a task that failed come from one more run', () => {
  const { scheduler, client, worker } = cluster()
  const template = client.define('split', { outputs: 2 })
  const { producer, outputs } = client.split(template, 2)
  assert.deepEqual(worker.takeTasks(), [producer])
  worker.fail(producer)
  client.take('failed')
  client.send({ type: 'retry', tasks: [outputs[1]!] })
  assert.deepEqual(client.take('retried').tasks.toSorted(), outputs)
  assert.deepEqual(worker.takeTasks(), [producer])
  worker.finishOutputs([producer], 2, { attempts: [2] })
  assert.deepEqual(client.take('finished').tasks.toSorted(), outputs)
  client.release(...outputs)
  scheduler.expectEmpty()
})

test('a client attaches by an explicit or a generated key, and its future holds the task', () => {
  const { scheduler, client, worker, template } = cluster()
  const other = scheduler.client('other')
  const [a] = client.submit(template, [{ key: 'a' }])
  const [b] = client.map(template, 1)
  const theirs = [attach(other, 'a'), attach(other, generatedKey('f', b!))]
  // A future of a future is one of the task.
  theirs.push(attach(other, generatedKey('f', theirs[0]!)))
  client.leave()
  assert.equal(finishAll(worker).length, 2)
  scheduler.wakeUp()
  const told: TaskId[] = []
  while (other.unread.includes('finished')) told.push(...other.take('finished').tasks)
  assert.deepEqual(told.toSorted(), theirs)
  other.want(...theirs)
  assert.equal(other.takeValues().size, 3)
  assert.notEqual(a, undefined)
  other.release(...theirs)
  scheduler.expectEmpty()
})

test('a key that nobody has fails its future', () => {
  const { scheduler, client, worker, template } = cluster()
  const [gone] = client.map(template, 1)
  client.release(gone!)
  worker.takeTasks()
  const [held] = client.map(template, 1)
  const { producer } = client.split(client.define('split', { outputs: 1 }), 1)
  const keys = ['nothing', 'f-zzzzzzzzzzzzzzzzzzzzz', generatedKey('f', gone!), generatedKey('g', held!)]
  for (const key of [...keys, generatedKey('split', producer)]) {
    const id = attach(client, key)
    const { tasks, code, culpritKey } = client.take('failed')
    assert.deepEqual([tasks, code, culpritKey], [[id], 'ERR_HEDDLE_UNKNOWN_KEY', key])
    // What follows of it is for nobody.
    client.release(id)
  }
  assert.ok(scheduler.tasks.ready + scheduler.tasks.processing > 0)
})

test('a client that attaches in an array that is not its own, or is in use, is refused', () => {
  const { scheduler, client, template } = cluster()
  const [a] = client.submit(template, [{ key: 'a' }])
  client.send({ type: 'attach', array: arrayId(Math.floor(a! / 1024)), key: 'a' })
  assert.equal(scheduler.takeClosing().type, 'close-client')
  const other = scheduler.client('other')
  other.send({ type: 'attach', array: arrayId(1), key: 'a' })
  assert.equal(scheduler.takeClosing().type, 'close-client')
})
