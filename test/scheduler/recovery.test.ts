import assert from 'node:assert/strict'
import test from 'node:test'
import { attempt, workerId, type TaskId } from '../../protocol/ids.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

test('what ran on a lost worker runs elsewhere, as a new attempt', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.takeTasks()
  const b = scheduler.worker()

  a.leave()

  const run = b.take('run-tasks')
  assert.deepEqual([run.tasks, run.attempts], [[x], [2]])
})

test('a lost value that a task needs is made again, from inputs that were long gone', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  const [y] = client.submit(f, [{ inputs: [x!] }])
  client.release(x!)
  a.finish([x!], { sizeBytes: 100_000 })
  a.finish([y!], { sizeBytes: 100_000 })
  const b = scheduler.worker()

  a.leave()

  assert.deepEqual(b.takeTasks(), [x])
  b.finish([x!], { attempts: [2], sizeBytes: 100_000 })
  assert.deepEqual(b.takeTasks(), [y])
})

test('a small result survives its worker: the scheduler has a copy', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.finish([x!])
  const b = scheduler.worker()
  a.leave()
  scheduler.skip()

  client.want(x!)

  assert.deepEqual([...client.takeValues().keys()], [x])
  assert.deepEqual(b.takeTasks(), [])
})

test('a result that only the scheduler has a copy of is made again when a task needs it', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  a.finish([x!])
  const b = scheduler.worker()
  a.leave()

  const [y] = client.submit(f, [{ inputs: [x!] }])

  assert.deepEqual(b.takeTasks(), [x])
  b.finish([x!], { attempts: [2] })
  assert.deepEqual(b.takeTasks(), [y])
})

test('a value with another copy is not made again', () => {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.finish([x!], { sizeBytes: 100_000 })
  b.send({ type: 'copies-held', tasks: [x!], sizes: [100_000] })

  a.leave()
  client.want(x!)

  assert.deepEqual(client.take('located').holders, ['ws://w2'])
})

test('a task whose value turned up while it waited, and was lost again, waits once', () => {
  // Given y waits for x, both lost with a; c has a copy of y that nobody knew of, and dies too.
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define()
  const a = scheduler.worker()
  const [x] = client.map(f, 1)
  a.finish([x!], { sizeBytes: 100_000 })
  const [y] = client.submit(f, [{ inputs: [x!] }])
  a.finish([y!], { sizeBytes: 100_000 })
  const b = scheduler.worker()
  a.leave()
  assert.deepEqual(b.takeTasks(), [x])
  const c = scheduler.worker()
  c.send({ type: 'copies-held', tasks: [y!], sizes: [100_000] })

  c.leave()
  b.finish([x!], { attempts: [2] })

  assert.deepEqual(b.takeTasks(), [y])
})

test('a copy that its own worker was told to make again is known, and freed in the end', () => {
  // Given b has a copy of x that nobody knew of when a died, so that b is to run x.
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const a = scheduler.worker()
  const [x] = client.map(client.define(), 1)
  a.finish([x!], { sizeBytes: 100_000 })
  const b = scheduler.worker()
  a.leave()
  assert.deepEqual(b.takeTasks(), [x])

  b.send({ type: 'copies-held', tasks: [x!], sizes: [100_000] })
  assert.equal(scheduler.tasks['in-memory'], 1)
  b.send({ type: 'tasks-returned', tasks: [x!], attempts: [2], begun: [] })
  assert.deepEqual(b.unread.includes('free-tasks'), false)

  client.release(x!)
  assert.deepEqual(b.take('free-tasks').tasks, [x])
  scheduler.expectEmpty()
})

test('a task is blamed for the third worker that dies under it, with all the story told', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [x] = client.map(client.define('boom'), 1)
  for (let i = 0; i < 3; i++) scheduler.worker().leave('out of memory')

  const failed = client.take('failed')

  assert.deepEqual([failed.tasks, failed.code], [[x], 'ERR_HEDDLE_WORKER_LOST'])
  assert.match(failed.reason, /boom-.* 3 workers .* w3 \(out of memory\)/)
})

