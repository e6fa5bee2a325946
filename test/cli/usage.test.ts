import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'node:test'
import { describeExplanation } from '../../cli/explain-command.js'
import type { HeddleCommand } from '../../cli/heddle-command.js'
import { createProgram } from '../../cli/program.js'
import { describeStatus } from '../../cli/status-command.js'
import { formatTable } from '../../cli/table.js'
import { packageVersion } from '../../common/node/package-version.js'
import type { ClusterStatus, WorkerStatus } from '../../protocol/messages/status.js'
import { run } from './command.js'

test('wrong usage is one sentence that says what to do, and exit code 2', async () => {
  const wrong: readonly [readonly string[], string][] = [
    [['scheduler', '--prot', '1'], `unknown option '--prot' (did you mean --port?); see "heddle scheduler --help".`],
    [['scheduler', '--journal', '/tmp'], `unknown option '--journal'; see "heddle scheduler --help".`],
    [
      ['scheduler', '--port', 'x'],
      `option '--port <port>' argument 'x' is invalid. Give a whole number from 0 to 65535; see "heddle scheduler --help".`,
    ],
    [['schedular'], `unknown command 'schedular' (did you mean scheduler?); see "heddle --help".`],
    [
      ['worker', 'join', 'a', 'b'],
      `too many arguments for 'join'. Expected 1 argument but got 2; see "heddle worker join --help".`,
    ],
    [
      ['worker', 'join'],
      'The address of the scheduler is missing; give it, or set HEDDLE_ADDRESS, as in ws://127.0.0.1:8786.',
    ],
    [['worker', 'join', 'localhost'], '"localhost" is no address of a scheduler; write it like ws://127.0.0.1:8786.'],
    [
      ['worker', 'join', 'ws://127.0.0.1:1', '--memory-limit', '4'],
      `option '--memory-limit <size>' argument '4' is invalid. Write it like "2GiB"; see "heddle worker join --help".`,
    ],
    [
      ['worker', 'join', 'ws://127.0.0.1:1', '--resource', 'gpu'],
      `option '--resource <name=amount>' argument 'gpu' is invalid. Write it as a name and an amount, as in gpu=1; see "heddle worker join --help".`,
    ],
    [
      ['worker', 'join', 'ws://127.0.0.1:1', '--resource', 'memory=4'],
      `The resource "memory" is what the worker's memory limit says; set that instead.`,
    ],
    [
      ['worker', 'join', 'ws://127.0.0.1:1', '--tag', 'zone'],
      `option '--tag <name=value>' argument 'zone' is invalid. Write it as a name and a value, as in zone=a; see "heddle worker join --help".`,
    ],
    [
      ['worker', 'join', 'ws://127.0.0.1:1', '--io-tasks', 'many'],
      `option '--io-tasks <count>' argument 'many' is invalid. Give a whole number from 0 to 65536; see "heddle worker join --help".`,
    ],
    [['explain', 'localhost', 'f-1'], '"localhost" is no address of a scheduler; write it like ws://127.0.0.1:8786.'],
    [['status', 'localhost:8786'], '"localhost:8786" is no address of a scheduler; write it like ws://127.0.0.1:8786.'],
    [
      ['scheduler', '--token-file', '/nowhere'],
      'The token file /nowhere cannot be read; check its name and who may read it.',
    ],
    [
      ['scheduler', '--host', '203.0.113.7', '--port', '0'],
      '203.0.113.7 is no address of this machine (EADDRNOTAVAIL); choose another with --host.',
    ],
  ]
  const ends = await Promise.all(wrong.map(([args]) => run(args)))
  ends.forEach((end, index) => {
    assert.deepEqual(end, { code: 2, stdout: '', stderr: `heddle: ${wrong[index]![1]}\n` })
  })
})

test('an empty token file is refused', async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'heddle-test-'))
  const file = path.join(folder, 'token')
  writeFileSync(file, '\n')
  const { code, stderr } = await run(['scheduler', '--token-file', file])
  rmSync(folder, { recursive: true })
  assert.deepEqual([code, stderr], [2, `heddle: The token file ${file} is empty; write the token into it.\n`])
})

test('the version and the help go to standard output, and every command shows an example', async () => {
  assert.deepEqual(await run(['--version']), { code: 0, stdout: `${packageVersion()}\n`, stderr: '' })
  for (const command of [[], ['scheduler'], ['worker'], ['worker', 'join'], ['status'], ['token', 'create']]) {
    const { code, stdout, stderr } = await run([...command, '--help'])
    assert.deepEqual([code, stderr], [0, ''])
    assert.match(stdout, /\nExamples?:\n {2}(HEDDLE_TOKEN=… )?heddle /)
  }
})

test('a command line without a command prints the help and is wrong usage', async () => {
  const { code, stdout, stderr } = await run([])
  assert.deepEqual([code, stdout], [2, ''])
  assert.match(stderr, /^Usage: heddle /)
})

test('a table lines up, and names cannot command the terminal', () => {
  const table = formatTable(
    ['NAME', 'N'],
    [
      ['a\u001b[2J', '1'],
      ['longer-name', '22'],
    ],
  )
  assert.equal(table, 'NAME         N\na?[2J        1\nlonger-name  22')
})

