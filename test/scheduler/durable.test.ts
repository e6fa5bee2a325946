/** A scheduler dies, and another one takes its place that has its journal. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayOf, attempt, clientId, outputOf, taskId, type TaskId } from '../../protocol/ids.js'
import { CLIENT_GRACE_MS, REATTACH_MS } from '../../protocol/limits.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { NO_RETRIES } from '../../protocol/messages/rules.js'
import { explain } from '../../scheduler/core/views/explain.js'
import { recordOf } from '../../scheduler/core/tasks/task-array.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

const WAYS = ['journal', 'snapshot'] as const

/** The client comes back on another connection. */
function back(cluster: SchedulerHarness, id = 9, name = 'client') {
  const client = clientId(id)
  cluster.turn({ type: 'client-joined', client, name, session: `session of ${name}` })
  const { first: _first, peerSecret: _secret, ...lease } = cluster.takeFor(client, 'lease')
  return { client, lease }
}

function again(
  cluster: SchedulerHarness,
  { join }: TestWorker,
  held: readonly TaskId[] = [],
  running: readonly TaskId[] = [],
) {
  const worker = cluster.worker(join)
  worker.take('joined')
  worker.send(
    { type: 'tasks-held', tasks: running, attempts: [] },
    { type: 'copies-held', tasks: held, sizes: held.map(() => 2) },
    { type: 'attached' },
  )
  return worker
}

function want(cluster: SchedulerHarness, client: TestClient['id'], ...tasks: TaskId[]): void {
  cluster.turn({ type: 'client-message', client, message: { type: 'want', tasks } })
}

for (const way of WAYS) {
  test(`what was said is acknowledged, and known to the next scheduler by its ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const f = client.define('f')
    assert.equal(client.take('accepted').count, 2)
    const ids = client.submit(f, [{}, {}, {}])
    assert.equal(client.take('accepted').count, 3)
    client.want(...ids)
    client.release(ids[1]!)
    assert.equal(client.take('accepted').count, 4)

    const cluster = before.successor(way)
    assert.equal(cluster.tasks.ready, 2)
    const { client: id, lease } = back(cluster)
    assert.deepEqual(lease, { type: 'lease', count: 2 ** 18, graceMs: CLIENT_GRACE_MS, isResumed: true, saidCount: 4 })
    want(cluster, id, ids[0]!, ids[2]!)
    const worker = cluster.worker({ threads: 2 })
    assert.deepEqual(worker.takeTasks(), [ids[0], ids[2]])
    worker.finish([ids[0]!, ids[2]!])
    assert.deepEqual(cluster.takeFor(id, 'values').tasks, [ids[0], ids[2]])
  })

  test(`finished work is not done again, and running work goes on where it is: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const first = before.worker({ threads: 4 })
    const f = client.define('f')
    const [small, large, running, failed] = client.submit(f, [{}, {}, {}, {}]) as [TaskId, TaskId, TaskId, TaskId]
    const [next] = client.submit(f, [{ inputs: [small, large] }]) as [TaskId]
    first.finish([small])
    first.finish([large], { sizeBytes: 1_000_000 })
    first.fail(failed)

    const cluster = before.successor(way)
    assert.deepEqual(cluster.tasks, { ...cluster.tasks, 'in-memory': 2, failed: 1, ready: 2, processing: 0 })
    const idle = cluster.worker({ threads: 8 })
    assert.deepEqual(idle.takeTasks(), [], 'it is too early to start anything')
    assert.match(explain(cluster.state, next, '').reason, /the scheduler was started again, and 1 worker of the time/)
    const { client: id } = back(cluster)
    want(cluster, id, small, large, running, failed, next)
    assert.deepEqual(cluster.takeFor(id, 'values').tasks, [small], 'small values are in the journal')
    assert.deepEqual(cluster.takeFor(id, 'failed').tasks, [failed])

    const worker = again(cluster, first, [small, large], [running])
    assert.equal(cluster.tasks.processing, 2, 'one goes on, and the other was only waiting for that')
    assert.deepEqual([...worker.takeTasks(), ...idle.takeTasks()], [next])
    worker.finish([running])
    assert.deepEqual(cluster.takeFor(id, 'values').tasks, [running])
    want(cluster, id, large)
    assert.deepEqual(cluster.takeFor(id, 'located').workers, [worker.id])
  })

  test(`what nobody brings back is made again, once everybody had the time: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const first = before.worker()
    const second = before.worker()
    const f = client.define('f')
    const [input] = client.submit(f, [{}]) as [TaskId]
    const [result] = client.submit(f, [{ inputs: [input] }]) as [TaskId]
    first.finish([input], { sizeBytes: 1_000_000 })
    client.release(input)
    const holder = [first, second].find(({ unread }) => unread.includes('run-tasks'))!
    holder.finish([result], { sizeBytes: 1_000_000 })

    const cluster = before.successor(way)
    assert.equal(cluster.tasks['in-memory'], 1)
    back(cluster)
    const worker = again(cluster, second)
    assert.deepEqual(worker.takeTasks(), [])
    assert.equal(cluster.wakeUp(), REATTACH_MS)
    assert.deepEqual(worker.takeTasks(), [input])
    worker.finish([input], { sizeBytes: 1_000_000 })
    assert.deepEqual(worker.takeTasks(), [result])
  })

  test(`futures of others, keys, outputs and detached work are what they were: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client('client')
    const other = before.client('other')
    const f = client.define('f')
    const two = client.define('two', { outputs: 2 })
    const [named, plain, quiet] = client.submit(f, [{ key: 'name' }, {}, {}]) as [TaskId, TaskId, TaskId]
    const { producer, outputs } = client.split(two, 2)
    client.send({ type: 'detach', tasks: [quiet] })
    client.release(quiet, outputs[0]!)
    const array = other.submission(0, [{}]).message
    assert.ok(array.type === 'submit')
    other.send({ type: 'attach', array: array.array, key: 'name' })
    client.release(named)

    const cluster = before.successor(way)
    assert.deepEqual(cluster.tasks, before.tasks)
    const worker = cluster.worker({ threads: 8 })
    const { client: id } = back(cluster, 9, 'other')
    assert.deepEqual(
      worker.takeTasks().sort(),
      [named, quiet].sort(),
      'what nobody need come back for, and what is held',
    )
    const mine = back(cluster, 10)
    assert.deepEqual(worker.takeTasks().sort(), [plain, producer].sort())
    worker.finish([named, plain, quiet])
    worker.finishOutputs([producer], 2)
    want(cluster, id, (array.array * 1_024) as TaskId)
    assert.deepEqual(cluster.takeFor(id, 'values').tasks, [array.array * 1_024])
    want(cluster, mine.client, plain, outputOf(producer, 1))
    assert.deepEqual(cluster.takeFor(mine.client, 'values').tasks, [plain, outputs[1]])
    assert.equal(cluster.tasks['in-memory'], 3, 'nobody holds the others')
  })
}