test('a value is made again as often as its holder is lost, and nobody is blamed', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define()
  const [x] = client.map(f, 1)
  for (let attempt = 1; attempt <= 5; attempt++) {
    const holder = scheduler.worker()
    assert.deepEqual(holder.takeTasks(), [x])
    holder.finish([x!], { attempts: [attempt], sizeBytes: 100_000 })
    holder.leave()
  }
  const [y] = client.submit(f, [{ inputs: [x!] }])

  const last = scheduler.worker()

  last.finish(last.takeTasks(), { attempts: [6], sizeBytes: 100_000 })
  assert.deepEqual(last.takeTasks(), [y])
  assert.ok(!client.unread.includes('failed'))
})

test('a worker that leaves as it was asked to is nobody’s fault', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  for (let attempt = 1; attempt <= 5; attempt++) {
    const worker = scheduler.worker()
    assert.deepEqual(worker.takeTasks(), [x])
    worker.send({ type: 'leaving' }, { type: 'tasks-returned', tasks: [x!], attempts: [attempt], begun: [] })
    worker.take('farewell')
    worker.leave('it left')
  }

  const last = scheduler.worker()

  assert.deepEqual(last.takeTasks(), [x])
  assert.deepEqual(client.unread.includes('failed'), false)
})

test('tasks that only waited on a lost worker are not blamed', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const first = scheduler.worker()
  const [warm, ...rest] = client.map(client.define(), 50)
  first.finish([warm!], { template: 1, us: 10 })
  first.leave()
  for (let i = 0; i < 4; i++) scheduler.worker().leave()

  assert.equal(client.take('failed').tasks.length, 1)
  assert.equal(scheduler.tasks.ready, rest.length - scheduler.tasks.failed)
})

test('a task whose input could not be fetched is tried again, and the input stays meanwhile', () => {
  const { client, a, b, x, sum } = inputOutOfReach()

  b.send({ type: 'inputs-missing', task: sum, attempt: attempt(1), inputs: [x], holder: a.id })

  assert.deepEqual([...a.takeTasks(), ...b.takeTasks()], [sum])
  assert.ok(!a.unread.includes('free-tasks'))
  assert.deepEqual(client.unread, [])
})

test('an input that cannot be had time and again is made again, and in the end its task fails with what to check', () => {
  const { scheduler, client, a, b, x, sum } = inputOutOfReach()
  let runsOfInput = 0
  let attemptOfInput = 1
  for (let i = 1; scheduler.tasks.failed === 0 && i < 50; i++) {
    const runner = scheduler.state.workers.get(b.id)!.processing.size > 0 ? b : a
    runner.takeTasks()
    runner.send({ type: 'inputs-missing', task: sum, attempt: attempt(i), inputs: [x], holder: a.id })
    for (const worker of [a, b]) {
      if (!worker.takeTasks().includes(x)) continue
      runsOfInput++
      a.takeTasks()
      worker.finish([x], { attempts: [++attemptOfInput], sizeBytes: 1_000 })
    }
  }

  assert.ok(runsOfInput > 0, 'the input was made again')
  assert.match(client.take('failed').reason, /10 attempts/)
})

