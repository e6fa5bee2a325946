/** Tasks whose inputs fail, and that do not fail with them: they are skipped, or get the error. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { clientId, type TaskId } from '../../protocol/ids.js'
import { SKIPPED_VALUE } from '../../protocol/skipped.js'
import { encodeValue } from '../../protocol/values/encode.js'
import { explain } from '../../scheduler/core/views/explain.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

const SKIP = { rules: { onDependencyError: 'skip' } } as const
const PASS = { rules: { onDependencyError: 'pass-error' } } as const

test('what a skipped task has is what the codec makes of undefined', () => {
  assert.deepEqual([...encodeValue(undefined, { path: 'value' })], SKIPPED_VALUE)
})

test('a task that takes errors runs when all inputs have an outcome, and hears why some failed', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 4 })
  const [good, bad, late] = client.submit(client.define('f'), [{}, {}, {}]) as [TaskId, TaskId, TaskId]
  const pass = client.define('pass', PASS)
  const [both, one] = client.submit(pass, [{ inputs: [good, bad, late, bad] }, { inputs: [bad] }]) as [TaskId, TaskId]
  client.want(both, one)
  worker.takeTasks()
  worker.fail(bad)
  const sent = worker.take('run-tasks')
  assert.deepEqual(sent.tasks, [one], 'it has no other inputs')
  assert.deepEqual([sent.inputs, sent.failedInputs, sent.failedBy], [[bad], [bad], [0]])
  const { worker: where, attempt, error, code, culpritKey } = sent.failures[0]!
  assert.deepEqual([where, attempt, [...error], code], [worker.join.name, 1, [66], ''])
  assert.match(culpritKey, /^f-/)
  assert.deepEqual(client.take('failed').tasks, [bad])
  worker.finish([good])
  const waiting = explain(scheduler.state, both, '')
  assert.deepEqual([waiting.state, waiting.reason], ['waiting', 'It waits for 1 input of 4.'])
  assert.deepEqual(waiting.details, ['2 inputs failed; it gets the error in the place of the value.'])
  worker.finish([late])
  const second = worker.take('run-tasks')
  assert.deepEqual([second.tasks, second.inputs], [[both], [good, bad, late, bad]])
  assert.deepEqual([second.failedInputs, second.failedBy.length, second.failures.length], [[bad], 1, 1])
  worker.finish([both, one])
  assert.equal(client.takeValues().size, 2)
  client.release(good, bad, late, both, one)
  scheduler.expectEmpty()
})

test('a failure that only a task which takes errors needs stays until that has run, on whichever worker', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const first = scheduler.worker()
  const [bad] = client.submit(client.define('f'), [{}]) as [TaskId]
  const [task] = client.submit(client.define('pass', PASS), [{ inputs: [bad] }]) as [TaskId]
  client.release(bad)
  first.takeTasks()
  first.fail(bad)
  assert.deepEqual(first.take('run-tasks').failedInputs, [bad])
  assert.equal(scheduler.tasks.failed, 1)
  // When: the worker dies, and another one comes.
  first.leave()
  const second = scheduler.worker()
  const again = second.take('run-tasks')
  assert.deepEqual([again.tasks, again.failedInputs], [[task], [bad]])
  second.send({ type: 'tasks-returned', tasks: [task], attempts: [again.attempts[0]!], begun: [] })
  const third = second.take('run-tasks')
  assert.deepEqual(third.failedInputs, [bad])
  second.finish([task], { attempts: [...third.attempts] })
  assert.equal(scheduler.tasks.failed, 0, 'nobody needs to know any more')
  client.release(task)
  scheduler.expectEmpty()
})

test('of many inputs that failed for one reason, the reason is told once', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const f = client.define('f')
  const [root] = client.submit(f, [{}]) as [TaskId]
  const victims = client.submit(f, Array(20).fill({ inputs: [root] }))
  client.submit(client.define('pass', PASS), [{ inputs: victims }])
  worker.takeTasks()
  worker.fail(root)
  const sent = worker.take('run-tasks')
  assert.deepEqual([sent.failedInputs.length, new Set(sent.failedBy).size, sent.failures.length], [20, 1, 1])
})

test('a task is skipped as soon as one input failed, and what needs it goes on with undefined', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 4 })
  const f = client.define('f')
  const [bad, slow] = client.submit(f, [{}, {}]) as [TaskId, TaskId]
  const [skipped] = client.submit(client.define('skip', SKIP), [{ inputs: [bad, slow] }]) as [TaskId]
  const [next] = client.submit(f, [{ inputs: [skipped] }]) as [TaskId]
  client.want(skipped)
  worker.takeTasks()
  worker.fail(bad)
  assert.deepEqual(client.takeValues(), new Map([[skipped, [...SKIPPED_VALUE]]]))
  const given = worker.take('give-values')
  assert.deepEqual([given.tasks, [...given.values.bytes]], [[skipped], SKIPPED_VALUE])
  assert.deepEqual(worker.take('run-tasks').tasks, [next])
  assert.equal(
    explain(scheduler.state, skipped, '').reason,
    'It was skipped, because an input of it failed; its value is undefined.',
  )
  worker.finish([next, slow])
  client.release(bad, slow, skipped, next)
  assert.ok(worker.take('free-tasks').tasks.includes(skipped))
  scheduler.expectEmpty()
})

test('the value of a skipped task is never lost, whoever dies', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const first = scheduler.worker()
  const f = client.define('f')
  const [bad] = client.submit(f, [{}]) as [TaskId]
  const [skipped] = client.submit(client.define('skip', SKIP), [{ inputs: [bad] }]) as [TaskId]
  const [next] = client.submit(f, [{ inputs: [skipped] }]) as [TaskId]
  client.release(bad)
  first.takeTasks()
  first.fail(bad)
  assert.deepEqual(first.takeTasks(), [next])
  first.leave()
  const second = scheduler.worker()
  assert.deepEqual(second.take('give-values').tasks, [skipped])
  assert.deepEqual(second.takeTasks(), [next], 'and nothing is made again')
  second.send({ type: 'values-lost', tasks: [skipped] })
  second.send({
    type: 'inputs-missing',
    task: next,
    attempt: scheduler.state.workers.get(second.id)!.processing.values().next().value!.attempt,
    inputs: [skipped],
    holder: second.id,
  })
  assert.deepEqual(second.takeTasks(), [next])
  client.send({ type: 'replicate', request: 1, tasks: [skipped], copies: 3 })
  assert.equal(client.take('replicated').missing, 0, 'where it is needed it comes along')
})

test('chains of skips, errors and plain failures end as each says', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 8 })
  const [f, skip, pass] = [client.define('f'), client.define('skip', SKIP), client.define('pass', PASS)]
  const [bad] = client.submit(f, [{}]) as [TaskId]
  const [plain] = client.submit(f, [{ inputs: [bad] }]) as [TaskId]
  const [skipped] = client.submit(skip, [{ inputs: [plain] }]) as [TaskId]
  const [told] = client.submit(pass, [{ inputs: [plain, skipped] }]) as [TaskId]
  const [last] = client.submit(f, [{ inputs: [plain, skipped, told] }]) as [TaskId]
  worker.takeTasks()
  worker.fail(bad)
  assert.deepEqual(client.take('failed').tasks, [bad, plain, last])
  const sent = worker.take('run-tasks')
  assert.deepEqual([sent.tasks, sent.failedInputs], [[told], [plain]])
  worker.finish([told])
  client.release(bad, plain, skipped, told, last)
  scheduler.expectEmpty()
})

test('inputs that failed before are as those that fail later', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const [bad] = client.submit(client.define('f'), [{}]) as [TaskId]
  worker.takeTasks()
  worker.fail(bad)
  const [skipped] = client.submit(client.define('skip', SKIP), [{ inputs: [bad] }]) as [TaskId]
  client.want(skipped)
  assert.deepEqual(client.takeValues(), new Map([[skipped, [...SKIPPED_VALUE]]]))
  const constant = client.define('pass', { ...PASS, constantInputs: [bad] })
  const [told] = client.submit(constant, [{}]) as [TaskId]
  const sent = worker.take('run-tasks')
  assert.deepEqual([sent.tasks, sent.inputs, sent.failedInputs], [[told], [bad], [bad]])
})

test('a cancelled input is one that failed', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const f = client.define('f')
  const [one, other] = client.submit(f, [{}, {}]) as [TaskId, TaskId]
  const [skipped] = client.submit(client.define('skip', SKIP), [{ inputs: [one] }]) as [TaskId]
  const [told] = client.submit(client.define('pass', PASS), [{ inputs: [one] }]) as [TaskId]
  const [plain] = client.submit(f, [{ inputs: [one] }]) as [TaskId]
  client.want(skipped)
  client.send({ type: 'cancel', request: 1, tasks: [one], graceMs: 0, error: Uint8Array.of(99) })
  assert.deepEqual([...client.takeValues().keys()], [skipped])
  assert.deepEqual(client.take('failed').tasks, [plain])
  client.release(other)
  const { tasks, failures } = scheduler.worker().take('run-tasks')
  assert.deepEqual([tasks, failures[0]!.code, [...failures[0]!.error]], [[told], 'ERR_HEDDLE_TASK_CANCELLED', [99]])
})

test('an input that failed and is retried is waited for, by what has not begun', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const f = client.define('f')
  const [bad, slow] = client.submit(f, [{}, {}]) as [TaskId, TaskId]
  const [told] = client.submit(client.define('pass', PASS), [{ inputs: [bad, slow] }]) as [TaskId]
  assert.deepEqual(worker.takeTasks(), [bad])
  worker.fail(bad)
  assert.deepEqual(worker.takeTasks(), [slow])
  client.send({ type: 'retry', tasks: [bad] })
  worker.finish([slow])
  assert.deepEqual(worker.takeTasks(), [bad])
  worker.finish([bad], { attempts: [2] })
  const sent = worker.take('run-tasks')
  assert.deepEqual([sent.tasks, sent.failedInputs], [[told], []], 'and it has a value now')
})

test('a task that takes errors and fails by its own is retried with the inputs that failed', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const [bad] = client.submit(client.define('f'), [{}]) as [TaskId]
  const [told] = client.submit(client.define('pass', PASS), [{ inputs: [bad] }]) as [TaskId]
  worker.takeTasks()
  worker.fail(bad)
  worker.takeTasks()
  worker.fail(told)
  client.send({ type: 'retry', tasks: [told] })
  assert.deepEqual(worker.takeTasks(), [bad])
  worker.finish([bad], { attempts: [2] })
  assert.deepEqual(worker.take('run-tasks').failedInputs, [])
})

test('a task with several outputs is skipped with all of them, or gets the error', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 2 })
  const [bad] = client.submit(client.define('f'), [{}]) as [TaskId]
  const before = client.split(client.define('skip', { ...SKIP, outputs: 3 }), 3, [bad])
  const told = client.split(client.define('pass', { ...PASS, outputs: 2 }), 2, [bad])
  worker.takeTasks()
  worker.fail(bad)
  const sent = worker.take('run-tasks')
  assert.deepEqual([sent.tasks, sent.failedInputs], [[told.producer], [bad]])
  const after = client.split(client.define('skip2', { ...SKIP, outputs: 3 }), 3, [bad])
  for (const { outputs } of [before, after]) {
    client.want(...outputs)
    assert.deepEqual(
      [...client.takeValues()],
      outputs.map((id) => [id, [...SKIPPED_VALUE]]),
    )
  }
  worker.fail(told.producer)
  assert.deepEqual(client.take('failed').tasks, [bad])
  assert.deepEqual(client.take('failed').tasks, told.outputs, 'outputs fail with the task that makes them')
  client.release(bad, ...before.outputs, ...after.outputs, ...told.outputs)
  scheduler.expectEmpty()
})

for (const way of ['journal', 'snapshot'] as const) {
  test(`errors that tasks are to get, and what was skipped, outlive the scheduler: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client('client')
    const first = before.worker({ threads: 4 })
    const f = client.define('f')
    const [bad, slow] = client.submit(f, [{}, {}]) as [TaskId, TaskId]
    const [skipped] = client.submit(client.define('skip', SKIP), [{ inputs: [bad] }]) as [TaskId]
    const [told] = client.submit(client.define('pass', PASS), [{ inputs: [bad, slow] }]) as [TaskId]
    const [next] = client.submit(f, [{ inputs: [skipped, slow] }]) as [TaskId]
    const [gone] = client.submit(client.define('skip2', SKIP), [{ inputs: [bad] }]) as [TaskId]
    client.release(bad)
    first.takeTasks()
    first.fail(bad)

    // Then: the client comes back. What failed is not made again, nor what was skipped.
    const cluster = before.successor(way)
    cluster.turn({
      type: 'client-joined',
      client: clientId(client.id + 50),
      name: 'client',
      session: 'session of client',
    })
    cluster.wakeUp()
    const worker = cluster.worker({ threads: 4 })
    assert.deepEqual(worker.takeTasks(), [slow])
    worker.finish([slow], {
      attempts: [...cluster.state.workers.get(worker.id)!.processing].map(({ attempt }) => attempt),
    })
    const given = worker.take('give-values')
    assert.deepEqual([given.tasks, [...given.values.bytes]], [[skipped], SKIPPED_VALUE])
    const sent = worker.take('run-tasks')
    assert.deepEqual([sent.tasks, sent.failedInputs], [[told, next], [bad]])
    assert.deepEqual([...sent.failures[0]!.error], [66])
    assert.equal(explain(cluster.state, gone, '').state, 'in-memory')
  })
}
