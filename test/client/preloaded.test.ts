/** Functions of preloaded modules, by name: what the scheduler is told of them. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { FakeScheduler } from './fake-scheduler.js'

test('a name is code of its own kind, defined once, and a template for each function', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  client.submit<number>('my.tasks.sum', [1])
  client.map<number>('my.tasks.sum', [[1], [2]])
  client.submit('my.tasks.join', 'a')
  client.submit('other.sum', [1])
  await scheduler.untilSubmitted(5)
  assert.deepEqual(
    scheduler.all('define-code').map(({ kind, source }) => [kind, Buffer.from(source).toString()]),
    [
      ['preloaded', 'my.tasks'],
      ['preloaded', 'other'],
    ],
  )
  assert.deepEqual(
    scheduler.all('define-template').map(({ name, exportName }) => [name, exportName]),
    [
      ['my.tasks.sum', 'sum'],
      ['my.tasks.join', 'join'],
      ['other.sum', 'sum'],
    ],
  )
})

test('a text that names no function is refused at once', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  for (const name of ['sum.', '.sum', 'a b.c', '../tasks.sum', 'tasks.a-b']) {
    assert.throws(() => client.submit(name as 'a.b'), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  }
})