/** `sum` was sent to b, where its larger input is; its other input `x` is on a. */
function inputOutOfReach() {
  const scheduler = new SchedulerHarness()
  const [a, b] = [scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const f = client.define()
  const [x, y] = client.map(f, 2)
  a.finish([x!], { sizeBytes: 1_000 })
  b.finish([y!], { sizeBytes: 5_000 })
  const [sum] = client.submit(f, [{ inputs: [x!, y!] }])
  scheduler.skip()
  return { scheduler, client, a, b, x: x!, sum: sum! }
}

/** The worker that held `x` is gone, `runner` is making it again, and `other` turns out to have a copy. */
function copyTurnsUp({ sizeBytes }: { readonly sizeBytes: number }) {
  const scheduler = new SchedulerHarness()
  const [a, b, c] = [scheduler.worker(), scheduler.worker(), scheduler.worker()]
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  a.finish([x!], { sizeBytes: 100_000 })
  a.leave()
  const runner = b.takeTasks().length > 0 ? b : c
  const other = runner === b ? c : b
  scheduler.skip()
  other.send({ type: 'copies-held', tasks: [x!], sizes: [sizeBytes] })
  return { scheduler, client, runner, other, x: x! }
}

test('a copy that turns up while its value is being made again is as good, and the worker that makes it holds it, too', () => {
  const { scheduler, client, runner, other, x } = copyTurnsUp({ sizeBytes: 100_000 })
  assert.equal(scheduler.tasks['in-memory'], 1)
  runner.finish([x], { attempts: [2], sizeBytes: 100_000 })
  assert.ok(!runner.unread.includes('free-tasks'))

  client.release(x)
  assert.deepEqual(
    [runner, other].map((worker) => worker.take('free-tasks').tasks),
    [[x], [x]],
  )
  scheduler.expectEmpty()
})

test('of a value made again the client has all bytes, though a copy that turned up was of another size', () => {
  const { scheduler, client, runner, x } = copyTurnsUp({ sizeBytes: 3 })
  runner.finish([x], { attempts: [2] })
  scheduler.skip()

  client.want(x)
  assert.equal(client.take('located').task, x, 'a worker knows what it has')
  assert.ok(!client.unread.includes('values'))
  assert.equal(scheduler.state.inline.sizeBytes, 0)
})

test('tasks that are to run again and have not begun go back when copies of their values turn up', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker({ threads: 8 })
  const client = scheduler.client()
  const f = client.define()
  const xs = client.map(f, 8)
  a.finish(xs, { sizeBytes: 100_000, template: f, us: 1_000 })
  a.leave()
  const b = scheduler.worker({ threads: 1 })
  b.pulse()
  assert.deepEqual(b.takeTasks(), xs)
  const back = scheduler.worker({ threads: 8 })
  scheduler.skip()

  back.send({ type: 'copies-held', tasks: xs, sizes: xs.map(() => 100_000) })
  assert.deepEqual(b.take('recall').tasks, xs)
  b.send({ type: 'tasks-returned', tasks: xs.slice(1), attempts: xs.slice(1).map(() => 2), begun: [] })
  b.finish([xs[0]!], { attempts: [2], sizeBytes: 100_000 })
  client.release(...xs)
  assert.deepEqual(
    [b, back].map((worker) => worker.take('free-tasks').tasks.length),
    [1, 8],
  )
  scheduler.expectEmpty()
})

test('a client that cannot get a value from its holder is told again where it is', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const client = scheduler.client()
  const [x] = client.map(client.define(), 1)
  client.want(x!)
  a.finish([x!], { sizeBytes: 100_000 })
  client.take('located')
  scheduler.skip()

  client.send({ type: 'missing', task: x!, holder: 'ws://w1' })

  assert.equal(client.take('located').task, x)
  scheduler.expectSilence()
})

test('a value that one client can never reach fails for that client in the end, and stays for others', () => {
  const scheduler = new SchedulerHarness()
  const a = scheduler.worker()
  const [near, far] = [scheduler.client(), scheduler.client()]
  const [x] = near.submit(near.define(), [{ key: 'model', arg: 1 }])
  const [alias] = far.submit(far.define(), [{ key: 'model', arg: 1 }])
  far.want(alias!)
  a.finish([x!], { sizeBytes: 100_000 })
  for (let i = 0; i < 10; i++) far.send({ type: 'missing', task: alias!, holder: 'ws://w1' })

  assert.match(far.take('failed').reason, /this client can reach the workers/)
  near.want(x!)
  assert.equal(near.take('located').task, x)
  assert.equal(scheduler.tasks['in-memory'], 1)
})

test('an attempt that was believed not to have begun counts when its worker comes back with it', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const template = client.define()
  const [timed, first, second] = client.map(template, 3) as [TaskId, TaskId, TaskId]
  const worker = scheduler.worker()
  worker.finish(worker.takeTasks(), { template })
  client.release(timed)
  assert.deepEqual(worker.takeTasks(), [first, second])
  worker.leave('connection cut')
  const { join } = worker
  const again = workerId(99)
  scheduler.turn(
    { type: 'worker-joined', worker: again, join },
    { type: 'worker-message', worker: again, message: { type: 'tasks-held', tasks: [second], attempts: [1] } },
    { type: 'worker-message', worker: again, message: { type: 'attached' } },
  )
  const error = Uint8Array.of(1)
  const failed = { type: 'task-failed', task: second, attempt: attempt(1), error, isFinal: false } as const
  scheduler.turn({ type: 'worker-message', worker: again, message: failed })
  const { tasks, attempt: runs } = client.take('failed')
  assert.deepEqual([tasks, runs], [[second], 1])
})
