/** Why a task is where it is: a reason for every state, and for everything that may keep a ready task waiting. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { NO_NEEDS, type Needs } from '../../protocol/messages/needs.js'
import { explain } from '../../scheduler/core/views/explain.js'
import { SchedulerHarness, type TestClient } from '../support/scheduler-harness.js'

const GIB = 2 ** 30
const needs = (given: Partial<Needs>): Needs => ({ ...NO_NEEDS, ...given })
const gpu = [{ name: 'gpu', thousandths: 1_000 }]

function start() {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const why = (task: TaskId) => explain(scheduler.state, task, '')
  return { scheduler, client, why }
}

function declare(client: TestClient, name: string, units: number, perSecond = 0): void {
  const kind = perSecond === 0 ? ('semaphore' as const) : ('rate' as const)
  client.send({ type: 'declare-limit', limit: { name, kind, units, perSecond } })
}

/** A task that no worker has room for beside it. */
function busyBehind(client: TestClient, template: number, count: number): TaskId {
  return client.map(template, count).at(-1)!
}

test('a key that nobody knows is unknown, and keys are found, generated ones too, without making a record', () => {
  const { scheduler, client } = start()
  assert.equal(explain(scheduler.state, 0 as TaskId, 'nobody').state, 'unknown')
  assert.equal(explain(scheduler.state, 0 as TaskId, 'f-1').state, 'unknown')
  const [task] = client.map(client.define('f'), 3)
  const key = `f-${task!.toString(36)}`
  const found = explain(scheduler.state, 0 as TaskId, key)
  assert.deepEqual([found.key, found.state, found.reason], [key, 'ready', 'It waits for a worker: there is none.'])
  assert.equal(explain(scheduler.state, 0 as TaskId, `g-${task!.toString(36)}`).state, 'unknown')
  assert.deepEqual([...scheduler.state.arrays.values()][0]!.tasks, [])
  client.submit(client.define('g'), [{ key: 'mine' }])
  assert.equal(explain(scheduler.state, 0 as TaskId, 'mine').key, 'mine')
})

test('a waiting task names the inputs that are not there; an output the task that makes it', () => {
  const { scheduler, client, why } = start()
  const f = client.define('f')
  const [done, open] = client.map(f, 2)
  const worker = scheduler.worker({ threads: 1 })
  worker.finish([done!])
  const [task] = client.submit(f, [{ inputs: [done!, open!] }])
  const { state, reason, waitsFor } = why(task!)
  assert.deepEqual([state, reason], ['waiting', 'It waits for 1 input of 2.'])
  assert.deepEqual(waitsFor, [{ key: `f-${open!.toString(36)}`, state: 'processing' }])

  const { producer, outputs } = client.split(client.define('split', { outputs: 2 }), 2)
  assert.match(why(outputs[0]!).reason, new RegExp(`^It is an output of split-${producer.toString(36)}, which has not`))
})

test('a ready task waits behind others: for a thread, with its place in the queue', () => {
  const { scheduler, client, why } = start()
  scheduler.worker({ threads: 2 })
  const task = busyBehind(client, client.define('f'), 7)
  const { state, reason, details, workers, ahead } = why(task)
  assert.deepEqual([state, reason], ['ready', 'It waits for a worker: each is busy or can’t take it.'])
  assert.deepEqual(workers, [{ name: 'w1', reason: 'has 2 of 2 threads busy, and tasks sent ahead' }])
  assert.deepEqual([ahead, details], [4, ['About 4 ready tasks with the same needs come before it.']])

  const urgent = client.map(client.define('urgent', { priority: 3 }), 2)
  assert.deepEqual([why(urgent[1]!).ahead, why(task).ahead], [1, 6])
  const other = scheduler.client()
  other.map(other.define('g'), 100)
  assert.equal(why(task).ahead, 10, 'clients have their turns')
})

test('workers that will never do, and those that have nothing to spare, say what they lack', () => {
  const { scheduler, client, why } = start()
  const needy = { threads: 2, memoryBytes: GIB, others: gpu }
  const worker = (name: string, threads: number, memoryLimitBytes: number, resources = gpu) =>
    scheduler.worker({ name, threads, memoryLimitBytes, resources })
  worker('small', 1, 4 * GIB)
  worker('tight', 4, GIB / 2)
  worker('plain', 4, 4 * GIB, [])
  worker('taken', 4, 4 * GIB)
  const task = busyBehind(client, client.define('f', { needs: needs(needy) }), 2)
  const { reason, details, workers } = why(task)
  assert.equal(reason, 'It waits for a worker: each is busy or can’t take it.')
  assert.equal(details[0], 'It needs threads=2, memory=1 GiB, gpu=1.')
  assert.deepEqual(workers, [
    { name: 'small', reason: 'has 1 threads' },
    { name: 'tight', reason: 'has 512 MiB of memory' },
    { name: 'plain', reason: 'has no gpu' },
    { name: 'taken', reason: 'has no gpu to spare' },
  ])
})

