/** Tasks are sent ahead of their inputs, and taken back where these come from elsewhere, or not at all. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { attempt, clientId, generatedKey, type TaskId } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import type { HeardFromClient } from '../../scheduler/core/events.js'
import type { RunTasks } from '../../protocol/messages/worker.js'
import { detailsOf } from '../../scheduler/core/views/details.js'
import { dumpOf } from '../../scheduler/core/views/dump.js'
import { statusOf } from '../../scheduler/core/views/status.js'
import { SchedulerHarness, type TestClient, type TestWorker } from '../support/scheduler-harness.js'

/** So short that what they take counts for nothing beside what their inputs take from one worker to another. */
const SHORT_US = 10
/** So long that two of them are done sooner on two workers. */
const MIDDLING_US = 5_000

interface Listed {
  readonly count: number
  readonly keys: readonly string[]
}

/** What a dump says of workers and their tasks. */
interface Dump {
  readonly workers: readonly { readonly processing: Listed; readonly sentAhead: Listed }[]
  readonly pendingTasks: readonly { readonly key: string; readonly state: string; readonly worker?: string }[]
}

interface Cluster {
  readonly scheduler: SchedulerHarness
  readonly workers: readonly TestWorker[]
  readonly client: TestClient
  /** A function whose time is known. */
  readonly f: number
}

function cluster({ workers: count = 1, threads = 1, us = SHORT_US, keepsState = false } = {}): Cluster {
  const scheduler = new SchedulerHarness({ keepsState, maxAheadUs: 24_000 })
  const workers = Array.from({ length: count }, () => scheduler.worker({ threads }))
  const client = scheduler.client()
  const f = client.define()
  const known = client.map(f, count)
  for (const worker of workers) {
    scheduler.skipAllBut('run-tasks')
    worker.finish(worker.takeTasks(), { template: f, us })
  }
  client.release(...known)
  scheduler.skip()
  return { scheduler, workers, client, f }
}

/** A worker, and a function that took `us`; the limits are those of a real cluster. */
function timed(us: number | undefined, { threads = 1 } = {}) {
  const scheduler = new SchedulerHarness()
  const worker = scheduler.worker({ threads })
  const client = scheduler.client()
  const f = client.define()
  if (us !== undefined) worker.finish(client.map(f, 1), { template: f, us })
  scheduler.skip()
  return { scheduler, worker, client, f }
}

/** Tasks of which each needs the one before. */
function chain({ client, f }: Cluster, length: number): TaskId[] {
  const ids: TaskId[] = []
  const messages: HeardFromClient[] = []
  while (ids.length < length) {
    const submission = client.submission(f, [ids.length === 0 ? {} : { inputs: [ids.at(-1)!] }])
    messages.push(submission.message)
    ids.push(...submission.ids)
  }
  client.send(...messages)
  return ids
}

/** Two workers make an input each of a task that one of them, its owner, was sent ahead. */
function meeting({ keepsState = false } = {}) {
  const all = cluster({ workers: 2, us: MIDDLING_US, keepsState })
  const [a, b] = all.client.map(all.f, 2)
  const [both] = all.client.submit(all.f, [{ inputs: [a!, b!] }])
  const owner = all.workers.find((worker) => tasksOf(takeRuns(worker)).includes(both!))!
  const other = all.workers.find((worker) => worker !== owner)!
  const [own, input] = owner === all.workers[0] ? [a!, b!] : [b!, a!]
  return { all, owner, other, own, input, both: both! }
}

/** What the worker is told to run, all in one. */
function takeRuns(worker: TestWorker): RunTasks[] {
  const runs: RunTasks[] = []
  while (worker.unread.includes('run-tasks')) runs.push(worker.take('run-tasks'))
  return runs
}

function tasksOf(runs: readonly RunTasks[]): TaskId[] {
  return runs.flatMap(({ tasks }) => tasks)
}

test('a chain goes to a worker before its inputs are there, which it is to make itself', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 3)

  const { tasks, pendingInputs, pendingHolders } = worker!.take('run-tasks')
  assert.deepEqual(tasks, ids)
  assert.deepEqual([pendingInputs, pendingHolders], [ids.slice(0, 2), [worker!.id, worker!.id]])
  assert.equal(all.scheduler.state.workers.get(worker!.id)!.ahead.size, 2)
})

test('tasks that were sent ahead are told of by worker, and none once they are ordinary ones', () => {
  const all = cluster()
  const { state } = all.scheduler
  const [worker] = all.workers
  const ids = chain(all, 3)
  const figures = (): number[] =>
    statusOf(state).workers.flatMap(({ processing, sentAhead }) => [processing, sentAhead])
  assert.deepEqual(figures(), [1, 2])
  const { workers, pendingTasks } = JSON.parse(dumpOf(state)) as Dump
  assert.equal(workers[0]!.sentAhead.count, 2)
  const { name } = state.workers.get(worker!.id)!.join
  assert.deepEqual(
    pendingTasks.map(({ key, state: type, worker: at }) => [key, type, at]),
    [
      [workers[0]!.processing.keys[0], 'processing', name],
      ...workers[0]!.sentAhead.keys.map((key) => [key, 'waiting', name]),
    ],
  )
  assert.equal(detailsOf(state, workers[0]!.sentAhead.keys[0]!)!.worker, name)

  worker!.finish(ids.slice(0, 2))
  assert.deepEqual(figures(), [1, 0])
})

test('nothing more is sent for a task when its inputs come', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 3)
  all.client.want(ids[2]!)
  all.scheduler.skip()

  worker!.finish([ids[0]!])
  worker!.finish([ids[1]!])
  assert.deepEqual(takeRuns(worker!), [])
  worker!.finish([ids[2]!])
  assert.deepEqual([...all.client.takeValues().keys()], [ids[2]])
})

test('outcomes may be told in any order', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 3)
  all.client.want(...ids)
  all.scheduler.skip()

  worker!.finish([ids[2]!])
  worker!.finish([ids[1]!])
  assert.deepEqual(takeRuns(worker!), [])
  worker!.finish([ids[0]!])
  const values = [all.client.takeValues(), all.client.takeValues(), all.client.takeValues()]
  assert.deepEqual(
    values.flatMap((each) => [...each.keys()]),
    [ids[2], ids[1], ids[0]],
  )
})

