/** What tasks of real threads report of themselves. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { connect, LocalCluster, type TaskProgress } from '../../client/index.js'
import { eventually } from '../support/eventually.js'

/** Reports once, and ends when it is told to. */
async function waiting(note: string): Promise<string> {
  const { task } = await import('heddle/task')
  task.report(0.5, note)
  await new Promise((resolve) => task.signal.addEventListener('abort', resolve))
  return note
}

async function counting(rows: number): Promise<number> {
  const { task } = await import('heddle/task')
  for (let row = 0; row <= rows; row++) task.report(row / rows, `row ${row}`)
  return rows
}

test('tasks report how far they are', { timeout: 120_000 }, async (t) => {
  await using cluster = await LocalCluster.start({ workers: 1, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const kinds = [
    ['with a thread', client],
    ['without one', client.with({ resources: { threads: 0 } })],
  ] as const

  for (const [kind, submitter] of kinds) {
    await t.test(`of a task ${kind} that reports all the time a few reports arrive, in order`, async () => {
      const future = submitter.submit(counting, 100_000)
      const heard: TaskProgress[] = []
      for await (const each of future.progress) heard.push(each)
      assert.equal(await future, 100_000)
      assert.ok(heard.length < 200, `${heard.length} reports arrived`)
      heard.forEach(({ fraction, note, attempt }, i) => {
        assert.deepEqual([note, attempt], [`row ${fraction * 100_000}`, 1])
        assert.ok(i === 0 || fraction > heard[i - 1]!.fraction)
      })
    })

    await t.test(`a task ${kind} is heard while it runs, and its reports end when it is cancelled`, async () => {
      const future = submitter.submit(waiting, kind)
      const reports = future.progress[Symbol.asyncIterator]()
      assert.deepEqual((await reports.next()).value, { fraction: 0.5, note: kind, attempt: 1 })
      const { details } = await future.explain()
      assert.ok(details.includes(`It reported that 50 % is done: ${kind}`), details.join(' '))
      assert.deepEqual(await client.future(future.key).progress[Symbol.asyncIterator]().next(), {
        done: false,
        value: { fraction: 0.5, note: kind, attempt: 1 },
      })
      const end = reports.next()
      await future.cancel().catch(() => undefined)
      assert.deepEqual(await end, { done: true, value: undefined })
    })
  }

  await t.test('a loop over reports holds the work, and nothing else need', async () => {
    const reports = client.submit(counting, 10).progress
    for await (const _ of reports);
    await eventually('it ended', async () => (await client.info()).tasks.processing === 0)
  })

  await t.test('what is no fraction fails the task', async () => {
    const wrong = client.submit(async () => {
      const { task } = await import('heddle/task')
      task.report(40)
    })
    await assert.rejects(async () => await wrong, { code: 'ERR_HEDDLE_INVALID_OPTION' })
  })
})

test('tasks of an inline cluster report, too', { timeout: 180_000 }, async () => {
  await using client = await connect('inline:')
  const future = client.submit(counting, 3)
  const heard: string[] = []
  for await (const { note } of future.progress) heard.push(note)
  assert.equal(await future, 3)
  assert.ok(heard.every((note) => note.startsWith('row ')))
})