test('a client that does not come back is given up, and so is one that said that it goes', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client('client')
  const polite = before.client('polite')
  const f = client.define('f')
  const ids = client.submit(f, [{}, {}])
  client.send({ type: 'detach', tasks: [ids[1]!] })
  before.turn({ type: 'client-left', client: polite.id, isFinal: true })
  assert.equal(before.state.sessions.size, 1)
  before.turn({ type: 'client-left', client: client.id, isFinal: false })
  assert.equal(before.tasks.ready, 2)

  const cluster = before.successor()
  assert.equal(cluster.wakeUp(), CLIENT_GRACE_MS)
  assert.equal(cluster.tasks.ready, 1, 'what it detached goes on')
  assert.equal(cluster.state.sessions.size, 0)
  cluster.turn({ type: 'client-joined', client: clientId(9), name: 'client', session: 'session of client' })
  assert.equal(cluster.takeFor(clientId(9), 'lease').isResumed, false)
})

test('a client whose connection broke finds all that it held, though its old one was not seen to end', () => {
  const cluster = new SchedulerHarness({ keepsState: true })
  const client = cluster.client()
  const worker = cluster.worker()
  const f = client.define('f')
  const ids = client.submit(f, [{}, {}])
  worker.finish([ids[0]!])
  cluster.skip()
  const { client: id, lease } = back(cluster)
  assert.equal(lease.saidCount, 3)
  assert.equal(cluster.takeClosing().type, 'close-client')
  assert.deepEqual(cluster.takeFor(id, 'finished').tasks, [ids[0]])
  cluster.turn({ type: 'client-left', client: client.id, isFinal: false })
  worker.finish([ids[1]!])
  want(cluster, id, ids[1]!)
  assert.deepEqual(cluster.takeFor(id, 'values').tasks, [ids[1]])
})