test('what two workers are to make is awaited of the other, which says how far that is', () => {
  const all = cluster({ workers: 2, us: MIDDLING_US })
  const [one, two] = all.workers
  const [a, b] = all.client.map(all.f, 2)
  const [both] = all.client.submit(all.f, [{ inputs: [a!, b!] }])

  const here = takeRuns(one!)
  const there = takeRuns(two!)
  assert.deepEqual([tasksOf(here)[0], tasksOf(there)[0]], [a, b])
  const [maker, other] = tasksOf(here).includes(both!) ? [one!, two!] : [two!, one!]
  const last = [...here, ...there].find(({ tasks }) => tasks.includes(both!))!
  assert.deepEqual(
    last.pendingInputs.map((input, i) => [input, last.pendingHolders[i]]),
    [
      [a, one!.id],
      [b, two!.id],
    ],
  )
  // One task before, by which the function is known, and the maker.
  assert.equal(last.pendingAfter[last.pendingHolders.indexOf(other.id)], 2)
  assert.ok(maker.id !== other.id)
})

test('tasks that two threads do sooner than one go to both', () => {
  const all = cluster({ workers: 2, us: MIDDLING_US })
  const [one, two] = all.workers
  const [first] = all.client.map(all.f, 1)
  const next = all.client.submit(
    all.f,
    [0, 1, 2, 3].map(() => ({ inputs: [first!] })),
  )

  const sent = [one!, two!].map((worker) => tasksOf(takeRuns(worker)).filter((id) => next.includes(id)).length)
  assert.deepEqual(sent, [2, 2])
})

test('tasks whose values are needed together are made by one worker, unless they take long', () => {
  /** Of two workers, each makes an input of one of two tasks; so many others need the values of both. How many have these two? */
  const makers = (us: number, dependants: number): number => {
    const all = cluster({ workers: 2, us })
    const { client, f } = all
    const inputs = client.map(f, 2)
    const two = client.submission(
      f,
      inputs.map((input) => ({ inputs: [input] })),
    )
    const rest = Array.from({ length: dependants }, () => client.submission(f, [{ inputs: two.ids }]).message)
    client.send(two.message, ...rest)
    return all.workers.filter((worker) => tasksOf(takeRuns(worker)).some((id) => two.ids.includes(id))).length
  }
  assert.equal(makers(400, 0), 2)
  assert.equal(makers(400, 3), 1)
  assert.equal(makers(MIDDLING_US, 3), 2)
})

test('chains that begin with one task are shared, and most go on where they are', () => {
  for (const us of [50, 250]) {
    const all = cluster({ workers: 2, us })
    const { client, f, workers } = all
    const root = client.submission(f, [{}])
    const messages = [root.message]
    const chains = Array.from({ length: 8 }, () => [...root.ids])
    for (let link = 0; link < 4; link++) {
      for (const links of chains) {
        const { ids, message } = client.submission(f, [{ inputs: [links.at(-1)!] }])
        links.push(...ids)
        messages.push(message)
      }
    }
    client.send(...messages)
    const sent = workers.map((worker) => new Set(tasksOf(takeRuns(worker))))
    const places = chains.map(([, ...links]) => sent.map((ids) => links.filter((id) => ids.has(id)).length))
    const parted = places.filter((counts) => !counts.includes(4)).length
    assert.ok(parted <= 3, `chains of ${us} µs move: ${JSON.stringify(places)}`)
    const links = sent.map(({ size }) => size)
    assert.ok(Math.min(...links) >= 8, `of chains of ${us} µs workers have ${links.join(' and ')} links`)
  }
})

test('however much tasks have to do with each other, a worker has 4.8 ms of them more than another at most', () => {
  // Sixteen tasks that all need the same two, and that three others need.
  const all = cluster({ workers: 2, us: 1_000 })
  const { client, f, workers } = all
  const roots = client.submission(f, [{}, {}])
  const sixteen = client.submission(
    f,
    Array.from({ length: 16 }, () => ({ inputs: roots.ids })),
  )
  const rest = Array.from({ length: 3 }, () => client.submission(f, [{ inputs: sixteen.ids }]).message)
  client.send(roots.message, sixteen.message, ...rest)
  const counts = workers.map((worker) => tasksOf(takeRuns(worker)).filter((id) => sixteen.ids.includes(id)).length)
  assert.equal(counts[0]! + counts[1]!, 16)
  assert.ok(Math.abs(counts[0]! - counts[1]!) <= 6, `they have ${counts.join(' and ')}`)
})

test('of workers that do not listen, each has ahead what needs its own values only', () => {
  const scheduler = new SchedulerHarness({ maxAheadUs: 24_000 })
  const workers = [scheduler.worker({ address: '' }), scheduler.worker({ address: '' })]
  const client = scheduler.client()
  const f = client.define()
  const known = client.map(f, 2)
  for (const worker of workers) worker.finish(worker.takeTasks(), { template: f, us: 1_000 })
  client.release(...known)
  scheduler.skip()
  const root = client.submission(f, [{}])
  const row = client.submission(
    f,
    Array.from({ length: 6 }, () => ({ inputs: root.ids })),
  )
  client.send(root.message, row.message)
  assert.deepEqual(workers.map((worker) => worker.takeTasks().length).sort(), [0, 7])
})

/** A map of so many tasks, and five rows of tasks that need one each of the row before. */
function rows({ client, f }: Cluster, width: number): TaskId[] {
  const ids = client.map(f, width)
  const messages: HeardFromClient[] = []
  let row = ids
  while (messages.length < 5) {
    const next = client.submission(
      f,
      row.map((input) => ({ inputs: [input] })),
    )
    messages.push(next.message)
    row = next.ids
    ids.push(...row)
  }
  client.send(...messages)
  return ids
}

test('a worker with many tasks that may run has few ahead, unless it is the only one', () => {
  for (const { workers: count, width, sent } of [
    { workers: 2, width: 40, sent: 120 },
    { workers: 2, width: 42, sent: 21 },
    { workers: 1, width: 42, sent: 252 },
    { workers: 1, width: 60, sent: 324 },
  ]) {
    const all = cluster({ workers: count })
    rows(all, width)
    for (const worker of all.workers) assert.equal(tasksOf(takeRuns(worker)).length, sent)
  }
})

test('a worker with many tasks that may run gets more ahead once the only other one wants to go', () => {
  const all = cluster({ workers: 2 })
  const [staying, leaving] = all.workers
  rows(all, 60)
  const has = tasksOf(takeRuns(staying!))
  assert.equal(has.length, 30)
  leaving!.send({ type: 'leaving' })
  all.scheduler.skipAllBut('run-tasks')
  staying!.finish(has.slice(0, 1))
  assert.ok(tasksOf(takeRuns(staying!)).length > 100)
})

test('once another worker joins, the only one gets no more of a wide graph ahead, and they share what becomes ready', () => {
  const all = cluster()
  const [first] = all.workers
  const ids = rows(all, 60)
  const has = tasksOf(takeRuns(first!))
  assert.equal(has.length, 324)
  const second = all.scheduler.worker({ threads: 1 })
  all.scheduler.skip()
  for (let done = 0; done < 240; done += 60) first!.finish(has.slice(done, done + 60))
  assert.deepEqual([...tasksOf(takeRuns(first!)), ...tasksOf(takeRuns(second))], [])

  first!.finish(has.slice(240, 300))
  const more = tasksOf(takeRuns(first!))
  const shared = tasksOf(takeRuns(second))
  assert.deepEqual(new Set([...more, ...shared]), new Set(ids.slice(324)))
  assert.ok(shared.length > more.length, `they have ${more.length} and ${shared.length}`)
})

