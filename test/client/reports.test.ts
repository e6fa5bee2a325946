/** What tasks report of themselves, as whoever holds their futures hears it. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import type { TaskProgress } from '../../client/future.js'
import { progress } from '../../client/progress.js'
import { FakeScheduler } from './fake-scheduler.js'

const double = (x: number): number => x * 2

function report(scheduler: FakeScheduler, tasks: readonly TaskId[], fraction: number, note = ''): void {
  scheduler.send({ type: 'progressed', tasks, attempt: 1, fraction, note })
}

async function all(reports: AsyncIterable<TaskProgress>): Promise<number[]> {
  const heard: number[] = []
  for await (const { fraction } of reports) heard.push(fraction)
  return heard
}

test('reports come as they are made, the latest one to whoever comes late, and end with the task', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  const [task] = await scheduler.untilSubmitted(1)
  const reports = future.progress[Symbol.asyncIterator]()
  report(scheduler, [task!], 0.1, 'row 1')
  assert.deepEqual(await reports.next(), { done: false, value: { fraction: 0.1, note: 'row 1', attempt: 1 } })
  const late = all(future.progress)
  report(scheduler, [task!], 0.2)
  report(scheduler, [task!], 0.3)
  assert.equal((await reports.next()).value?.fraction, 0.3)
  scheduler.send({ type: 'finished', tasks: [task!] })
  assert.deepEqual(await reports.next(), { done: true, value: undefined })
  assert.deepEqual((await late).at(-1), 0.3)
  assert.deepEqual(await all(future.progress), [])
  // Nobody asked for the value.
  assert.deepEqual(scheduler.wanted, [])
})

test('they end with a task that fails, is cancelled or let go of, and with the client', async () => {
  const scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const futures = client.map(double, [1, 2, 3, 4])
  const tasks = await scheduler.untilSubmitted(4)
  const ends = futures.map((future) => all(future.progress))
  report(scheduler, tasks, 0.5)
  scheduler.threw([tasks[0]!], new Error('no'))
  void futures[1]!.cancel().catch(() => undefined)
  futures[2]!.release()
  await Promise.all(ends.slice(0, 3))
  await scheduler[Symbol.asyncDispose]()
  await ends[3]
  assert.deepEqual(await all(futures[3]!.progress), [0.5])
})

test('leaving the loop ends the reports, and the task goes on', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.submit(double, 1)
  const [task] = await scheduler.untilSubmitted(1)
  report(scheduler, [task!], 0.1)
  for await (const _ of future.progress) break
  assert.equal(future.status, 'pending')
  assert.deepEqual(scheduler.released, [])
})

test('a bar counts what tasks say in part, and of a single task it shows what it does', async () => {
  await using scheduler = await FakeScheduler.start()
  const written: string[] = []
  const output = { isTTY: true, columns: 120, write: (text: string) => written.push(text) }
  const [one, many] = [scheduler.client.submit(double, 1), scheduler.client.map(double, [1, 2], { name: 'many' })]
  const ids = await scheduler.untilSubmitted(3)
  const shown = progress([one, ...many], { output })
  report(scheduler, [ids[0]!], 0.25, 'row\u001B[2J 25')
  report(scheduler, [ids[1]!], 1)
  while (!written.some((text) => text.includes('25 %'))) await new Promise((resolve) => setImmediate(resolve))
  const [first, second] = written.at(-1)!.split('\n')
  assert.match(first!, /double {15}━+─+ {2}0\/1 {2}25 % {2}row\?\[2J 25/)
  assert.match(second!, /many {17}━+─+ {2}0\/2/)
  assert.equal(second!.split('━').length, second!.split('─').length)
  scheduler.send({ type: 'finished', tasks: ids })
  await shown
})
