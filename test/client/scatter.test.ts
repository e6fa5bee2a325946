import assert from 'node:assert/strict'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { taskId } from '../../protocol/ids.js'
import { eventually } from '../support/eventually.js'
import { FakeScheduler } from './fake-scheduler.js'

test('a scatter is announced behind what was submitted before it', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  client.submit((x: number) => x, 1)
  const future = client.scatter([1, 2, 3], { broadcast: true })
  client.submit((list: number[]) => list.length, future)
  const [scatter] = await scheduler.until('scatter')
  assert.deepEqual([scatter!.copies, scatter!.workers], ['every', []])
  const order = scheduler.frames.flat().map(({ type }) => type)
  assert.deepEqual(
    order.filter((type) => type === 'submit' || type === 'scatter'),
    ['submit', 'scatter', 'submit'],
  )
  assert.deepEqual(scheduler.all('submit').at(-1)!.inputs, [taskId(scatter!.array, 0)])
  assert.match(future.key, /^scatter-/)
})

test('a value whose worker cannot be reached is offered again, until it need not be kept', async () => {
  await using scheduler = await FakeScheduler.start()
  const future = scheduler.client.scatter(new Uint8Array(100_000))
  const [scatter] = await scheduler.until('scatter')
  const task = taskId(scatter!.array, 0)
  scheduler.send({ type: 'scatter-to', task, worker: 7, address: 'ws://nowhere' })
  const [asked] = await scheduler.until('open-relay')
  scheduler.send({ type: 'relay-closed', request: asked!.request, relay: 0, reason: 'There is no worker 7.' })
  const [notScattered] = await scheduler.until('not-scattered')
  assert.deepEqual([notScattered!.task, notScattered!.worker], [task, 7])
  scheduler.send({ type: 'scattered', tasks: [task] })
  scheduler.send({ type: 'scatter-to', task, worker: 8, address: 'ws://elsewhere' })
  scheduler.send({ type: 'finished', tasks: [task] })
  await eventually('the future is finished', () => future.status === 'finished')
  assert.deepEqual(scheduler.dialled, ['ws://nowhere'])
})

test('a scattered value is published when it need not be kept here any more', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const done: string[] = []
  const publish = (name: string, wrap = (value: unknown): unknown => value): Promise<void> =>
    client.publish(name, wrap(client.scatter(new Uint8Array(100_000)))).then(() => void done.push(name))
  const first = publish('first')
  const rejected = assert.rejects(publish('second'), { code: 'ERR_HEDDLE_CLOSED' })
  const inside = publish('third', (value) => new Map([['rows', [value]]]))
  for (const { request } of await scheduler.until('publish', 3)) {
    scheduler.send({ type: 'published', request, outcome: 'done' })
  }
  const later = client.submit(() => 1)
  await scheduler.untilSubmitted(2)
  scheduler.send({ type: 'finished', tasks: [scheduler.submitted[1]!] })
  await eventually('the client has heard of what was told last', () => later.status === 'finished')
  assert.deepEqual(done, [])

  const settle = (place: number): void =>
    scheduler.send({ type: 'scattered', tasks: [taskId(scheduler.all('scatter')[place]!.array, 0)] })
  settle(0)
  await first
  assert.deepEqual(done, ['first'])
  settle(2)
  await inside
  await client.close()
  await rejected
  assert.deepEqual(done, ['first', 'third'])
})

test('a value whose memory was transferred before it went fails for that', async () => {
  await using scheduler = await FakeScheduler.start()
  const numbers = new Float64Array(300_000)
  const future = scheduler.client.scatter({ numbers })
  structuredClone(numbers, { transfer: [numbers.buffer] })
  const [scatter] = await scheduler.until('scatter')
  assert.ok(scatter!.sizeBytes > 2_400_000)
  scheduler.send({ type: 'scatter-to', task: taskId(scatter!.array, 0), worker: 7, address: 'ws://somewhere' })
  const [notScattered] = await scheduler.until('not-scattered')
  assert.equal(notScattered!.worker, 7)
  await assert.rejects(async () => await future, { name: 'NotSerializableError', path: 'value' })
  assert.deepEqual(scheduler.dialled, [])
})

test('what is wrong with a scatter is thrown from the call', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  assert.throws(() => client.scatter({ run: () => 1 }), { name: 'NotSerializableError', path: 'value.run' })
  assert.throws(() => client.scatter(1, { workers: [] }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  assert.throws(() => client.scatter(1, { broadcast: 1 as never }), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  assert.throws(() => client.scatter(1, { to: 'x' } as never), { code: 'ERR_HEDDLE_INVALID_OPTION' })
})

test('a scattered value reaches tasks of an inline: cluster and comes back', async () => {
  await using client = await connect('inline:')
  const small = client.scatter({ name: 'small' })
  const large = client.scatter(new Float64Array(300_000).fill(0.5), { broadcast: true })
  const [name, sum] = await client.gather([
    client.submit((value: { name: string }) => value.name, small),
    client.submit((values: Float64Array) => values.reduce((a, b) => a + b, 0), large),
  ])
  assert.deepEqual([name, sum], ['small', 150_000])
  assert.equal((await large).length, 300_000)
  assert.deepEqual(await small, { name: 'small' })
})
