/** What stands around the peers: the picture, and that every peer's program is there and can be read. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import test from 'node:test'
import { drawChart } from '../../bench/peers/chart.js'
import { compare, speedOf } from '../../bench/peers/compare.js'
import { measurePeer, PEERS } from '../../bench/peers/peers.js'

test('every peer has a program', () => {
  for (const { name, args } of PEERS) assert.ok(existsSync(args.at(-1)!), name)
})

test('Piscina runs each workload that it is compared at, with right answers', async () => {
  const piscina = PEERS.find(({ name }) => name === 'Piscina')!
  const workloads: [string, Record<string, number>][] = [
    ['noop-map', { tasks: 20 }],
    ['round-trip', { calls: 5 }],
    ['merge', { tasks: 20 }],
    ['tree', { depth: 3 }],
    ['records', { records: 10 }],
    ['cpu-scaling', { tasks: 2, ms: 1 }],
  ]
  for (const [workload, params] of workloads) assert.ok((await measurePeer(piscina, workload, params)) > 0, workload)
  await assert.rejects(measurePeer(piscina, 'metg', {}), /no workload "metg"/)
})

test('a workload that peers do not have is left out', async () => {
  const told: string[] = []
  assert.deepEqual(
    await compare(
      [],
      () => Promise.reject(new Error('not asked for')),
      (line) => told.push(line),
    ),
    [],
  )
  for (const line of told) assert.match(line, /^\w+ is not installed \(.+\)\.$/)
})

test('the faster system has the longer bar, for rates and for times', () => {
  assert.ok(speedOf('s', 1) > speedOf('s', 2))
  assert.ok(speedOf('tasks/s', 2) > speedOf('tasks/s', 1))
  const systems = [
    { name: 'heddle', value: 1 },
    { name: 'other', value: 4 },
  ]
  const drawn = drawChart([{ workload: 'merge', unit: 's', systems }])
  const widths = [...drawn.matchAll(/<rect[^>]* width="(\d+)"/g)].map(([, width]) => Number(width))
  assert.deepEqual(widths, [440, 110])
  assert.match(drawn, /prefers-color-scheme: dark/)
})
