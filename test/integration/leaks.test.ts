import assert from 'node:assert/strict'
import test from 'node:test'
import type { Client } from '../../client/client.js'
import { connect } from '../../client/connect.js'
import { collectGarbage } from '../../common/node/garbage.js'
import { Command, startSchedulerCommand } from '../cli/command.js'
import { eventually } from '../support/eventually.js'
import { INSPECTED, inspectorsIn, keptBytes } from '../support/inspected-process.js'

/** Futures a round: a million in the long tests. */
const COUNT = process.env['HEDDLE_ENDURANCE'] === undefined ? 100_000 : 1_000_000
const AT_ONCE = 20_000
/** What a second round may add to what the first left. */
const MAX_GROWTH = 1.05

test('futures made and dropped leave nothing behind, in client, scheduler and workers', async (t) => {
  await using scheduler = await startSchedulerCommand([], { env: INSPECTED })
  const join = ['worker', 'join', scheduler.address, '--threads', '1', '--no-nanny', '--log-format', 'json']
  await using a = new Command([...join, '--name', 'a'], { env: INSPECTED })
  await using b = new Command([...join, '--name', 'b'], { env: INSPECTED })
  await using client = await connect(scheduler.address)
  await client.waitForWorkers(2)
  const processes = [scheduler.command, a, b]
  await eventually('all have told where', () => processes.every(({ stderr }) => inspectorsIn(stderr).length > 0))
  const inspectors = processes.map(({ stderr }) => inspectorsIn(stderr)[0]!)

  const kept: number[][] = []
  for (let round = 0; round < 2; round++) {
    await dropAll(client)
    await eventually('the cluster holds no task', async () => {
      collectGarbage()
      const { tasks, workers } = await client.info()
      return Object.values(tasks).every((count) => count === 0) && workers.every(({ storedCount }) => storedCount === 0)
    })
    kept.push([ownBytes(), ...(await Promise.all(inspectors.map(keptBytes)))])
  }

  const names = ['client', 'scheduler', 'worker a', 'worker b']
  names.forEach((name, i) => {
    const mebibytes = kept.map((bytes) => (bytes[i]! / 2 ** 20).toFixed(2)).join(', ')
    t.diagnostic(`${name}: MiB kept after each round: ${mebibytes}`)
    assert.ok(kept[1]![i]! <= kept[0]![i]! * MAX_GROWTH, `${name} grew: ${mebibytes} MiB`)
  })
})

/** Futures are dropped by being forgotten: only the collector lets go of them. The last of each lot is awaited. */
async function dropAll(client: Client): Promise<void> {
  const items = Array.from({ length: AT_ONCE }, (_, i) => i)
  for (let made = 0; made < COUNT; made += AT_ONCE) {
    assert.equal(await client.map((x: number) => x + 1, items).at(-1), AT_ONCE)
    if ((made / AT_ONCE) % 10 === 0) collectGarbage()
  }
}

function ownBytes(): number {
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
