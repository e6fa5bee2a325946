/** Flame graphs: from samples to a tree of calls, from the tree to a picture, and the command that does both. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import type { Profiler } from 'node:inspector'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { callTreeOf, type Call } from '../../bench/flames/call-tree.js'
import { drawFlameGraph } from '../../bench/flames/flame-graph.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

const MAIN = fileURLToPath(new URL('../../bench/flames/main.js', import.meta.url))

function node(id: number, functionName: string, children: number[], file = ''): Profiler.ProfileNode {
  const url = file === '' ? '' : `file:///project/dist/${file}`
  return { id, children, callFrame: { functionName, scriptId: '0', url, lineNumber: 6, columnNumber: 0 } }
}

/** `send` was sampled in two ways of calling it, of which one is `run` calling itself. */
const PROFILE: Profiler.Profile = {
  nodes: [
    node(1, '(root)', [2, 5, 6]),
    node(2, 'run', [3, 4], 'worker/worker.js'),
    node(3, 'run', [7], 'worker/worker.js'),
    node(4, 'send', [], 'ws/<sender>.js'),
    node(5, '(idle)', []),
    node(6, '(garbage collector)', []),
    node(7, 'send', [], 'ws/<sender>.js'),
  ],
  startTime: 0,
  endTime: 1_000,
  samples: [4, 7, 5, 6, 4, 3],
  timeDeltas: [100, 200, 5_000, 100, 400, 200],
}

test('a tree of calls has the time of each call with all that it called, and no idle time', () => {
  const root = callTreeOf(PROFILE)
  assert.deepEqual(timesOf(root), [
    'all 1000',
    '  run worker/worker.js:7 900',
    '    send ws/<sender>.js:7 500',
    '    run worker/worker.js:7 400',
    '      send ws/<sender>.js:7 200',
    '  (garbage collector) 100',
  ])
})

test('a flame graph is as wide as the time, stands on what was called first, and shows whose code it is', () => {
  const picture = drawFlameGraph(callTreeOf(PROFILE), 'a < b')
  assert.match(picture, /^<svg [^>]*viewBox="0 0 1000 (\d+)"/)
  assert.match(picture, /<title>a &lt; b<\/title>/)
  const boxes = [
    ...picture.matchAll(
      /<title>(\S+)[^<]*: ([\d.]+) %<\/title><rect( class="\w+")? x="([\d.]+)" y="(\d+)" width="([\d.]+)"/g,
    ),
  ]
  const [all, run, send, ...others] = boxes.map(([, name, percent, kind = '', x, y, width]) => ({
    name,
    percent: Number(percent),
    kind,
    x: Number(x),
    y: Number(y),
    width: Number(width),
  }))
  assert.deepEqual([all?.name, all?.percent, all?.x, all?.width], ['all', 100, 0, 1_000])
  assert.deepEqual([run?.name, run?.kind, run?.width], ['run', ' class="ours"', 900])
  assert.deepEqual([send?.name, send?.kind, send?.width], ['send', '', 500])
  assert.ok(all!.y > run!.y && run!.y > send!.y)
  assert.deepEqual(
    others.map(({ name, x }) => `${name} ${x}`),
    ['run 500', 'send 500', '(garbage 900'],
  )
})

test('what is too narrow to be seen is not drawn', () => {
  const wide = { name: 'wide', place: '', totalUs: 999, calls: new Map() }
  const narrow = { name: 'narrow', place: '', totalUs: 1, calls: new Map() }
  const root: Call = {
    name: 'all',
    place: '',
    totalUs: 1_000,
    calls: new Map([
      ['wide', wide],
      ['narrow', narrow],
    ]),
  }
  const picture = drawFlameGraph(root, 'all')
  assert.ok(picture.includes('wide') && !picture.includes('narrow'))
})

test('the command draws what each process of a benchmark did', async () => {
  await using temporary = await TemporaryFolder.create('heddle-flames')
  const { path: folder } = temporary
  const { status, stderr } = spawnSync(process.execPath, [MAIN, folder, 'noop-map', '--tasks', '50'], {
    encoding: 'utf8',
  })
  assert.equal(status, 0, stderr)
  const pictures = ['client', 'scheduler', 'worker-1', 'worker-2'].map((name) => `noop-map-${name}.svg`)
  assert.deepEqual(readdirSync(folder).sort(), pictures)
  for (const picture of pictures) assert.match(readFileSync(path.join(folder, picture), 'utf8'), /class="ours"/)
})

test('without a folder and a workload the command says how it is used', () => {
  const { status, stderr } = spawnSync(process.execPath, [MAIN], { encoding: 'utf8' })
  assert.equal(status, 2)
  assert.match(stderr, /^usage: /)
})

function timesOf({ name, place, totalUs, calls }: Call, indent = ''): string[] {
  const line = [name, place, totalUs].filter((part) => part !== '').join(' ')
  return [`${indent}${line}`, ...[...calls.values()].flatMap((call) => timesOf(call, `${indent}  `))]
}
