/** The benchmarks at sizes that take no time: that they run, give right answers and print what programs read. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { parseArguments, UsageError } from '../../bench/arguments.js'
import { WORKLOADS } from '../../bench/workloads.js'

const MAIN = fileURLToPath(new URL('../../bench/main.js', import.meta.url))

interface Tiny {
  readonly args: readonly [string, ...string[]]
  readonly params: Readonly<Record<string, number>>
  readonly unit: string
  /** What the JSON has beside the value. */
  readonly figures?: readonly string[]
}

const TINY: readonly Tiny[] = [
  { args: ['noop-map', '--tasks', '50'], params: { tasks: 50 }, unit: 'tasks/s' },
  { args: ['round-trip', '--calls', '20'], params: { calls: 20 }, unit: 'ms', figures: ['bareChainMs'] },
  { args: ['merge', '--tasks', '50'], params: { tasks: 50 }, unit: 's' },
  { args: ['tree', '--depth', '4'], params: { depth: 4 }, unit: 's' },
  { args: ['shuffle', '--partitions', '4'], params: { partitions: 4 }, unit: 's' },
  { args: ['shuffle-outputs', '--partitions', '4'], params: { partitions: 4 }, unit: 's' },
  { args: ['records', '--records', '20'], params: { records: 20 }, unit: 'records/s' },
  {
    args: ['transfer', '--mib', '1', '--callers', '0'],
    params: { mib: 1, callers: 0 },
    unit: 'GiB/s',
    figures: ['transferMs'],
  },
  {
    args: ['scatter-gather', '--mib', '1'],
    params: { mib: 1 },
    unit: 'GiB/s',
    figures: ['scatterGibPerSecond', 'gatherGibPerSecond'],
  },
  {
    args: ['metg', '--steps', '2'],
    params: { steps: 2 },
    unit: 'us',
    figures: [
      'kernelUs',
      'granularityUs',
      'efficiency',
      ...[16, 64, 256, 1_024, 4_096].map((us) => `efficiencyAt${us}Us`),
    ],
  },
  {
    args: ['cpu-scaling', '--tasks', '4', '--ms', '2'],
    params: { tasks: 4, ms: 2 },
    unit: 'efficiency',
    figures: ['aloneMs', 'wallMs', 'efficiency', 'bareEfficiency'],
  },
  {
    args: ['download', '--pages', '4', '--ms', '2'],
    params: { pages: 4, ms: 2 },
    unit: 's',
    figures: ['plainSeconds', 'clusterSeconds', 'timesPlain', 'politeSeconds', 'idealSeconds', 'timesIdeal'],
  },
]

for (const { args, params, unit, figures = [] } of TINY) {
  test(`${args[0]} is measured, told in one line, and given as one line of JSON`, async () => {
    const { code, stdout, stderr } = await bench([...args, '--json'])
    assert.equal(code, 0, stderr)
    assert.match(
      stderr,
      new RegExp(
        `^${args.join(' ')}: [\\d.,]+ ${unit}.*; CPU a run: client .* workers [\\d.e-]+ s; ` +
          'others had \\d+ % of the processors\n$',
      ),
    )
    assert.match(stdout, /^[^\n]*\n$/)

    const { value, cpuSeconds, othersShare, p50Ms, p99Ms, ...rest } = JSON.parse(stdout) as Record<string, unknown>
    for (const name of figures) assert.ok(Number(rest[name]) > 0, name)
    assert.deepEqual(Object.keys(rest).sort(), ['workload', 'params', 'unit', ...figures].sort())
    assert.deepEqual({ ...rest, ...{ workload: args[0], params, unit } }, rest)
    assert.ok(typeof value === 'number' && value > 0)
    assert.deepEqual(Object.keys(cpuSeconds as object), ['client', 'scheduler', 'workers'])
    for (const seconds of Object.values(cpuSeconds as object)) assert.ok(typeof seconds === 'number' && seconds >= 0)
    assert.ok(typeof othersShare === 'number' && othersShare >= 0 && othersShare <= 1)
    if (unit !== 'ms') return assert.deepEqual([p50Ms, p99Ms], [undefined, undefined])
    assert.equal(value, p50Ms)
    assert.ok(typeof p50Ms === 'number' && typeof p99Ms === 'number' && p50Ms <= p99Ms)
  })
}

test('core is measured without a cluster, and right to the last task', async () => {
  const { code, stdout, stderr } = await bench(['core', '--tasks', '50000', '--json'])
  assert.equal(code, 0, stderr)
  assert.match(stderr, /^core --tasks 50000: [\d.,]+ tasks\/s; .*bytesPerPendingTask [\d.,]+\n$/)
  const figures = JSON.parse(stdout) as Record<string, unknown>
  assert.deepEqual(figures['params'], { tasks: 50_000 })
  for (const name of ['value', 'eventsPerSecond', 'cpuRatio1000To10Workers', 'bytesPerPendingTask']) {
    const value = figures[name]
    assert.ok(typeof value === 'number' && value > 0, name)
  }
})