test('why a task waits is told in a few lines', () => {
  const waitsFor = [{ key: 'load-1', state: 'processing' }]
  const workers = [{ name: 'anna\u001b[2J', reason: 'has no gpu' }]
  const details = ['It needs gpu=1.']
  const explanation = {
    key: 'sum-2',
    state: 'ready',
    reason: 'It waits.',
    details,
    waitsFor,
    workers,
    ahead: 0,
  } as const
  assert.equal(
    describeExplanation(explanation),
    `sum-2 is ready
It waits.
It needs gpu=1.

WAITS FOR  WHICH IS
load-1     processing

WORKER    WHY IT TAKES NONE NOW
anna?[2J  has no gpu
`,
  )
})

const NONE = { waiting: 0, ready: 0, processing: 0, 'in-memory': 0, failed: 0, released: 0, delayed: 0 }
const STATUS: ClusterStatus = {
  packageVersion: '1.2.3',
  nodeVersion: 'v20.0.0',
  upForMs: 61_000,
  clients: 1,
  workers: [],
  tasks: { ...NONE, processing: 2 },
  blocked: [{ needs: 'gpu=1', reason: 'needs gpu=1, which none of 0 workers has' }],
  functions: [{ name: 'double', tasks: { ...NONE, processing: 2 }, finished: 10, failed: 0, meanMs: 1.5 }],
  totals: {
    submitted: 12,
    finished: 10,
    failed: 0,
    retried: 0,
    cancelled: 0,
    resultBytes: 0,
    movedBytes: 0,
    repaired: 0,
  },
  tasksPerSecond: 3.4,
}

test('the status of a cluster is told in a few lines', () => {
  assert.equal(
    describeStatus('ws://127.0.0.1:8786', STATUS),
    `ws://127.0.0.1:8786  up for 1m 1s, heddle 1.2.3, Node v20.0.0
Tasks: 0 waiting, 0 ready, 2 processing, 0 in-memory, 0 failed, 0 released, 0 delayed; 3 a second
Since the start: 12 submitted, 10 finished, 0 failed

No workers; start one with: heddle worker join ws://127.0.0.1:8786

Waiting: work that needs gpu=1, which none of 0 workers has.

FUNCTION  WAITING  READY  PROCESSING  IN MEMORY  FINISHED  FAILED  MEAN TIME
double    0        0      2           0          10        0       1.5ms
`,
  )
})

test('of each worker the status says what it was sent, also ahead of its inputs', () => {
  const worker: WorkerStatus = {
    name: 'w1',
    address: '',
    host: 'loom',
    pid: 1,
    threads: 4,
    resources: ['gpu=2'],
    memoryBytes: 2 ** 30,
    memoryLimitBytes: 2 ** 32,
    cpuSeconds: 0,
    processing: 5,
    sentAhead: 3,
    storedCount: 0,
    storedBytes: 0,
    spilledBytes: 0,
    receivedBytes: 0,
    pausedBy: '',
    isDiskFull: false,
    isLeaving: false,
    staysBecause: '',
    silentForMs: 0,
    packageVersion: '1.2.3',
    nodeVersion: 'v20.0.0',
  }
  const lines = describeStatus('ws://127.0.0.1:8786', { ...STATUS, workers: [worker] }).split('\n')
  const at = lines.findIndex((line) => line.startsWith('WORKER'))
  assert.match(lines[at]!, /^WORKER +HOST +THREADS +PROCESSING +SENT AHEAD +MEMORY +VALUES HELD +HEARD OF$/)
  assert.match(lines[at + 1]!, /^w1 +loom +4 gpu=2 +5 +3 +/)
})

test('every command has an example, JSON for what it prints, and what it takes to reach a scheduler that encrypts', () => {
  const commands = (command: HeddleCommand): HeddleCommand[] =>
    command.commands.length === 0 ? [command] : command.commands.flatMap((each) => commands(each as HeddleCommand))
  const faults: string[] = []
  for (const command of commands(createProgram())) {
    const name = command.name()
    const has = (option: string): boolean => command.options.some(({ long }) => long === option)
    // What runs until it is stopped logs, in JSON if it is asked to; and a script prints what it likes.
    const runs = ['scheduler', 'join', 'run'].includes(name)
    if (!runs && !has('--json')) faults.push(`${name} has no --json`)
    if (name !== 'run' && runs && !has('--log-format')) faults.push(`${name} has no --log-format`)
    if (!has('--token-file')) faults.push(`${name} has no --token-file`)
    // A token is made without a scheduler, and a script says by itself what it connects with.
    for (const option of ['--tls-ca', '--tls-cert', '--tls-key'])
      if (name !== 'create' && name !== 'run' && !has(option)) faults.push(`${name} has no ${option}`)
    for (const { long, description } of command.options)
      if (description === '') faults.push(`${name} ${long} says nothing`)
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    if (!/\nExamples?:\n +heddle /.test(help)) faults.push(`${name} shows no example`)
  }
  assert.deepEqual(faults, [])
})