/**
 * A worker has so many tasks of 100 µs, the next of a chain is submitted behind one of them, and tasks that need two each; another
 * worker has nothing.
 */
function uneven(width: number, { workers = 2 } = {}) {
  const scheduler = new SchedulerHarness()
  const busy = scheduler.worker({ threads: 1 })
  const client = scheduler.client()
  const f = client.define()
  const [first] = client.map(f, 1)
  busy.finish(busy.takeTasks(), { template: f, us: 100 })
  const row = client.map(f, width)
  // They are too few to be asked back for this one.
  const idle = workers === 2 ? scheduler.worker({ threads: 1 }) : undefined
  scheduler.skip()
  const finish = (ids: readonly TaskId[]): void => {
    busy.finish(ids, { template: f, us: 100 })
  }
  /** Of the first so many tasks of the row. */
  const submit = (count = width): { next: TaskId; joins: TaskId[] } => {
    const next = client.submission(f, [{ inputs: [first!, row[0]!] }])
    const joins = client.submission(f, pairsOf(row.slice(1, count)))
    client.send(next.message, joins.message)
    return { next: next.ids[0]!, joins: joins.ids }
  }
  return { scheduler, busy, idle, client, f, row, finish, submit }
}

function pairsOf(row: readonly TaskId[]) {
  return row.slice(1).map((input, i) => ({ inputs: [row[i]!, input] }))
}

test('a graph of which one worker has 0.6 ms more to do than if all took part is shared: only chains go ahead', () => {
  for (const { width, workers, isShared } of [
    { width: 12, workers: 2, isShared: false },
    { width: 13, workers: 2, isShared: true },
    { width: 20, workers: 1, isShared: false },
  ]) {
    const { busy, submit } = uneven(width, { workers })
    const { next, joins } = submit()
    const sent = tasksOf(takeRuns(busy))
    assert.ok(sent.includes(next), 'the next of a chain goes ahead')
    assert.deepEqual(sent.filter((id) => joins.includes(id)).length, isShared ? 0 : joins.length, `${width} tasks`)
  }
})

test('tasks of a shared graph go to whoever is free when their inputs have come, and those behind them wait', () => {
  const { scheduler, busy, idle, client, f, row, finish, submit } = uneven(13)
  const { next, joins } = submit()
  scheduler.skip()
  finish([...row, next])
  const counts = [busy, idle!].map((worker) => tasksOf(takeRuns(worker)).filter((id) => joins.includes(id)).length)
  assert.equal(counts[0]! + counts[1]!, joins.length)
  assert.ok(Math.min(...counts) >= 4, `they have ${counts.join(' and ')}`)
  for (const passedMs of [49, 2]) {
    scheduler.nowMs += passedMs
    client.submit(f, pairsOf(joins))
    assert.deepEqual([...takeRuns(busy), ...takeRuns(idle!)], [])
  }
})

test('a graph is shared until 50 ms after one worker could do alone what is ready', () => {
  for (const { ready, isShared } of [
    { ready: 8, isShared: false },
    { ready: 9, isShared: true },
  ]) {
    const { scheduler, busy, client, row, finish, submit } = uneven(13)
    const { next, joins } = submit()
    client.release(next, ...joins)
    scheduler.skip()
    finish(row.slice(ready))
    scheduler.skip()
    const isAhead = (): boolean => {
      const more = submit(ready).joins
      return tasksOf(takeRuns(busy)).some((id) => more.includes(id))
    }
    scheduler.nowMs += 49
    assert.equal(isAhead(), false, `${ready} tasks, 49 ms later`)
    scheduler.nowMs += 1
    assert.equal(isAhead(), !isShared, `${ready} tasks, 50 ms later`)
  }
})

test('tasks of up to 150 µs go ahead, and up to 2 ms the next of a chain; a function that was never timed does not', () => {
  for (const { us, needs, goesAhead } of [
    { us: 150, needs: 2, goesAhead: true },
    { us: 151, needs: 2, goesAhead: false },
    { us: 151, needs: 1, goesAhead: true },
    { us: 2_000, needs: 1, goesAhead: true },
    { us: 2_001, needs: 1, goesAhead: false },
    { us: undefined, needs: 1, goesAhead: false },
  ]) {
    const { worker, client, f } = timed(us)
    const inputs = client.submission(
      f,
      Array.from({ length: needs }, () => ({})),
    )
    const last = client.submission(f, [{ inputs: inputs.ids }])
    client.send(inputs.message, last.message)
    assert.equal(tasksOf(takeRuns(worker)).includes(last.ids[0]!), goesAhead, `${us} µs, with ${needs} inputs`)
  }
})

test('a longer task goes ahead only if nothing else waits for its input, and its other inputs are there or come along', () => {
  for (const { beside, value, goesAhead } of [
    { beside: 'nothing', value: 'none', goesAhead: true },
    { beside: 'another task', value: 'none', goesAhead: false },
    { beside: 'nothing', value: 'large, and there', goesAhead: true },
    { beside: 'nothing', value: 'large, and elsewhere', goesAhead: false },
    { beside: 'nothing', value: 'small, and elsewhere', goesAhead: true },
  ]) {
    const { scheduler, worker, client, f } = timed(1_000)
    const elsewhere = scheduler.worker()
    const [there, away] = client.map(f, 2)
    assert.deepEqual(
      [worker, elsewhere].map((each) => tasksOf(takeRuns(each))),
      [[there], [away]],
    )
    worker.finish([there!], { sizeBytes: 5_000 })
    elsewhere.finish([away!], value.startsWith('small') ? {} : { sizeBytes: 5_000 })

    const maker = client.submission(f, [{ inputs: [there!] }])
    const others = value === 'none' ? [] : value.endsWith('elsewhere') ? [away!] : [there!]
    const next = client.submission(f, [{ inputs: [...maker.ids, ...others] }])
    const another = client.submission(f, [{ inputs: maker.ids }])
    const messages = [maker, next, ...(beside === 'nothing' ? [] : [another])].map(({ message }) => message)
    client.send(...messages)
    const expected = goesAhead ? [...maker.ids, ...next.ids] : maker.ids
    assert.deepEqual(tasksOf(takeRuns(worker)), expected, `beside ${beside}, with a value that is ${value}`)
    assert.deepEqual(tasksOf(takeRuns(elsewhere)), [])
  }
})