test('viewers is measured with pages open and without', async () => {
  const args = ['viewers', '--tasks', '1000', '--pages', '7', '--rounds', '1', '--maps', '1', '--json']
  const { code, stdout, stderr } = await bench(args)
  assert.equal(code, 0, stderr)
  const figures = JSON.parse(stdout) as Record<string, number>
  const names = ['tasksPerSecondAlone', 'tasksPerSecondWatched', 'loopDelayP99MsAlone', 'loopDelayP99MsWatched']
  for (const name of ['value', ...names]) assert.ok(figures[name]! > 0, name)
})

test('startup is measured in processes of its own', async () => {
  const { code, stdout, stderr } = await bench(['startup', '--runs', '1', '--json'])
  assert.equal(code, 0, stderr)
  const { value, connectMs, idleSchedulerMb, idleWorkerMb } = JSON.parse(stdout) as Record<string, number>
  assert.ok(connectMs! > 0 && value! * 1000 >= connectMs!)
  // No Node program takes less, and none of ours a hundred times as much.
  for (const mb of [idleSchedulerMb!, idleWorkerMb!]) assert.ok(mb > 10 && mb < 1_000, `${mb} MB`)
})

test('worker-loss tells what a death adds', async () => {
  const args = ['worker-loss', '--tasks', '20', '--ms', '5', '--runs', '1', '--json']
  const { code, stdout, stderr } = await bench(args)
  assert.equal(code, 0, stderr)
  const { value, undisturbedSeconds } = JSON.parse(stdout) as Record<string, number>
  assert.ok(Number.isFinite(value) && undisturbedSeconds! > 0)
})

test('submit tells the longest turns of a client', async () => {
  const { code, stdout, stderr } = await bench(['submit', '--tasks', '3000', '--runs', '1', '--json'])
  assert.equal(code, 0, stderr)
  const figures = JSON.parse(stdout) as Record<string, number>
  const turns = ['firstMapMs', 'laterMapsMs', 'firstGraphMs', 'laterGraphsMs'].map((name) => figures[name]!)
  for (const ms of turns) assert.ok(ms > 0)
  assert.equal(figures['value'], Math.max(...turns))
})

test('spill is measured beside the bare disk, right to the byte', async () => {
  const { code, stdout, stderr } = await bench(['spill', '--mib', '32', '--json'])
  assert.equal(code, 0, stderr)
  const figures = JSON.parse(stdout) as Record<string, number>
  for (const name of ['value', 'diskGibPerSecond', 'shareOfDisk']) assert.ok(figures[name]! > 0, name)
  // Of three times the limit, more than one is on disk when all is made.
  assert.ok(figures['spilledMib']! > 32)
})

test('wrong usage is one sentence, and exit code 2', async () => {
  const names = WORKLOADS.map(({ name }) => name).join(', ')
  const wrong: [readonly string[], string][] = [
    [['nop-map'], `There is no workload "nop-map"; give one of ${names}.`],
    [['tree', 'merge'], '"merge" is one workload too many; name one, or none to run them all.'],
    [['tree', '--deep', '3'], 'There is no option --deep; see --help.'],
    [['tree', '--tasks', '3'], 'tree has no option --tasks; it has --depth.'],
    [['tree', '--depth', 'deep'], '--depth is "deep"; give a whole number from 0 to 20.'],
    [['tree', '--depth'], '--depth has no value; give a whole number from 0 to 20.'],
    [['--tasks', '3'], '--tasks is an option of a single workload; name the workload too.'],
    [['--only', 'merge,nop-map'], `There is no workload "nop-map"; give one of ${names}.`],
    [['merge', '--only', 'tree'], '--only chooses several workloads; name one, or give --only.'],
    [['--minutes', '3'], '--minutes bounds a comparison; give --peers too.'],
    [['--peers', '--minutes', '0'], '--minutes is "0"; give a whole number from 1 to 600.'],
    [['merge', '--json=yes'], '--json takes no value; leave "yes" out.'],
  ]
  for (const [args, sentence] of wrong)
    assert.throws(
      () => parseArguments(args, WORKLOADS),
      (error) => error instanceof UsageError && error.message === sentence,
    )
  const [[args, sentence]] = wrong as [(typeof wrong)[number]]
  assert.deepEqual(await bench(args), { code: 2, stdout: '', stderr: `bench: ${sentence}\n` })
})

test('--help names every workload with its options', async () => {
  const { code, stdout } = await bench(['--help'])
  assert.equal(code, 0)
  for (const { args } of TINY) assert.match(stdout, new RegExp(`^  ${args[0]} ${args[1]} \\d+`, 'm'))
})

async function bench(args: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)])
  return { code: await ended, stdout, stderr }
}

test('memory-pressure is measured with memory declared and without, and every task is accounted for', async () => {
  const { code, stdout, stderr } = await bench([
    'memory-pressure',
    '--tasks',
    '5',
    '--mib',
    '512',
    '--large',
    '60',
    '--json',
  ])
  assert.equal(code, 0, stderr)
  const figures = JSON.parse(stdout) as Record<string, number>
  assert.equal(figures['declaredCompleted']! + figures['declaredFailed']!, 5)
  assert.equal(figures['slotOnlyCompleted']! + figures['slotOnlyFailed']!, 5)
  assert.ok(figures['declaredPeakMib']! > 0 && figures['slotOnlyPeakMib']! > 0)
})