test('what nothing that is there will let run says so, and what is missing', () => {
  const { scheduler, client, why } = start()
  scheduler.worker()
  const cases: readonly (readonly [Partial<Needs>, string])[] = [
    [{ others: gpu }, 'it needs gpu=1, which none of 1 workers has.'],
    [{ workers: ['zone=a'] }, 'it may run only on zone=a, which none of 1 workers is.'],
    [
      { limits: [{ name: 'db', units: 1 }] },
      'it names the limit "db", which nobody has declared: call client.semaphore() or client.rateLimit() for it.',
    ],
  ]
  for (const [given, told] of cases) {
    const [task] = client.map(client.define(told, { needs: needs(given) }), 1)
    assert.equal(why(task!).reason, `It waits, and nothing that is there will let it run: ${told}`)
  }
})

test('a task that waits for a limit says which, and how it stands', () => {
  const { scheduler, client, why } = start()
  scheduler.worker({ threads: 8 })
  declare(client, 'db', 2)
  declare(client, 'api', 1, 4)
  const limited = (name: string, units = 1) => needs({ limits: [{ name, units }] })
  const query = busyBehind(client, client.define('query', { needs: limited('db') }), 3)
  assert.equal(why(query).reason, 'It waits for the limit "db": 2 of 2 units are taken.')
  const limit = { name: 'db', kind: 'semaphore', units: 2, perSecond: 0 } as const
  client.send({ type: 'take-unit', request: 1, limit })
  assert.match(why(query).reason, /, and 1 client waits too\.$/)
  const page = busyBehind(client, client.define('page', { needs: limited('api') }), 2)
  assert.equal(why(page).reason, 'It waits for the limit "api": the next begins in 250ms.')
})

test('I/O tasks, paused workers and workers kept free for others are told', () => {
  const { scheduler, client, why } = start()
  const worker = scheduler.worker({ threads: 2, ioTasks: 1 })
  const download = busyBehind(client, client.define('io', { needs: needs({ threads: 0 }) }), 2)
  assert.deepEqual(why(download).workers, [{ name: 'w1', reason: 'runs 1 tasks without a thread already' }])
  const [first] = client.map(client.define('f'), 1)
  const [wide] = client.map(client.define('wide', { needs: needs({ threads: 2 }) }), 1)
  const [other] = client.map(client.define('g'), 1)
  assert.ok(first)
  assert.equal(why(other!).workers[0]?.reason, 'is kept free for tasks that need threads=2')
  assert.match(why(wide!).workers[0]!.reason, /^has 1 of 2 threads busy/)
  worker.pulse({ pausedBy: 'values' })
  assert.match(why(other!).workers[0]!.reason, /^is paused: its values take so much of its memory/)
  worker.send({ type: 'leaving' })
  assert.equal(why(other!).workers[0]?.reason, 'is leaving')
})

test('roots that are held back say what goes first', () => {
  const { scheduler, client, why } = start()
  const worker = scheduler.worker({ threads: 1, memoryLimitBytes: 1_000 })
  const f = client.define('f')
  const [input] = client.map(f, 1)
  worker.finish([input!], { sizeBytes: 900 })
  client.submit(client.define('use'), [{ inputs: [input!] }])
  const [root] = client.map(f, 1)
  assert.match(why(root!).reason, /^It is held back: 900 B of values wait for tasks that use them up/)
})

test('a task that was sent says whether it runs, and what may keep it', () => {
  const { scheduler, client, why } = start()
  const worker = scheduler.worker({ name: 'anna', threads: 1 })
  const f = client.define('f')
  const [first] = client.map(f, 1)
  scheduler.nowMs += 40
  scheduler.turn()
  assert.equal(
    why(first!).reason,
    'It was sent to anna as attempt 1, and had not begun there when it was last heard of 40ms ago.',
  )
  worker.pulse({ running: [first!], runningForMs: [35] })
  assert.match(why(first!).reason, /^It runs on anna, as attempt 1, for 35ms when it was last heard of/)
  worker.finish([first!], { template: 1, us: 10 })
  const [one, two] = client.map(f, 2)
  worker.pulse({ running: [one!], runningForMs: [1], isHoldingBack: true })
  assert.deepEqual(why(two!).details, [
    '1 task sent there earlier may come before it.',
    'The worker has no memory to spare for the next of its tasks.',
  ])
})

test('what has ended says how: where its value is, or why it failed', () => {
  const { scheduler, client, why } = start()
  const worker = scheduler.worker({ name: 'anna', threads: 3 })
  const f = client.define('f')
  const [done, failed] = client.map(f, 2)
  const [after] = client.submit(f, [{ inputs: [failed!] }])
  worker.finish([done!], { sizeBytes: 2_048 })
  assert.deepEqual(
    [why(done!).state, why(done!).reason],
    ['in-memory', 'It has finished; its value, 2 KiB, is on anna.'],
  )
  worker.fail(failed!)
  assert.equal(why(failed!).reason, 'It threw an error, on anna')
  assert.equal(why(after!).reason, `f-${failed!.toString(36)}, which it needs, failed, on anna`)
  client.send({ type: 'cancel', request: 1, tasks: [busyBehind(client, f, 9)], graceMs: 1, error: Uint8Array.of(1) })
})

test('values that clients bring wait for a worker', () => {
  const { client, why } = start()
  const { message, ids } = client.submission(1, [{}])
  assert.equal(message.type, 'submit')
  client.send({
    type: 'scatter',
    array: message.type === 'submit' ? message.array : (0 as never),
    sizeBytes: 5,
    copies: 'one',
    workers: [],
  })
  assert.match(why(ids[0]!).reason, /^Its client has the value, and there is no worker/)
})