test('a longer task goes ahead to where its input is made, or waits here where it would be done sooner elsewhere', () => {
  const { scheduler, worker, client, f } = timed(1_000)
  const other = scheduler.worker()
  const heads = client.submission(f, [{}, {}, {}])
  const next = heads.ids.map((input) => client.submission(f, [{ inputs: [input] }]))
  client.send(heads.message, ...next.map(({ message }) => message))
  const [first, second, third] = heads.ids
  const [afterFirst, afterSecond] = next.map(({ ids }) => ids[0]!)
  assert.deepEqual(tasksOf(takeRuns(worker)), [first, third, afterFirst])
  assert.deepEqual(tasksOf(takeRuns(other)), [second, afterSecond])
})

test('of a chain of longer tasks no more than 24 ms go ahead, however many threads a worker has', () => {
  const { scheduler, worker, client, f } = timed(1_000, { threads: 4 })
  const other = scheduler.worker({ threads: 4 })
  const ids = chain({ scheduler, workers: [worker], client, f }, 100)
  assert.deepEqual(tasksOf(takeRuns(worker)), ids.slice(0, 24))

  // Its other threads have their part of what comes.
  client.map(f, 40)
  const counts = [worker, other].map((each) => tasksOf(takeRuns(each)).length)
  assert.ok(Math.min(...counts) >= 8, `they have ${counts.join(' and ')} more`)
})

test('a task that needs one value twice is the next of a chain', () => {
  const { worker, client, f } = timed(1_000)
  const first = client.submission(f, [{}])
  const square = client.submission(f, [{ inputs: [...first.ids, ...first.ids] }])
  client.send(first.message, square.message)
  assert.deepEqual(tasksOf(takeRuns(worker)), [...first.ids, ...square.ids])
})

test('the next of a chain stays where it was sent when another task comes to need its input', () => {
  const { scheduler, worker, client, f } = timed(1_000)
  const ids = chain({ scheduler, workers: [worker], client, f }, 4)
  assert.deepEqual(tasksOf(takeRuns(worker)), ids)
  client.submit(f, [{ inputs: [ids[1]!] }])
  worker.finish([ids[0]!], { template: f, us: 1_000 })
  assert.ok(!worker.unread.includes('recall'))
})

test('what is ahead at a worker counts as load: other tasks go to one that has less', () => {
  const { scheduler, worker, client, f } = timed(1_000)
  const other = scheduler.worker()
  const heads = client.submission(f, [{}, {}])
  const next = client.submission(f, [{ inputs: [heads.ids[0]!] }])
  client.send(heads.message, next.message)
  assert.deepEqual(tasksOf(takeRuns(worker)), [heads.ids[0], next.ids[0]])
  assert.deepEqual(tasksOf(takeRuns(other)), [heads.ids[1]])

  const [task] = client.map(f, 1)
  assert.deepEqual([tasksOf(takeRuns(worker)), tasksOf(takeRuns(other))], [[], [task]])
})

test('a thread that is idle beside a chain has its part of what comes, and nothing goes to and fro', () => {
  const { scheduler, worker: holder, client, f } = timed(1_000, { threads: 2 })
  const g = client.define('g')
  const [value] = client.map(g, 1)
  holder.finish([value!], { template: g, us: 3_000, sizeBytes: 5_000 })
  client.map(g, 2)
  const chained = scheduler.worker({ threads: 2 })
  scheduler.skip()
  const ids = chain({ scheduler, workers: [chained], client, f }, 24)
  assert.deepEqual(tasksOf(takeRuns(chained)), ids)

  client.submit(
    g,
    Array.from({ length: 6 }, () => ({ inputs: [value!] })),
  )
  assert.ok(takeRuns(chained).length > 0, 'its second thread has nothing to do')
  assert.ok(!holder.unread.includes('recall'))
})

test('a worker with 24 ms of work, most of it ahead, gets one more for its thread, and no others', () => {
  const { scheduler, worker, client, f } = timed(1_000)
  const ids = chain({ scheduler, workers: [worker], client, f }, 30)
  assert.deepEqual(tasksOf(takeRuns(worker)), ids.slice(0, 24))
  const [one, two] = client.map(f, 2)
  assert.deepEqual(tasksOf(takeRuns(worker)), [one])
  worker.finish(ids.slice(0, 2), { template: f, us: 1_000 })
  assert.deepEqual(tasksOf(takeRuns(worker)), [two])
})

test('of a chain, what was sent ahead is asked back when its tasks take more than twice what may go ahead of it', () => {
  const { scheduler, worker, client, f } = timed(1_000)
  const ids = chain({ scheduler, workers: [worker], client, f }, 8)
  assert.deepEqual(tasksOf(takeRuns(worker)), ids)
  for (const id of ids.slice(0, 3)) worker.finish([id], { template: f, us: 4_000 })
  assert.ok(!worker.unread.includes('recall'))
  worker.finish([ids[3]!], { template: f, us: 4_001 })
  assert.deepEqual(worker.take('recall').tasks, ids.slice(4))
})

test('tasks of which more must be watched than their inputs do not go ahead', () => {
  const needs = { ...NO_NEEDS, memoryBytes: 1 }
  for (const options of [
    { needs },
    { rules: { onDependencyError: 'skip' as const } },
    { rules: { onDependencyError: 'pass-error' as const } },
    { rules: { queueTimeoutMs: 1_000 } },
    { rules: { isStream: true } },
    { outputs: 2 },
  ]) {
    const { client, f, workers, scheduler } = cluster()
    const [worker] = workers
    // Of the same function, so its time is known.
    const [first] = client.map(f, 1)
    const g = client.define('f', options)
    if (options.outputs === undefined) client.submit(g, [{ inputs: [first!] }])
    else client.split(g, options.outputs, [first!])
    assert.deepEqual(worker!.takeTasks(), [first], JSON.stringify(options))
    assert.equal(scheduler.state.workers.get(worker!.id)!.ahead.size, 0)
  }
})

test('a worker has so many ahead at most, or so much time of work, and gets much more once it has little', () => {
  for (const { us, most, quarter } of [
    { us: SHORT_US, most: 324, quarter: 81 },
    { us: 100, most: 240, quarter: 60 },
    { us: 1_000, most: 24, quarter: 6 },
  ]) {
    const all = cluster({ us })
    const [worker] = all.workers
    const ids = chain(all, 600)
    assert.deepEqual(tasksOf(takeRuns(worker!)), ids.slice(0, most))

    worker!.finish(ids.slice(0, quarter))
    assert.deepEqual(tasksOf(takeRuns(worker!)), [])
    worker!.finish(ids.slice(quarter, quarter + 1))
    assert.deepEqual(tasksOf(takeRuns(worker!)), ids.slice(most, most + quarter + 1))
  }
})