test('nothing is started while the journal has no room, and then all is', () => {
  const cluster = new SchedulerHarness({ keepsState: true })
  const client = cluster.client()
  const worker = cluster.worker()
  cluster.turn({ type: 'journal-full', isFull: true })
  const ids = client.submit(client.define('f'), [{}])
  assert.deepEqual(worker.takeTasks(), [])
  assert.match(explain(cluster.state, ids[0]!, '').reason, /^It waits: the state directory of the scheduler is full/)
  cluster.turn({ type: 'journal-full', isFull: false })
  assert.deepEqual(worker.takeTasks(), ids)
})

test('a worker that comes late with what runs elsewhere by now is told to free it', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const late = before.worker()
  const ids = client.submit(client.define('f'), [{}, {}])
  late.takeTasks()
  const cluster = before.successor()
  back(cluster)
  const other = cluster.worker({ threads: 2 })
  cluster.wakeUp()
  assert.deepEqual(other.takeTasks(), ids)
  const worker = again(cluster, late, [], ids)
  assert.deepEqual(worker.take('free-tasks').tasks, ids)
})

for (const way of WAYS) {
  test(`what tasks submitted goes with the scheduler, and their parents begin again: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const first = before.worker({ threads: 2 })
    first.send({ type: 'attached' })
    const [parent] = client.submit(client.define('parent'), [{}]) as [TaskId]
    assert.deepEqual(first.takeTasks(), [parent])
    const inTask = before.clientOfTasks('w1')
    const { message, ids } = inTask.submission(inTask.define('child'), [{}, {}])
    const [done, running] = ids as [TaskId, TaskId]
    const under = { type: 'submit-under', parent, attempt: attempt(1), call: 0 } as const
    inTask.send(under, message)
    inTask.send({ type: 'detach', tasks: [running] })
    first.send({ type: 'tasks-suspended', tasks: [parent], attempts: [1] })
    first.finish([done])

    const cluster = before.successor(way)
    assert.deepEqual(cluster.tasks, { ...cluster.tasks, ready: 1, 'in-memory': 0 })
    back(cluster, 20)
    const hasty = cluster.clientOfTasks('w1')
    hasty.send(under, { ...message, runs: [], array: arrayOf(done) })
    assert.equal(cluster.takeClosing().code, 'ERR_HEDDLE_CONNECTION_LOST', 'nobody knows yet what its worker runs')
    const worker = again(cluster, first, [done], [parent, running])
    assert.deepEqual(worker.take('free-tasks').tasks.toSorted(), [done, running].toSorted())
    assert.equal(cluster.tasks.processing, 1)
    worker.send({ type: 'tasks-returned', tasks: [parent], attempts: [1], begun: [] })
    assert.deepEqual(worker.takeTasks(), [parent])
    const inTaskAgain = cluster.clientOfTasks('w1')
    const { lease } = cluster.state.workers.get(worker.id)!
    assert.ok(lease.first > arrayOf(done), 'nobody gets ids that were given away')
    const next = inTaskAgain.submission(inTaskAgain.define('child'), [{}])
    inTaskAgain.send({ ...under, attempt: attempt(2) }, next.message)
    assert.deepEqual(worker.takeTasks(), next.ids)
  })

  test(`array ids that workers had for their tasks may still be used, and by nobody else: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const first = before.worker({ threads: 2 })
    first.send({ type: 'attached' })
    const [parent] = client.submit(client.define('parent'), [{}]) as [TaskId]
    first.takeTasks()
    const { first: firstArray } = before.state.workers.get(first.id)!.lease

    const cluster = before.successor(way)
    const worker = again(cluster, first, [], [parent])
    const inTask = cluster.clientOfTasks('w1')
    const { message } = inTask.submission(inTask.define('child'), [{}])
    inTask.send({ type: 'submit-under', parent, attempt: attempt(1), call: 0 }, { ...message, array: firstArray })
    assert.deepEqual(worker.takeTasks(), [taskId(firstArray, 0)])
  })
}

