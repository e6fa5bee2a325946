import assert from 'node:assert/strict'
import test from 'node:test'
import { MAX_REPLICATED_VALUES } from '../../protocol/limits.js'
import { FakeScheduler } from './fake-scheduler.js'

test('copies of very many values are asked for a part at a time, and the answers are summed up', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const futures = client.map(
    (x: number) => x,
    Array.from({ length: MAX_REPLICATED_VALUES + 3_000 }, (_, i) => i),
  )
  const one = client.submit((x: number) => x, 1)
  const all = client.replicate(futures, { copies: 2 })
  const last = client.replicate([one], { copies: 2 })
  const asked = (): number => scheduler.all('replicate').reduce((count, { tasks }) => count + tasks.length, 0)
  await scheduler.until('replicate', 16)
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
  assert.equal(asked(), MAX_REPLICATED_VALUES)

  let answered = 0
  while (answered < 20) {
    for (const { request } of scheduler.all('replicate').slice(answered)) {
      scheduler.send({ type: 'replicated', request, missing: answered === 3 ? 7 : 0 })
      answered++
    }
    if (answered < 20) await scheduler.until('replicate', answered + 1)
  }
  assert.equal(asked(), MAX_REPLICATED_VALUES + 3_001)
  await assert.rejects(all, /7 of 19384 values could not be copied to 2 workers/)
  await last
})