test('what was sent ahead is asked back when its function takes much longer by now, and waits here from then on', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 6)
  all.scheduler.skip()

  worker!.finish([ids[0]!], { template: all.f, us: 1_000_000 })
  assert.ok(!worker!.unread.includes('recall'), 'one that takes long may have been compiled, or met the collector')
  worker!.finish([ids[1]!], { template: all.f, us: 1_000_000 })
  assert.deepEqual(worker!.take('recall').tasks, ids.slice(2))
  // The third had begun.
  worker!.send(
    { type: 'tasks-kept', tasks: [ids[2]!] },
    { type: 'tasks-returned', tasks: ids.slice(3), attempts: [], begun: [] },
  )
  assert.deepEqual(takeRuns(worker!), [])
  assert.deepEqual(
    ids.slice(3).map((id) => findTask(all, id).state),
    ids.slice(3).map(() => ({ type: 'waiting', missing: 1, ahead: undefined })),
  )
  worker!.finish([ids[2]!], { template: all.f, us: 1_000_000 })
  assert.deepEqual(tasksOf(takeRuns(worker!)), [ids[3]])
})

test('what another function takes is no reason to ask tasks back, nor is it when they take a little longer', () => {
  const all = cluster({ threads: 2 })
  const [worker] = all.workers
  const other = all.client.define('other')
  const ids = chain(all, 6)
  all.scheduler.skip()
  for (let i = 0; i < 2; i++) {
    const [slow] = all.client.map(other, 1)
    assert.deepEqual(tasksOf(takeRuns(worker!)), [slow])
    worker!.finish([slow!], { template: other, us: 1_000_000 })
  }
  assert.ok(!worker!.unread.includes('recall'))

  worker!.finish([ids[0]!], { template: all.f, us: 1_000_000 })
  worker!.finish([ids[1]!], { template: all.f, us: 48_000 })
  assert.ok(!worker!.unread.includes('recall'))
  worker!.finish([ids[2]!], { template: all.f, us: 48_001 })
  assert.deepEqual(worker!.take('recall').tasks, ids.slice(3))
})

test('while anything is ready, nothing goes ahead', () => {
  const all = cluster()
  const [worker] = all.workers
  const slow = all.client.define('slow')
  // Of a function without a known time one runs, and others wait.
  const others = all.client.map(slow, 3)
  const ids = chain(all, 2)

  assert.deepEqual(tasksOf(takeRuns(worker!)), [others[0]])
  worker!.finish([others[0]!], { template: slow, us: 10 })
  assert.deepEqual(tasksOf(takeRuns(worker!)), [others[1], others[2], ...ids])
})

test('with an input that fails all that was sent ahead of it fails, and is taken back', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 3)
  all.client.want(...ids)
  all.scheduler.skip()

  worker!.fail(ids[0]!)
  const { tasks } = worker!.take('free-tasks')
  assert.deepEqual(new Set(tasks), new Set([ids[1], ids[2]]))
  assert.deepEqual(new Set(all.client.take('failed').tasks), new Set(ids))
  all.client.release(...ids)
  all.scheduler.expectEmpty()
})

test('nothing goes ahead of a task that may be tried again', () => {
  const all = cluster()
  const [worker] = all.workers
  const g = all.client.define('f', { rules: { retries: { ...RETRIES, count: 1 } } })
  const [first] = all.client.map(g, 1)
  all.client.submit(all.f, [{ inputs: [first!] }])
  assert.deepEqual(tasksOf(takeRuns(worker!)), [first])
})

test('an input that comes back takes back what was sent ahead, which is sent again behind it', () => {
  const all = cluster()
  const [worker] = all.workers
  const [first, second] = chain(all, 2)
  assert.deepEqual(tasksOf(takeRuns(worker!)), [first, second])

  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [], begun: [] })
  assert.deepEqual(worker!.take('recall').tasks, [second], 'before it is sent again')
  const again = takeRuns(worker!)
  assert.deepEqual(tasksOf(again), [first, second])
  assert.deepEqual(
    again.flatMap(({ attempts }) => attempts),
    [2, 2],
  )
  // Neither of them had begun.
  assert.deepEqual(
    again.flatMap(({ unstarted }) => unstarted),
    [
      { place: 0, count: 1 },
      { place: 1, count: 1 },
    ],
  )
})

test('a worker that dies loses what it had ahead, and nobody is blamed who had not begun', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 3)
  worker!.leave()

  const next = all.scheduler.worker({ threads: 1 })
  all.scheduler.skipAllBut('run-tasks')
  assert.deepEqual(next.takeTasks(), ids)
  assert.deepEqual(
    ids.map((id) => findTask(all, id).deaths),
    [1, 0, 0],
  )
})

test('when the worker of an input dies, what waits for that elsewhere is taken back', () => {
  const { owner, other, input, both } = meeting()

  other.leave()
  assert.deepEqual(owner.take('recall').tasks, [both])
  // Both its inputs are made here from now on.
  const { tasks, pendingHolders } = takeRuns(owner).at(-1)!
  assert.deepEqual(tasks, [input, both])
  assert.deepEqual(pendingHolders, [owner.id, owner.id])
})

test('a task that could not get its input is not sent ahead again', () => {
  const { all, owner, other, own, input, both } = meeting()

  owner.send({ type: 'inputs-missing', task: both, attempt: attempt(1), inputs: [input], holder: other.id })
  all.scheduler.skip()
  owner.pulse()
  other.pulse()
  assert.deepEqual([...takeRuns(owner), ...takeRuns(other)], [])
  other.finish([input])
  owner.finish([own])
  assert.deepEqual(tasksOf([...takeRuns(owner), ...takeRuns(other)]), [both])
})

test('late word of an attempt that was taken back does no harm to the one that was sent since', () => {
  const all = cluster()
  const [worker] = all.workers
  const [first, second] = chain(all, 2)
  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [], begun: [] })
  all.scheduler.skip()

  worker!.send({
    type: 'inputs-missing',
    task: second!,
    attempt: attempt(1),
    inputs: [first!],
    holder: worker!.id,
  })
  assert.deepEqual(worker!.unread, [])
  worker!.finish([first!], { attempts: [2] })
  worker!.finish([second!], { attempts: [2] })
  assert.equal(findTask(all, second!).state.type, 'in-memory')
})

test('a value of an attempt that ran before it was taken back is freed once the attempt sent since comes to nothing', () => {
  const all = cluster()
  const [worker] = all.workers
  const [first, second] = chain(all, 2)
  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [], begun: [] })
  all.scheduler.skip()

  worker!.finish([second!])
  assert.ok(!worker!.unread.includes('free-tasks'), 'the second attempt is there')
  const missing = { inputs: [first!], holder: worker!.id }
  worker!.send({ type: 'inputs-missing', task: second!, attempt: attempt(2), ...missing })
  assert.deepEqual(worker!.take('free-tasks').tasks, [second])
})