for (const way of WAYS) {
  test(`how often a task was tried is known to the next scheduler: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const client = before.client()
    const first = before.worker({ threads: 2 })
    const f = client.define('f', { rules: { retries: { ...NO_RETRIES, count: 1 }, allowedFailures: 2 } })
    const [failing, deadly] = client.map(f, 2) as [TaskId, TaskId]
    first.takeTasks()
    first.fail(failing)
    first.takeTasks()
    first.leave()

    const cluster = before.successor(way)
    const { client: id } = back(cluster)
    const second = cluster.worker({ threads: 2 })
    assert.deepEqual(second.takeTasks().toSorted(), [failing, deadly])
    assert.deepEqual(
      [failing, deadly].map((task) => recordOf(cluster.state, task)!.deaths),
      [1, 1],
    )
    assert.equal(recordOf(cluster.state, failing)!.failures, 1)
    second.leave()
    for (const task of [failing, deadly]) assert.deepEqual(cluster.takeFor(id, 'failed').tasks, [task])
  })
}

test('a value of a run that is of no account is kept where it is the only one', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const first = before.worker()
  const [x] = client.map(client.define('f'), 1) as [TaskId]
  first.takeTasks()
  const cluster = before.successor()
  const { client: id } = back(cluster)
  const worker = cluster.worker(first.join)
  worker.send(
    { type: 'tasks-held', tasks: [x], attempts: [1] },
    worker.finished([x], { sizeBytes: 1_000_000, attempts: [7] }),
    { type: 'copies-held', tasks: [x], sizes: [1_000_000] },
    { type: 'attached' },
  )
  want(cluster, id, x)
  assert.deepEqual(cluster.takeFor(id, 'located').workers, [worker.id])
  const freed = worker.unread.includes('free-tasks') ? worker.take('free-tasks').tasks : []
  assert.deepEqual(freed, [])
})

test('places that nothing stands for stay taken through any number of snapshots', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const f = client.define('f')
  const ids = client.submit(f, [{}, {}, {}, {}])
  client.release(ids[1]!, ids[2]!)
  const first = before.successor('snapshot')
  const second = first.successor('snapshot')
  const third = second.successor('snapshot')
  for (const cluster of [first, second, third]) assert.equal(cluster.tasks.ready, 2)
  const { client: id } = back(third)
  want(third, id, ids[0]!, ids[3]!)
  const worker = third.worker({ threads: 2 })
  assert.deepEqual(worker.takeTasks(), [ids[0], ids[3]])
})

test('a value that workers may come back with is not given up because somebody asks for it, or one of them goes', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const [first, second] = [before.worker(), before.worker()]
  client.send(scatterOf(client))
  const { task, worker } = client.take('scatter-to')
  const holder = [first, second].find(({ id }) => id === worker)!
  holder.send({ type: 'copies-held', tasks: [task], sizes: [1_000_000] })

  const cluster = before.successor()
  const { client: id } = back(cluster)
  want(cluster, id, task)
  const other = again(cluster, first === holder ? second : first)
  assert.deepEqual(
    cluster.unreadTypes(id, 'to-client').filter((type) => type !== 'finished'),
    [],
  )
  const found = again(cluster, holder, [task])
  assert.deepEqual(cluster.takeFor(id, 'located').workers, [found.id])
  other.leave()
})

test('a client hears that it need not keep a scattered value with what must be kept, and again if it asks', () => {
  const cluster = new SchedulerHarness({ keepsState: true })
  const client = cluster.client()
  const worker = cluster.worker()
  client.send(scatterOf(client))
  const { task } = client.take('scatter-to')
  worker.send({ type: 'copies-held', tasks: [task], sizes: [1_000_000] })
  assert.deepEqual(client.take('scattered').tasks, [task])
  client.release(task)
  cluster.turn({ type: 'client-left', client: client.id, isFinal: false })
  const { client: id } = back(cluster)
  cluster.turn({ type: 'client-message', client: id, message: { type: 'not-scattered', task, worker: 0 } })
  assert.deepEqual(cluster.takeFor(id, 'scattered').tasks, [task])
})

test('a worker that is retired as soon as it is back goes when it has said what it has, and others have that', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const [holder, other] = [before.worker(), before.worker()]
  const [x] = client.map(client.define('f'), 1) as [TaskId]
  const first = [holder, other].find(({ unread }) => unread.includes('run-tasks'))!
  first.finish([x], { sizeBytes: 1_000_000 })

  const cluster = before.successor()
  const { client: id } = back(cluster)
  again(cluster, first === holder ? other : holder)
  const worker = cluster.worker(first.join)
  const retire = { type: 'retire-workers' as const, request: 1, workers: [first.join.name], deadlineMs: 0 }
  cluster.turn({ type: 'client-message', client: id, message: retire })
  worker.take('leave')
  assert.ok(!worker.unread.includes('farewell'))
  worker.send({ type: 'copies-held', tasks: [x], sizes: [1_000_000] }, { type: 'attached' })
  assert.ok(!worker.unread.includes('farewell'))
})

for (const way of WAYS) {
  test(`work of a client that has not come back is not started, unless others need it: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const [client, other, gone] = [before.client('client'), before.client('other'), before.client('gone')]
    const f = client.define('f')
    const gpu = client.define('gpu', { needs: { ...NO_NEEDS, threads: 0 } })
    const [plain, input, key, detached] = client.submit(f, [{}, {}, { key: 'name' }, {}]) as [TaskId, ...TaskId[]]
    const [urgent] = client.map(client.define('urgent', { priority: 9 }), 1) as [TaskId]
    const [io] = client.map(gpu, 1) as [TaskId]
    const [middle] = client.submit(f, [{ inputs: [input!], key: 'middle' }]) as [TaskId]
    client.send({ type: 'detach', tasks: [detached!] })
    const alias = other.submission(0, [{}]).message
    assert.ok(alias.type === 'submit')
    other.send({ type: 'attach', array: alias.array, key: 'middle' })
    const ofOther = other.map(other.define('other'), 1)
    const [last] = gone.map(gone.define('gone'), 1) as [TaskId]
    gone.send({ type: 'detach', tasks: [last] })
    before.turn({ type: 'client-left', client: gone.id, isFinal: true })

    const cluster = before.successor(way)
    const worker = cluster.worker({ threads: 16 })
    assert.deepEqual(worker.takeTasks().toSorted(), [detached, last].toSorted(), 'only what nobody need come back for')
    assert.match(explain(cluster.state, plain, '').reason, /its client has not come back since/)
    back(cluster, 20, 'other')
    assert.deepEqual(
      worker.takeTasks().toSorted(),
      [input!, ...ofOther].toSorted(),
      'what it holds, and what that needs',
    )
    worker.finish([input!, ...ofOther])
    assert.deepEqual(worker.takeTasks(), [middle])
    const third = cluster.client('third')
    const again = third.submission(0, [{}]).message
    assert.ok(again.type === 'submit')
    third.send({ type: 'attach', array: again.array, key: 'name' })
    assert.deepEqual(worker.takeTasks(), [key])
    const [late] = third.submit(third.define('late'), [{ inputs: [plain] }]) as [TaskId]
    assert.deepEqual(worker.takeTasks(), [plain])
    back(cluster, 21)
    assert.deepEqual(worker.takeTasks().toSorted(), [urgent, io].toSorted(), 'each once')
    worker.finish([plain])
    assert.deepEqual(worker.takeTasks(), [late])
  })

  test(`what was lost is made again for a client that is here, and not for one that is missing: ${way}`, () => {
    const before = new SchedulerHarness({ keepsState: true })
    const [client, other] = [before.client('client'), before.client('other')]
    const first = before.worker({ threads: 4 })
    const [mine, shared] = client.submit(client.define('f'), [{}, { key: 'shared' }]) as [TaskId, TaskId]
    const alias = other.submission(0, [{}]).message
    assert.ok(alias.type === 'submit')
    other.send({ type: 'attach', array: alias.array, key: 'shared' })
    first.takeTasks()
    first.finish([mine, shared], { sizeBytes: 1_000_000 })

    const cluster = before.successor(way)
    const worker = cluster.worker({ threads: 4 })
    back(cluster, 20, 'other')
    assert.equal(cluster.wakeUp(), REATTACH_MS)
    assert.deepEqual(worker.takeTasks(), [shared])
    back(cluster, 21)
    assert.deepEqual(worker.takeTasks(), [mine])
  })
}

test('a client is waited for as long as the scheduler was told', () => {
  const before = new SchedulerHarness({ keepsState: true, clientGraceMs: 5_000 })
  const client = before.client()
  const ids = client.map(client.define('f'), 2)
  client.send({ type: 'detach', tasks: [ids[1]!] })
  const cluster = before.successor()
  assert.equal(cluster.wakeUp(), 5_000)
  const worker = cluster.worker({ threads: 4 })
  assert.deepEqual(worker.takeTasks(), [ids[1]])
  worker.finish([ids[1]!])
  cluster.expectEmpty()
})

function scatterOf(client: TestClient) {
  const { message } = client.submission(0, [{}])
  assert.ok(message.type === 'submit')
  return { type: 'scatter' as const, array: message.array, sizeBytes: 1_000_000, copies: 'one' as const, workers: [] }
}
