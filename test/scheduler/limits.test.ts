/** Limits of the cluster: nobody has more units than there are, and all that is taken is given back, once. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { LimitDeclaration } from '../../protocol/messages/limit.js'
import { NO_NEEDS, type Needs } from '../../protocol/messages/needs.js'
import { nextDeadlineMs } from '../../scheduler/core/machine.js'
import { statusOf } from '../../scheduler/core/views/status.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const semaphore = (name: string, units: number): LimitDeclaration => ({ name, kind: 'semaphore', units, perSecond: 0 })
const rate = (name: string, perSecond: number, units = 1): LimitDeclaration => ({
  name,
  kind: 'rate',
  units,
  perSecond,
})
const needs = (limits: Record<string, number>): Needs => ({
  ...NO_NEEDS,
  limits: Object.entries(limits).map(([name, units]) => ({ name, units })),
})
const declare = (client: TestClient, limit: LimitDeclaration): void => client.send({ type: 'declare-limit', limit })
const takenOf = (scheduler: SchedulerHarness, name: string): number | undefined =>
  scheduler.state.limits.get(name)?.taken

test('as many tasks run at once as there are units, whatever threads are idle; others are not in their way', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 8 })
  const client = scheduler.client()
  declare(client, semaphore('db', 3))

  const limited = client.map(client.define('f', { needs: needs({ db: 1 }) }), 5)
  assert.deepEqual(worker.takeTasks(), limited.slice(0, 3))
  const free = client.map(client.define('g'), 2)
  assert.deepEqual(worker.takeTasks(), free)
  worker.finish([limited[1]!])
  assert.deepEqual(worker.takeTasks(), [limited[3]])
  assert.equal(takenOf(scheduler, 'db'), 3)
})

test('units come back however a task ends: well, badly, given back, cancelled, dropped, or with its worker', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 6 })
  const client = scheduler.client()
  declare(client, semaphore('db', 6))
  const template = client.define('f', { needs: needs({ db: 1 }) })
  const [ended, failed, returned, cancelled, dropped, lost] = client.map(template, 6)
  assert.equal(takenOf(scheduler, 'db'), 6)

  worker.finish([ended!])
  worker.fail(failed!)
  assert.equal(takenOf(scheduler, 'db'), 4)
  worker.send({ type: 'tasks-returned', tasks: [returned!], attempts: [1], begun: [] })
  assert.equal(takenOf(scheduler, 'db'), 4, 'it is sent again')
  client.send({ type: 'cancel', request: 1, tasks: [cancelled!], graceMs: 5, error: Uint8Array.of(1) })
  client.release(dropped!)
  assert.equal(takenOf(scheduler, 'db'), 4, 'what may still run has its units')
  worker.send({ type: 'tasks-stopped', tasks: [cancelled!], attempts: [], stoppedBy: ['thread'] })
  worker.send({ type: 'tasks-returned', tasks: [dropped!], attempts: [1], begun: [] })
  assert.equal(takenOf(scheduler, 'db'), 2)
  worker.send({ type: 'tasks-returned', tasks: [dropped!], attempts: [1], begun: [] })
  assert.equal(takenOf(scheduler, 'db'), 2, 'nothing comes back twice')
  assert.ok(lost)
  worker.leave()
  assert.equal(takenOf(scheduler, 'db'), 0)
})

test('what was cancelled and goes on where nothing stops it keeps its units until it ends', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  declare(client, semaphore('db', 1))
  const [task] = client.map(client.define('f', { needs: needs({ db: 1 }) }), 1)

  client.send({ type: 'cancel', request: 1, tasks: [task!], graceMs: 5, error: Uint8Array.of(1) })
  worker.send({ type: 'tasks-stopped', tasks: [task!], attempts: [], stoppedBy: ['abandoned'] })
  assert.deepEqual(client.take('cancelled').stoppedBy, ['abandoned'])
  assert.equal(takenOf(scheduler, 'db'), 1)
  worker.send({ type: 'tasks-returned', tasks: [task!], attempts: [1], begun: [] })
  assert.equal(takenOf(scheduler, 'db'), 0)
})

test('what has had its time and goes on keeps its units until it ends, whoever lets go of it meanwhile', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  declare(client, semaphore('db', 2))
  const template = client.define('f', { needs: needs({ db: 1 }), rules: { timeoutMs: 2 } })
  const [held, dropped] = client.map(template, 2)

  client.release(dropped!)
  worker.send({ type: 'tasks-timed-out', tasks: [held!, dropped!], attempts: [], goOn: [0, 1] })
  assert.equal(client.take('failed').code, 'ERR_HEDDLE_TASK_TIMEOUT')
  assert.equal(takenOf(scheduler, 'db'), 2)
  worker.send({ type: 'tasks-returned', tasks: [held!, dropped!], attempts: [], begun: [] })
  assert.equal(takenOf(scheduler, 'db'), 0)
})

test('of two attempts of a task that have had their time in one report, each is taken for itself', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  declare(client, semaphore('db', 2))
  const template = client.define('f', { needs: needs({ db: 1 }), rules: { timeoutMs: 2 } })
  const [task] = client.map(template, 1)
  // A copy of its value turned up after all, and was lost again: the first attempt ends when it ends.
  worker.send({ type: 'copies-held', tasks: [task!], sizes: [1] })
  worker.send({ type: 'values-lost', tasks: [task!] })
  client.want(task!)
  assert.equal(takenOf(scheduler, 'db'), 2)

  worker.send({ type: 'tasks-timed-out', tasks: [task!, task!], attempts: [1, 2], goOn: [1] })
  assert.equal(takenOf(scheduler, 'db'), 1, 'of the second, which goes on')
  worker.send({ type: 'tasks-returned', tasks: [task!], attempts: [2], begun: [] })
  assert.equal(takenOf(scheduler, 'db'), 0)
})

test('a task takes units of all its limits, or of none', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 8 })
  const client = scheduler.client()
  declare(client, semaphore('a', 2))
  declare(client, semaphore('b', 1))
  const both = client.map(client.define('f', { needs: needs({ a: 1, b: 1 }) }), 2)
  const one = client.map(client.define('g', { needs: needs({ a: 1 }) }), 1)

  assert.deepEqual(worker.takeTasks(), [both[0], one[0]])
  assert.deepEqual([takenOf(scheduler, 'a'), takenOf(scheduler, 'b')], [2, 1])
})

test('a task that takes many units is not shut out by tasks that take one each', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 8 })
  const client = scheduler.client()
  declare(client, semaphore('db', 2))
  const small = client.map(client.define('small', { needs: needs({ db: 1 }) }), 10)
  const [large] = client.map(client.define('large', { needs: needs({ db: 2 }) }), 1)
  assert.deepEqual(worker.takeTasks(), small.slice(0, 2))

  worker.finish([small[0]!])
  const next = worker.takeTasks()
  const order = [...next]
  for (let turns = 0; turns < 4 && !order.includes(large!); turns++) {
    worker.finish([turns === 0 ? small[1]! : order.at(-1)!])
    order.push(...worker.takeTasks())
  }
  assert.ok(order.includes(large!), `the large one never ran: ${order.join()}`)
})

test('the most urgent task gets the next unit', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 8 })
  const client = scheduler.client()
  declare(client, semaphore('db', 1))
  const usual = client.map(client.define('usual', { needs: needs({ db: 1 }) }), 3)
  const [urgent] = client.map(client.define('urgent', { needs: needs({ db: 1 }), priority: 5 }), 1)
  assert.deepEqual(worker.takeTasks(), [usual[0]])
  worker.finish([usual[0]!])
  assert.deepEqual(worker.takeTasks(), [urgent])
})

test('a limit that nobody has declared, or that has fewer units, lets a task wait, and says so at once', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker()
  const client = scheduler.client()
  const unknown = client.map(client.define('lost', { needs: needs({ db: 1 }) }), 1)
  const told = 'names the limit "db", which nobody has declared: call client.semaphore() or client.rateLimit() for it'
  assert.deepEqual(client.take('blocked'), {
    type: 'blocked',
    needs: 'limit db=1',
    reason: told,
    functions: ['lost'],
  })
  assert.equal(scheduler.takeOrder('tell-blocked').reason, told)
  assert.deepEqual(statusOf(scheduler.state).blocked, [{ needs: 'limit db=1', reason: told }])

  const other = scheduler.client()
  other.define('lost too', { needs: needs({ db: 1 }) })
  assert.deepEqual(other.take('blocked').functions, ['lost too'])
  declare(client, semaphore('db', 1))
  assert.deepEqual(worker.takeTasks(), unknown)
  assert.deepEqual(statusOf(scheduler.state).blocked, [])
  client.map(client.define('large', { needs: needs({ db: 2 }) }), 1)
  assert.equal(client.take('blocked').reason, 'takes 2 units of the limit "db", which has 1')
})

test('another limit under a known name is refused, while anyone has to do with the first', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const [one, other] = [scheduler.client(), scheduler.client()]
  declare(one, semaphore('db', 2))
  declare(other, semaphore('db', 2))
  assert.deepEqual(other.unread, [])
  declare(other, semaphore('db', 3))
  const { name, reason } = other.take('limit-refused')
  assert.equal(name, 'db')
  assert.match(reason, /^"db" is a semaphore of 2 in this cluster, not a semaphore of 3; /)
  other.send({ type: 'take-unit', request: 1, limit: rate('db', 5) })
  assert.match(other.take('unit-refused').reason, /not a rate limit of 5 a second with a burst of 1; /)

  one.leave()
  other.leave()
  assert.equal(scheduler.state.limits.size, 0)
  const third = scheduler.client()
  declare(third, semaphore('db', 3))
  assert.deepEqual(third.unread, [])
})

test('clients take units too, in order, and what they have comes back when they go', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const [one, other] = [scheduler.client(), scheduler.client()]
  const limit = semaphore('db', 1)
  one.send({ type: 'take-unit', request: 1, limit })
  other.send({ type: 'take-unit', request: 7, limit })
  one.send({ type: 'take-unit', request: 2, limit })
  assert.equal(one.take('unit-taken').request, 1)
  assert.deepEqual([one.unread, other.unread], [[], []])

  one.send({ type: 'return-unit', request: 1 }, { type: 'return-unit', request: 1 })
  assert.equal(other.take('unit-taken').request, 7)
  assert.equal(takenOf(scheduler, 'db'), 1)
  other.leave()
  assert.equal(one.take('unit-taken').request, 2)
  one.send({ type: 'take-unit', request: 3, limit }, { type: 'return-unit', request: 3 })
  one.send({ type: 'return-unit', request: 2 })
  assert.equal(takenOf(scheduler, 'db'), 0)
  assert.deepEqual(one.unread, [], 'who gave up gets nothing')
})

test('tasks and clients that wait for the same units have them in turn', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 4 })
  const client = scheduler.client()
  const limit = semaphore('db', 1)
  declare(client, limit)
  const tasks = client.map(client.define('f', { needs: needs({ db: 1 }) }), 3)
  for (const request of [1, 2]) client.send({ type: 'take-unit', request, limit })
  assert.deepEqual(worker.takeTasks(), [tasks[0]])

  worker.finish([tasks[0]!])
  assert.equal(client.take('unit-taken').request, 1)
  assert.deepEqual(worker.takeTasks(), [])
  client.send({ type: 'return-unit', request: 1 })
  assert.deepEqual(worker.takeTasks(), [tasks[1]])
  worker.finish([tasks[1]!])
  assert.equal(client.take('unit-taken').request, 2)
})

test('a rate limit lets one task begin, and the next when its time has come', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 8 })
  const client = scheduler.client()
  declare(client, rate('api', 20))
  const tasks = client.map(client.define('f', { needs: needs({ api: 1 }) }), 4)
  assert.deepEqual(worker.takeTasks(), [tasks[0]])
  assert.equal(nextDeadlineMs(scheduler.state), scheduler.nowMs + 50)

  scheduler.nowMs += 49
  scheduler.turn()
  assert.deepEqual(worker.takeTasks(), [])
  scheduler.nowMs += 1
  scheduler.turn()
  assert.deepEqual(worker.takeTasks(), [tasks[1]])
  worker.finish([tasks[0]!, tasks[1]!])
  assert.deepEqual(worker.takeTasks(), [], 'what was used does not come back')
  scheduler.nowMs += 1_000
  scheduler.turn()
  assert.deepEqual(worker.takeTasks(), [tasks[2]], 'no more than the burst adds up')
  scheduler.nowMs += 50
  scheduler.turn()
  assert.deepEqual(worker.takeTasks(), [tasks[3]])
  assert.equal(nextDeadlineMs(scheduler.state), undefined, 'nobody waits, and nothing wakes')
})

test('a burst is used at once, and adds up again; clients use the same', () => {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads: 8 })
  const client = scheduler.client()
  const limit = rate('api', 10, 3)
  declare(client, limit)
  const template = client.define('f', { needs: needs({ api: 1 }) })
  const tasks = client.map(template, 3)
  assert.deepEqual(worker.takeTasks(), tasks)
  client.send({ type: 'take-unit', request: 1, limit })
  assert.deepEqual(client.unread, [])
  assert.equal(nextDeadlineMs(scheduler.state), scheduler.nowMs + 100)
  scheduler.nowMs += 100
  scheduler.turn()
  assert.equal(client.take('unit-taken').request, 1)
  scheduler.nowMs += 300
  assert.equal(client.map(template, 5).length, 5)
  assert.equal(worker.takeTasks().length, 3)
})

test('a rate limit is not forgotten with its client while it is used up', () => {
  const scheduler = new SchedulerHarness()
  scheduler.worker()
  const first = scheduler.client()
  first.send({ type: 'take-unit', request: 1, limit: rate('api', 1) })
  first.take('unit-taken')
  first.leave()

  const second = scheduler.client()
  second.send({ type: 'take-unit', request: 1, limit: rate('api', 1) })
  assert.deepEqual(second.unread, [])
  scheduler.nowMs += 1_000
  scheduler.turn()
  assert.equal(second.take('unit-taken').request, 1)
})