test('a value of an attempt that ran before it was taken back is freed when the attempt sent since is cancelled', () => {
  const all = cluster()
  const [worker] = all.workers
  const [first, second] = chain(all, 2)
  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [], begun: [] })
  worker!.finish([second!])
  all.client.send({ type: 'cancel', request: 1, tasks: [second!], graceMs: 1_000, error: Uint8Array.of(1) })
  const isOfSecond = (type: string): boolean => type === 'stop-tasks' || type === 'free-tasks'
  assert.deepEqual(worker!.unread.filter(isOfSecond), ['stop-tasks', 'free-tasks'], 'it is stopped before it is freed')
  assert.deepEqual(worker!.take('stop-tasks').attempts, [2])
  assert.deepEqual(worker!.take('free-tasks').tasks, [second])
})

test('a value of an attempt that ran before it was taken back is freed when the attempt sent since can’t be stopped', () => {
  const all = cluster()
  const [worker] = all.workers
  const [first, second] = chain(all, 2)
  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [], begun: [] })
  worker!.finish([second!])
  all.scheduler.skip()

  worker!.send({ type: 'tasks-timed-out', tasks: [second!], attempts: [2], goOn: [0] })
  assert.deepEqual(worker!.take('free-tasks').tasks, [second], 'another worker may fail with it from now on')
})

test('a value of an attempt that ran before it was taken back is freed once the attempt sent since is taken back, too', () => {
  const all = cluster()
  const [worker] = all.workers
  const [first, second] = chain(all, 2)
  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [], begun: [] })
  all.scheduler.skip()
  worker!.finish([second!])
  assert.ok(!worker!.unread.includes('free-tasks'), 'the second attempt is there')

  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [2], begun: [] })
  assert.deepEqual(worker!.take('free-tasks').tasks, [second], 'before it is sent again')
  assert.ok(!worker!.unread.includes('recall'))
  const { tasks, attempts } = takeRuns(worker!).at(-1)!
  assert.deepEqual(
    [tasks, attempts],
    [
      [first, second],
      [3, 3],
    ],
  )
})

test('a copy may be told of before its maker speaks, which keeps the value and has its word', () => {
  const { all, owner, other, own, input, both } = meeting()
  const { finished } = all.scheduler.state.totals

  owner.finish([own])
  owner.send({ type: 'copies-held', tasks: [input], sizes: [2] })
  assert.equal(findTask(all, both).state.type, 'processing', 'its inputs are there')
  other.finish([input], { template: all.f, us: 2 * MIDDLING_US })

  assert.ok(!other.unread.includes('free-tasks'))
  assert.equal(all.scheduler.state.totals.finished, finished + 2)
  assert.ok(findTask(all, input).template.statistics.meanUs! > MIDDLING_US)
  all.scheduler.skip()
  all.client.want(input)
  assert.deepEqual([...all.client.takeValues().keys()], [input], 'without asking a worker')
  owner.finish([both])
  all.client.release(own, input, both)
  assert.ok(owner.take('free-tasks').tasks.includes(input))
  assert.deepEqual(other.take('free-tasks').tasks, [input])
  all.scheduler.expectEmpty()
})

test('a maker that speaks when its value was let go, a copy of which was told of before, is to free it', () => {
  const { all, owner, other, own, input, both } = meeting()
  owner.send({ type: 'copies-held', tasks: [input], sizes: [8] })
  owner.finish([own, both])
  all.client.release(own, input, both)
  assert.ok(owner.take('free-tasks').tasks.includes(input))
  assert.ok(!other.unread.includes('free-tasks'))

  other.finish([input])
  assert.deepEqual(other.take('free-tasks').tasks, [input])
  all.scheduler.expectEmpty()
})

test('a maker that speaks together with the last task that needed its value is to free it, too', () => {
  const { all, owner, other, own, input, both } = meeting()
  const [last] = all.client.submit(all.f, [{ inputs: [input] }])
  assert.ok(tasksOf(takeRuns(other)).includes(last!), 'where its input is made')
  owner.send({ type: 'copies-held', tasks: [input], sizes: [8] })
  owner.finish([own, both])
  all.client.release(own, input, both)
  all.scheduler.skip()

  other.finish([last!, input])
  assert.deepEqual(owner.take('free-tasks').tasks, [input])
  assert.deepEqual(other.take('free-tasks').tasks, [input])
  all.client.release(last!)
  assert.deepEqual(other.take('free-tasks').tasks, [last])
  all.scheduler.expectEmpty()
})

test('of a report that names a task twice the worker holds one value, whether a copy was told of before or not', () => {
  for (const isFirst of [true, false]) {
    const { all, owner, other, own, input, both } = meeting()
    if (isFirst) owner.send({ type: 'copies-held', tasks: [input], sizes: [2] })
    other.finish([input, input])
    assert.ok(!other.unread.includes('free-tasks'))
    owner.finish([own, both])
    all.client.release(own, input, both)
    assert.deepEqual(other.take('free-tasks').tasks, [input])
    all.scheduler.expectEmpty()
  }
})

/** The worker was sent `task` a second time, what the first left is there, and a peer tells of a copy of the second. */
function copiedAgain({ isLeftTold }: { readonly isLeftTold: boolean }) {
  const all = cluster()
  const [worker] = all.workers
  const [first, task] = chain(all, 2)
  worker!.send({ type: 'tasks-returned', tasks: [first!], attempts: [], begun: [] })
  all.scheduler.skip()
  if (isLeftTold) worker!.finish([task!])
  const peer = all.scheduler.worker()
  all.scheduler.skip()
  peer.send({ type: 'copies-held', tasks: [task!], sizes: [2] })
  return { all, worker: worker!, first: first!, task: task! }
}

for (const isLeftTold of [true, false]) {
  const when = isLeftTold ? 'before' : 'with it'
  test(`a maker that had made the value before is not told to free it, whether it told of that ${when}`, () => {
    const { all, worker, first, task } = copiedAgain({ isLeftTold })
    if (isLeftTold) worker.finish([task], { attempts: [2] })
    else worker.finish([task, task], { attempts: [1, 2] })
    assert.ok(!worker.unread.includes('free-tasks'))
    all.client.release(first, task)
    assert.ok(worker.take('free-tasks').tasks.includes(task), 'it is known to have it')
  })
}

test('what a maker has of an older attempt is freed when the newer one, of whose copy a peer spoke, comes to nothing', () => {
  const { all, worker, first, task } = copiedAgain({ isLeftTold: true })
  assert.deepEqual(worker.take('recall').tasks.at(-1), task)
  worker.send({ type: 'tasks-returned', tasks: [task], attempts: [2], begun: [] })
  assert.deepEqual(worker.take('free-tasks').tasks, [task])
  all.client.release(first, task)
  assert.ok(!worker.take('free-tasks').tasks.includes(task), 'it is not known to have it')
})

