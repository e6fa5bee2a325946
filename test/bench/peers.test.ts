/** What stands around the peers: the picture, and that every peer's program is there and can be read. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import test from 'node:test'
import { drawChart } from '../../bench/peers/chart.js'
import { parseArguments } from '../../bench/arguments.js'
import { compare, ratioOf, type Comparison } from '../../bench/peers/compare.js'
import { measurePeer, PEER_WORKLOADS, PEERS, type Peer } from '../../bench/peers/peers.js'
import { comparisonTable } from '../../bench/peers/table.js'
import type { Selection } from '../../bench/arguments.js'
import { WORKLOADS } from '../../bench/workloads.js'

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
    ['shuffle', { partitions: 3 }],
    ['scatter-gather', { mib: 1 }],
    ['startup', {}],
  ]
  for (const [workload, params] of workloads) assert.ok((await measurePeer(piscina, workload, params)) > 0, workload)
  await assert.rejects(measurePeer(piscina, 'transfer', {}), /no workload "transfer"/)
})

/** Prints 2 for whatever it is asked. */
const FAKE: Peer = {
  name: 'Fake',
  command: process.execPath,
  args: ['-p', `'{"value":2}'`, '--'],
  howToInstall: 'nothing',
  lacks: ['tree'],
}
const MISSING: Peer = { ...FAKE, name: 'Missing', command: '/nowhere/at-all', howToInstall: 'a try' }
const BROKEN: Peer = {
  ...FAKE,
  name: 'Broken',
  args: ['-e', `if (process.argv.at(-1) !== '--check') throw new Error('no luck')`, '--'],
}

const selections = (...only: string[]): readonly Selection[] =>
  parseArguments([`--only=${only.join(',')}`], WORKLOADS).selected
const measured: string[] = []
const measure = ({ workload: { name, unit }, params }: Selection) => {
  measured.push(name)
  return Promise.resolve({ workload: name, params, value: 8, unit, figures: {} })
}

test('every workload that is compared is one of ours', () => {
  const ours = WORKLOADS.map(({ name }) => name)
  for (const name of PEER_WORKLOADS) assert.ok(ours.includes(name), name)
})

test('peers are measured in turn with us, without those that are missing, lack the workload or fail at it', async () => {
  const told: string[] = []
  measured.length = 0
  const peers = [FAKE, MISSING, BROKEN]
  const comparisons = await compare(selections('merge', 'tree', 'core'), {
    measure,
    tell: (line) => told.push(line),
    minutes: 1,
    peers,
    nowMs: () => 0,
  })
  assert.deepEqual(measured, ['merge', 'tree', 'merge', 'tree', 'merge', 'tree'])
  assert.deepEqual(comparisons, [
    { workload: 'merge', unit: 's', value: 8, peers: [{ name: 'Fake', value: 2 }] },
    { workload: 'tree', unit: 's', value: 8, peers: [] },
  ])
  assert.equal(told.length, 2)
  assert.equal(told[0], 'Missing is not installed (a try).')
  assert.match(told[1]!, /^Broken failed at merge: [^]*no luck/)
})

test('no round begins when the time is over, and what had none is told', async () => {
  const told: string[] = []
  let calls = 0
  const comparisons = await compare(selections('merge', 'tree'), {
    measure,
    tell: (line) => told.push(line),
    minutes: 1,
    peers: [],
    nowMs: () => (calls++ < 2 ? 0 : 60_000),
  })
  assert.deepEqual(
    comparisons.map(({ workload }) => workload),
    ['merge'],
  )
  assert.deepEqual(told, ['tree is left out: the 1 minutes are over.'])
})

const MERGE: Comparison = { workload: 'merge', unit: 's', value: 0.5, peers: [{ name: 'Dask', value: 50 }] }
const ROUND_TRIP: Comparison = {
  workload: 'round-trip',
  unit: 'ms',
  value: 0.4,
  peers: [
    { name: 'Piscina', value: 0.04 },
    { name: 'Dask', value: 4 },
  ],
}

test('a ratio says how many times as fast we are, for times and for rates', () => {
  assert.equal(ratioOf(MERGE, 50), 100)
  assert.equal(ratioOf({ ...MERGE, unit: 'tasks/s', value: 100 }, 50), 2)
})

test('the table has a column for each peer, and a dash where it was not measured', () => {
  assert.deepEqual(comparisonTable([MERGE, ROUND_TRIP]).split('\n'), [
    'WORKLOAD    UNIT  HEDDLE  DASK        PISCINA',
    'merge       s     0.5     50 (100 ×)  –',
    'round-trip  ms    0.4     4 (10 ×)    0.04 (0.1 ×)',
  ])
})

test('bars go from 1 to the ratio on a logarithmic scale: right where we are faster, left where we are not', () => {
  const drawn = drawChart([MERGE, ROUND_TRIP])
  const bars = [...drawn.matchAll(/<rect class="(\w+)" x="(\d+)" y="\d+" width="(\d+)"/g)].map(
    ([, kind, x, width]) => ({ kind, from: Number(x), width: Number(width) }),
  )
  const [hundred, tenth, ten] = bars
  assert.deepEqual(
    bars.map(({ kind }) => kind),
    ['faster', 'slower', 'faster'],
  )
  assert.equal(hundred!.from, ten!.from)
  assert.equal(tenth!.from + tenth!.width, ten!.from)
  for (const [a, b] of [
    [hundred!.width, 2 * ten!.width],
    [tenth!.width, ten!.width],
  ] as const) {
    assert.ok(Math.abs(a - b) <= 2, `${a} and ${b}`)
  }
  assert.match(drawn, /prefers-color-scheme: dark/)
  assert.match(drawn, />1 ×<\/text>/)
})

test('without anything to compare the picture is empty, not broken', () => {
  assert.doesNotMatch(drawChart([]), /NaN|Infinity|rect class/)
})
