/** What people do who look after a cluster, and what they see of a task and of its errors. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { MAX_ERROR_GROUPS, MAX_LOOKED_THROUGH } from '../../protocol/limits.js'
import { NO_RETRIES } from '../../protocol/messages/rules.js'
import { attempt } from '../../protocol/ids.js'
import { withText } from '../../protocol/error-text.js'
import { detailsOf } from '../../scheduler/core/views/details.js'
import { functionsOf, healthOf, overviewOf } from '../../scheduler/core/views/overview.js'
import type { OperatorAction } from '../../scheduler/core/views/on-operator.js'
import { statusOf } from '../../scheduler/core/views/status.js'
import { findTask } from '../../scheduler/core/tasks/task-array.js'
import { keyOf } from '../../scheduler/core/tasks/task.js'
import { SchedulerHarness, type TestWorker } from '../support/scheduler-harness.js'

const thrown = (text: string): Uint8Array => withText(Uint8Array.of(66), new TextEncoder().encode(text))

function keyFor(scheduler: SchedulerHarness, id: TaskId): string {
  return keyOf(findTask(scheduler.state, id)!)
}

function operate(scheduler: SchedulerHarness, action: OperatorAction, target: string): string {
  scheduler.turn({ type: 'operator-asked', request: 5, action, target })
  const { request, answer } = scheduler.takeOrder('answer-operator')
  assert.equal(request, 5)
  return answer.outcome
}

function failWith(worker: TestWorker, task: TaskId, text: string, number = 1): void {
  worker.send({ type: 'task-failed', task, attempt: attempt(number), error: thrown(text), isFinal: false })
}

test('a cancelled task fails for everybody, and what runs of it is let go', () => {
  const scheduler = new SchedulerHarness()
  const anna = scheduler.client('anna')
  const worker = scheduler.worker()
  const template = anna.define('slow')
  const [running, waiting] = anna.submit(template, [{ key: 'a' }, {}])
  const [dependant] = anna.submit(template, [{ inputs: [running!] }])
  anna.want(running!, dependant!)
  worker.takeTasks()

  assert.equal(operate(scheduler, 'cancel', 'a'), 'done')
  const failed = anna.take('failed')
  assert.deepEqual(
    [failed.tasks, failed.code, failed.culpritKey],
    [[running, dependant], 'ERR_HEDDLE_TASK_CANCELLED', 'a'],
  )
  assert.match(failed.reason, /^Task a was cancelled by somebody who looks after this cluster\.$/)
  assert.deepEqual(worker.take('free-tasks').tasks, [running])
  assert.deepEqual(worker.takeTasks(), [waiting])
  assert.equal(operate(scheduler, 'cancel', 'a'), 'ended')
  assert.equal(operate(scheduler, 'cancel', 'b'), 'unknown')
  const { cancelled, failed: failures } = scheduler.state.totals
  assert.deepEqual([cancelled, failures], [2, 0])
  assert.equal(scheduler.state.errors.size, 0, 'that is no error')
})

test('a task that nobody has looked at yet is cancelled by its generated key', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const [, second] = client.map(client.define('f'), 3)
  const key = `f-${second!.toString(36)}`
  const found = [`f-${second}`, key].find((each) => detailsOf(scheduler.state, each) !== undefined)
  assert.ok(found !== undefined)
  assert.equal(operate(scheduler, 'cancel', found), 'done')
  assert.equal(scheduler.tasks.ready, 2)
  assert.equal(scheduler.tasks.failed, 1)
})

test('an output is cancelled with the task that makes it', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const template = client.define('split', { outputs: 2 })
  const { outputs } = client.split(template, 2)
  client.want(...outputs)
  assert.equal(operate(scheduler, 'cancel', keyFor(scheduler, outputs[1]!)), 'done')
  assert.deepEqual(client.take('failed').tasks, outputs)
})

test('a failed task runs again, for whoever holds it', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const [task] = client.submit(client.define('f'), [{ key: 'a' }])
  client.want(task!)
  assert.equal(operate(scheduler, 'retry', 'a'), 'ended')
  worker.takeTasks()
  worker.fail(task!)
  client.take('failed')
  assert.equal(operate(scheduler, 'retry', 'a'), 'done')
  assert.deepEqual(client.take('retried').tasks, [task])
  assert.deepEqual(worker.takeTasks(), [task])
})

test('all that failed in one way runs again at once, and what failed in another does not', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 4 })
  const [a, b, c] = client.submit(client.define('f'), [{ key: 'a' }, { key: 'b' }, { key: 'c' }])
  client.want(a!, b!, c!)
  worker.takeTasks()
  failWith(worker, a!, 'Error: row 1')
  failWith(worker, b!, 'Error: row 2')
  failWith(worker, c!, 'Error: no table')
  const [other, rows] = scheduler.state.errors.list(scheduler.nowMs).groups
  assert.deepEqual([rows!.failedNow, other!.failedNow], [2, 1])
  assert.equal(operate(scheduler, 'retry-kind', rows!.fingerprint), 'done')
  assert.deepEqual(client.take('retried').tasks, [a, b])
  assert.deepEqual(worker.takeTasks().sort(), [a, b])
  assert.equal(operate(scheduler, 'retry-kind', rows!.fingerprint), 'ended')
  assert.equal(operate(scheduler, 'retry-kind', 'none'), 'unknown')
  client.release(c!)
  assert.equal(scheduler.state.errors.failed.size, 0, 'who is gone is failed no more')
})

test('a worker is let go when somebody asks for it, and starts afresh only where it has a nanny', () => {
  const scheduler = new SchedulerHarness()
  const [a, b, c] = ['a', 'b', 'c'].map((name) => scheduler.worker({ name, isWatched: name !== 'c' }))
  scheduler.skip()
  assert.equal(operate(scheduler, 'drain', 'a'), 'done')
  a!.take('leave')
  a!.take('farewell')
  assert.equal(operate(scheduler, 'restart', 'a'), 'ended')
  assert.equal(operate(scheduler, 'restart', 'b'), 'done')
  b!.take('leave')
  b!.take('restart')
  assert.equal(operate(scheduler, 'restart', 'c'), 'unwatched')
  assert.deepEqual(c!.unread, [])
  assert.equal(operate(scheduler, 'drain', 'z'), 'unknown')
})

test('one task is told in full, whatever it is at', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client('anna')
  const template = client.define('f', { priority: 3, rules: { retries: { ...NO_RETRIES, count: 1 } } })
  const [input] = client.submit(template, [{ key: 'in' }])
  client.submit(template, [{ key: 'out', inputs: [input!] }])
  const waiting = detailsOf(scheduler.state, 'out')!
  assert.deepEqual(
    [waiting.state, waiting.functionName, waiting.client, waiting.priority, waiting.inputCount, waiting.attempt],
    ['waiting', 'f', 'anna', 3, 1, 0],
  )
  assert.deepEqual(waiting.inputs, [{ key: 'in', state: 'ready', sizeBytes: 0 }])
  assert.equal(detailsOf(scheduler.state, 'in')!.dependantCount, 1)
  assert.deepEqual(detailsOf(scheduler.state, 'in')!.dependants, [{ key: 'out', state: 'waiting' }])
  scheduler.nowMs += 30
  scheduler.turn()
  assert.equal(detailsOf(scheduler.state, 'in')!.timings.submittedForMs, 30)
  assert.match(waiting.reason, /waits for 1 input/)

  const worker = scheduler.worker({ name: 'w' })
  worker.takeTasks()
  worker.pulse({ running: [input!], runningForMs: [40] })
  scheduler.nowMs += 2
  scheduler.turn()
  const running = detailsOf(scheduler.state, 'in')!
  assert.deepEqual(
    [running.state, running.worker, running.attempt, running.timings.runningForMs],
    ['processing', 'w', 1, 42],
  )

  failWith(worker, input!, 'Error: first\n    at f (x.js:1:2)')
  worker.takeTasks()
  failWith(worker, input!, 'Error: second\n    at f (x.js:1:2)', 2)
  const failed = detailsOf(scheduler.state, 'out')!
  assert.deepEqual(failed.error, {
    code: '',
    text: 'Error: second\n    at f (x.js:1:2)',
    worker: 'w',
    attempt: 2,
    culpritKey: 'in',
  })
  assert.equal(detailsOf(scheduler.state, 'none'), undefined)

  const [done] = client.submit(template, [{ key: 'done' }])
  worker.takeTasks()
  worker.finish([done!], { sizeBytes: 5_000 })
  const finished = detailsOf(scheduler.state, 'done')!
  assert.deepEqual(
    [finished.state, finished.holders, finished.sizeBytes, finished.error],
    ['in-memory', ['w'], 5_000, undefined],
  )
})

test('tasks that need one are found when they wait no more, too, as far as anybody looks', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ threads: 4 })
  const template = client.define('f')
  const [input] = client.submit(template, [{ key: 'in' }])
  worker.takeTasks()
  worker.finish([input!])
  const between = (part: number): object[] => Array.from({ length: 1_000 }, (_, n) => ({ key: `${part} ${n}` }))
  for (let part = 0; part < MAX_LOOKED_THROUGH / 1_000; part++) client.submit(template, between(part))
  const users = client.submit(template, [{ key: 'a', inputs: [input!] }])
  assert.deepEqual(detailsOf(scheduler.state, 'in')!.dependants, [], 'ten thousand tasks are between them')
  const [other] = client.submit(template, [{ key: 'other' }])
  client.submit(template, [{ key: 'near', inputs: [other!] }])
  client.submit(template, [{ key: 'far', inputs: [other!] }])
  client.release(...users)
  assert.deepEqual(
    detailsOf(scheduler.state, 'other')!.dependants.map(({ key }) => key),
    ['near', 'far'],
  )
})

test('errors that differ in what varies only are one group, each run is counted once, the latest comes first', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker({ name: 'w', threads: 4 })
  const template = client.define('load', { rules: { retries: { ...NO_RETRIES, count: 1 } } })
  const texts = ['row 17 of "a.csv"', 'row 4 of "b.csv"', 'no such table']
  const ids = client.submit(template, [{ key: 'a' }, { key: 'b' }, { key: 'c' }])
  const [dependant] = client.submit(template, [{ inputs: [ids[0]!] }])
  client.want(...ids, dependant!)
  for (const number of [1, 2]) {
    ids.forEach((id, i) => {
      worker.takeTasks()
      failWith(worker, id, `RangeError: ${texts[i]}\n    at load (load.js:3:9)`, number)
    })
  }
  scheduler.nowMs += 1_500
  const { total, groups } = scheduler.state.errors.list(scheduler.nowMs)
  assert.equal(total, 6)
  assert.deepEqual(
    groups.map(({ text, count, retried, lastKey, lastWorker, functionName, lastSecondsAgo }) => ({
      text: text.split('\n')[0],
      count,
      retried,
      lastKey,
      lastWorker,
      functionName,
      lastSecondsAgo,
    })),
    [
      {
        text: 'RangeError: no such table',
        count: 2,
        retried: 1,
        lastKey: 'c',
        lastWorker: 'w',
        functionName: 'load',
        lastSecondsAgo: 1.5,
      },
      {
        text: 'RangeError: row 17 of "a.csv"',
        count: 4,
        retried: 2,
        lastKey: 'b',
        lastWorker: 'w',
        functionName: 'load',
        lastSecondsAgo: 1.5,
      },
    ],
  )
  assert.match(groups[0]!.fingerprint, /^[0-9a-f]{16}$/)
  assert.equal(scheduler.state.totals.failed, 4, 'a task that failed for want of an input is no error of its own')
})

test('so many kinds of errors are kept, and the one that was not seen for longest goes first', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const worker = scheduler.worker()
  const letters = (i: number): string => `Error: ${String.fromCharCode(97 + (i % 26), 97 + Math.floor(i / 26))}`
  for (let i = 0; i < MAX_ERROR_GROUPS + 5; i++) {
    const [task] = client.submit(client.define('f'), [{}])
    worker.takeTasks()
    failWith(worker, task!, letters(i))
  }
  const { total, groups } = scheduler.state.errors.list(scheduler.nowMs)
  assert.deepEqual(
    [total, groups.length, scheduler.state.errors.size],
    [MAX_ERROR_GROUPS + 5, MAX_ERROR_GROUPS, MAX_ERROR_GROUPS],
  )
  assert.equal(groups.at(-1)!.text, letters(5))
})

test('the overview adds up what workers say, and tells what to look at', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const template = client.define('f')
  client.map(template, 5)
  const lonely = overviewOf(scheduler.state)
  assert.deepEqual(lonely.health, {
    status: 'warn',
    problems: [{ kind: 'no-workers', message: '5 tasks wait, and there is no worker; start one.' }],
  })
  const anna = scheduler.worker({ name: 'anna', threads: 2 })
  const bert = scheduler.worker({ name: 'bert', threads: 3 })
  anna.pulse({ memoryBytes: 100, storedBytes: 70, spilledBytes: 20 })
  bert.pulse({ memoryBytes: 50, pausedBy: 'process', isDiskFull: true })
  const tasks = anna.takeTasks()
  anna.finish(tasks, { sizeBytes: 1_000 })
  const { workers, threads, memory, totals, health } = overviewOf(scheduler.state)
  assert.deepEqual([workers, threads], [2, 5])
  assert.deepEqual(memory, {
    processBytes: 150,
    limitBytes: 2 * 2 ** 30,
    storedBytes: 70,
    spilledBytes: 20,
    cachedBytes: 0,
  })
  assert.deepEqual([totals.finished, totals.resultBytes], [tasks.length, tasks.length * 1_000])
  assert.deepEqual(
    health.problems.map(({ kind }) => kind),
    ['disk-full', 'paused'],
  )
  scheduler.nowMs += 6_000
  scheduler.turn()
  assert.ok(healthOf(statusOf(scheduler.state)).problems.some(({ kind }) => kind === 'silent'))
  assert.deepEqual(
    functionsOf(statusOf(scheduler.state)).functions.map(({ name, finished }) => [name, finished]),
    [['f', tasks.length]],
  )
})