test('late word of an attempt that was taken back does no harm to a copy that came from where it was made since', () => {
  const { all, owner, other, input, both } = meeting()
  all.scheduler.skip()

  // The input is made again, and so is not where it was expected: its dependant is taken back, which its worker hears later.
  other.send({ type: 'tasks-returned', tasks: [input], attempts: [], begun: [] })
  assert.ok(owner.unread.includes('recall') && !owner.unread.includes('free-tasks'))
  all.scheduler.skip()
  const missing = { inputs: [input], holder: other.id }
  owner.send({ type: 'inputs-missing', task: both, attempt: attempt(1), ...missing })
  owner.send({ type: 'tasks-returned', tasks: [both], attempts: [], begun: [] })
  assert.ok(!owner.unread.includes('free-tasks'), 'a copy for other tasks may have come there')
})

test('a task that takes several threads is not placed where tasks went ahead of their inputs', () => {
  const scheduler = new SchedulerHarness({ maxAheadUs: 24_000 })
  const worker = scheduler.worker({ threads: 3 })
  const client = scheduler.client()
  const f = client.define()
  const known = client.map(f, 1)
  worker.finish(worker.takeTasks(), { template: f, us: SHORT_US })
  client.release(...known)
  scheduler.skip()
  const ids = chain({ scheduler, workers: [worker], client, f }, 2)
  assert.deepEqual(tasksOf(takeRuns(worker)), ids)

  const [wide] = client.map(client.define('wide', { needs: { ...NO_NEEDS, threads: 2 } }), 1)
  assert.deepEqual(takeRuns(worker), [], 'it would be the third and the fourth of three threads')
  worker.finish([ids[0]!])
  assert.deepEqual(tasksOf(takeRuns(worker)), [wide])
})

test('tasks that went ahead of their inputs keep their threads beside a task that takes several', () => {
  const scheduler = new SchedulerHarness({ maxAheadUs: 24_000 })
  const worker = scheduler.worker({ threads: 5 })
  const client = scheduler.client()
  const f = client.define()
  const known = client.map(f, 1)
  worker.finish(worker.takeTasks(), { template: f, us: SHORT_US })
  client.release(...known)
  scheduler.skip()
  const ids = chain({ scheduler, workers: [worker], client, f }, 3)
  const [wide] = client.map(client.define('wide', { needs: { ...NO_NEEDS, threads: 2 } }), 1)
  assert.deepEqual(tasksOf(takeRuns(worker)), [...ids, wide])

  const others = client.map(f, 2)
  assert.deepEqual(takeRuns(worker), [], 'the third, fourth and fifth thread have tasks')
  client.release(ids[2]!)
  assert.deepEqual(tasksOf(takeRuns(worker)), [others[0]], 'one of them was taken back')
  worker.finish([ids[0]!])
  assert.deepEqual(tasksOf(takeRuns(worker)), [others[1]])
})

test('a task that waits for its own is not known to come: what was sent ahead of it takes no thread that these need', () => {
  const scheduler = new SchedulerHarness({ maxAheadUs: 24_000 })
  const worker = scheduler.worker({ threads: 2 })
  const client = scheduler.client()
  const f = client.define()
  const known = client.map(f, 1)
  worker.finish(worker.takeTasks(), { template: f, us: SHORT_US })
  client.release(...known)
  scheduler.skip()
  const [parent, last] = chain({ scheduler, workers: [worker], client, f }, 2)
  assert.deepEqual(tasksOf(takeRuns(worker)), [parent, last])

  const inTask = scheduler.clientOfTasks('w1')
  const wide = inTask.submission(inTask.define('wide', { depth: 1, needs: { ...NO_NEEDS, threads: 2 } }), [{}])
  inTask.send({ type: 'submit-under', parent: parent!, attempt: attempt(1), call: 0 }, wide.message)
  worker.send({ type: 'tasks-suspended', tasks: [parent!], attempts: [1] })
  assert.deepEqual(worker.take('recall').tasks, [last])
  assert.deepEqual(tasksOf(takeRuns(worker)), wide.ids)

  worker.finish(wide.ids)
  worker.send({ type: 'tasks-resumed', tasks: [parent!], attempts: [1] })
  assert.deepEqual(takeRuns(worker), [], 'it may come to wait for others')
  worker.finish([parent!])
  assert.deepEqual(tasksOf(takeRuns(worker)), [last])
})

test('a cancelled task is stopped where it was sent ahead: it may run there by now', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 2)
  all.scheduler.skip()

  all.client.send({ type: 'cancel', request: 1, tasks: [ids[1]!], graceMs: 5, error: Uint8Array.of(1) })
  const { tasks, attempts } = worker!.take('stop-tasks')
  assert.deepEqual([tasks, attempts], [[ids[1]], [1]])
  worker!.send({ type: 'tasks-stopped', tasks: [ids[1]!], attempts: [1], stoppedBy: ['signal'] })
  assert.deepEqual(all.client.take('cancelled').stoppedBy, ['signal'])
})

test('a task that another client’s needs goes on when it is cancelled, also when that one has begun ahead of news of it', () => {
  const all = cluster({ workers: 2, us: MIDDLING_US, keepsState: true })
  const makers = all.client.submit(all.f, [{ key: 'a' }, { key: 'b' }])
  const another = all.scheduler.client('another')
  const g = another.define()
  const same = another.submit(g, [{ key: 'a' }, { key: 'b' }])
  const [both] = another.submit(g, [{ inputs: same }])
  another.release(...same)
  const owner = all.workers.find((worker) => tasksOf(takeRuns(worker)).includes(both!))!
  owner.send({ type: 'task-progressed', task: both!, attempt: attempt(1), fraction: 0.5, note: '' })
  assert.equal(findTask(all, both!).state.type, 'processing')

  all.client.send({ type: 'cancel', request: 1, tasks: makers, graceMs: 5, error: Uint8Array.of(1) })
  assert.deepEqual(all.client.take('cancelled').stoppedBy, ['none', 'none'])
  owner.send({ type: 'tasks-returned', tasks: [both!], attempts: [], begun: [] })
  assert.equal(findTask(all, both!).state.type, 'waiting')
  for (const way of ['journal', 'snapshot'] as const) {
    const { tasks } = all.scheduler.successor(way)
    assert.deepEqual([tasks.ready, tasks.waiting, tasks.failed], [2, 1, 0])
  }
})

test('what nobody needs any more is taken back', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 3)
  all.scheduler.skip()

  all.client.release(ids[2]!)
  assert.deepEqual(worker!.take('free-tasks').tasks, [ids[2]])
  all.client.release(ids[1]!, ids[0]!)
  all.scheduler.skip()
  all.scheduler.expectEmpty()
})

test('a worker that leaves gives back what it has ahead, and may end what it has begun', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 3)
  const other = all.scheduler.worker({ threads: 1 })
  all.scheduler.skip()

  worker!.send({ type: 'leaving' })
  worker!.send({ type: 'tasks-returned', tasks: [ids[2]!], attempts: [], begun: [] })
  assert.deepEqual(worker!.unread, [])
  worker!.finish([ids[1]!])
  worker!.finish([ids[0]!])
  all.scheduler.skipAllBut('run-tasks')
  assert.deepEqual(other.takeTasks(), [ids[2]])
})

test('a task that runs ahead may submit tasks, and report how far it is', () => {
  const all = cluster()
  const [worker] = all.workers
  const ids = chain(all, 2)
  all.scheduler.skip()

  worker!.send({ type: 'task-progressed', task: ids[1]!, attempt: attempt(1), fraction: 0.5, note: 'half' })
  assert.equal(all.client.take('progressed').fraction, 0.5)
  assert.equal(findTask(all, ids[1]!).state.type, 'processing')
})

test('a scheduler that takes the place of another knows again what runs ahead of news of its inputs', () => {
  const all = cluster({ keepsState: true })
  const [worker] = all.workers
  const ids = chain(all, 2)
  const successor = all.scheduler.successor()
  const again = successor.worker({ ...worker!.join })

  again.send({ type: 'tasks-held', tasks: [ids[1]!, ids[0]!], attempts: [] }, { type: 'attached' })
  assert.deepEqual(
    again.unread.filter((type) => type === 'run-tasks' || type === 'free-tasks'),
    [],
  )
  again.finish([ids[1]!])
  again.finish([ids[0]!])
  assert.deepEqual(
    again.unread.filter((type) => type === 'run-tasks'),
    [],
  )
})

test('what comes back to the next scheduler ahead of its inputs takes no thread of a task that has several', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const [input] = client.map(client.define(), 1)
  const after = client.submit(
    client.define('after'),
    Array.from({ length: 3 }, () => ({ inputs: [input!] })),
  )
  const [wide] = client.map(client.define('wide', { needs: { ...NO_NEEDS, threads: 2 } }), 1)

  const next = before.successor()
  const worker = next.worker({ threads: 4 })
  worker.send({ type: 'tasks-held', tasks: [wide!, ...after], attempts: [] }, { type: 'attached' })
  assert.deepEqual(worker.take('free-tasks').tasks, [after[2]], 'it had been sent there while the other one waited')
  const { processing, ahead } = next.state.workers.get(worker.id)!
  assert.deepEqual(
    [[...processing], [...ahead]].map((tasks) => tasks.map(({ id }) => id)),
    [[wide], after.slice(0, 2)],
  )
})

test('what comes back to the next scheduler has its several threads beside tasks that leave it enough', () => {
  const before = new SchedulerHarness({ keepsState: true })
  const client = before.client()
  const plain = client.map(client.define(), 2)
  const wide = client.map(client.define('wide', { needs: { ...NO_NEEDS, threads: 2 } }), 2)

  const next = before.successor()
  const worker = next.worker({ threads: 4 })
  worker.send({ type: 'tasks-held', tasks: [...plain, ...wide], attempts: [] }, { type: 'attached' })
  assert.deepEqual(worker.take('free-tasks').tasks, [wide[1]])
  const { processing } = next.state.workers.get(worker.id)!
  assert.deepEqual(
    Array.from(processing, ({ id }) => id),
    [...plain, wide[0]],
  )
})

/** A task of which its worker spoke before news of an input had come, which came to nothing then. */
function begun(end: 'cancelled' | 'failed') {
  const { all, owner, other, own, input, both } = meeting({ keepsState: true })
  owner.send({ type: 'task-progressed', task: both, attempt: attempt(1), fraction: 0.5, note: '' })
  if (end === 'failed') other.fail(input)
  else all.client.send({ type: 'cancel', request: 1, tasks: [input], graceMs: 5, error: Uint8Array.of(1) })
  owner.finish([own])
  assert.equal(findTask(all, both).state.type, 'processing')
  all.scheduler.skip()
  return { all, owner, own, input, both }
}

for (const way of ['journal', 'snapshot'] as const) {
  for (const end of ['cancelled', 'failed'] as const) {
    test(`a task that had begun goes on under the next scheduler, though an input was ${end} since: ${way}`, () => {
      const { all, owner, own, both } = begun(end)
      const next = all.scheduler.successor(way)
      const again = next.worker({ ...owner.join })
      again.send(
        { type: 'tasks-held', tasks: [both], attempts: [1] },
        { type: 'copies-held', tasks: [own], sizes: [8] },
        { type: 'attached' },
      )
      assert.deepEqual(again.unread, ['joined'], 'it is told nothing of what it runs')
      again.finish([both])
      assert.equal(next.tasks['in-memory'], 2)
    })

    test(`a task that had begun and is lost fails with the input that was ${end} since: ${way}`, () => {
      const { all, input, both } = begun(end)
      const next = all.scheduler.successor(way)
      const client = clientId(9)
      next.turn({ type: 'client-joined', client, name: 'client', session: 'session of client' })
      assert.deepEqual([next.tasks.ready, next.tasks.failed], [1, 1], 'its worker may come back with it')
      next.skip()
      next.wakeUp()
      const { tasks, culpritKey } = next.takeFor(client, 'failed')
      assert.deepEqual([tasks, culpritKey], [[both], generatedKey('f', input)])
      assert.deepEqual([next.tasks.waiting, next.tasks.failed], [0, end === 'failed' ? 2 : 1])
    })

    test(`a task that had begun and ended is not failed by the next scheduler with the input that was ${end}: ${way}`, () => {
      const { all, owner, own, both } = begun(end)
      owner.finish([both])
      all.scheduler.wakeUp()
      assert.deepEqual(all.client.take('finished').tasks, [own, both])
      assert.deepEqual(all.scheduler.successor(way).tasks, all.scheduler.tasks)
    })
  }

  test(`what had not begun fails with its input under the next scheduler, as it did before: ${way}`, () => {
    const { all, other, input } = meeting({ keepsState: true })
    other.fail(input)
    assert.deepEqual([all.scheduler.tasks.failed, all.scheduler.tasks.processing], [2, 1])
    const { tasks } = all.scheduler.successor(way)
    assert.deepEqual([tasks.failed, tasks.ready, tasks.waiting], [2, 1, 0])
  })
}

const RETRIES = { delayMs: 0, isExponential: false, maxDelayMs: 0, jitterThousandths: 0, filter: '' }

function findTask({ scheduler }: Cluster, id: TaskId) {
  for (const array of scheduler.state.arrays.values()) for (const task of array.tasks) if (task?.id === id) return task
  return assert.fail(`there is no task ${id}`)
}
