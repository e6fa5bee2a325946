/**
 * The command line: what can be typed, and what it means. Each command's own code, with all that it needs, is loaded only
 * when it runs, so that `--help` and wrong usage answer at once.
 */
import { availableParallelism } from 'node:os'
import { InvalidArgumentError, Option } from 'commander'
import { packageVersion } from '../common/node/package-version.js'
import { parseBytes, parseDuration } from '../common/units.js'
import { DEFAULT_IO_TASKS } from '../protocol/limits.js'
import { DEFAULT_TIMEOUT_MS } from './defaults.js'
import type { CancelArguments } from './cancel-command.js'
import type { DoctorArguments } from './doctor-command.js'
import type { DrainArguments } from './drain-command.js'
import type { ExplainArguments } from './explain-command.js'
import { HeddleCommand } from './heddle-command.js'
import type { LogsArguments } from './logs-command.js'
import type { SchedulerArguments } from './scheduler-command.js'
import type { ScriptArguments } from './script-command.js'
import type { StatusArguments } from './status-command.js'
import type { TokenArguments } from './token-command.js'
import type { TopArguments } from './top-command.js'
import type { WorkerArguments } from './worker-command.js'

export function createProgram(): HeddleCommand {
  const program = new HeddleCommand('heddle')
  program
    .description('A compute cluster for TypeScript.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand('help [command]', 'print the help of a command')
    .exitOverride()
    .enablePositionalOptions()
    .example('heddle scheduler', 'heddle worker join ws://127.0.0.1:8786', 'heddle status ws://127.0.0.1:8786')
  addScheduler(program)
  addWorker(program)
  addStatus(program)
  addTop(program)
  addExplain(program)
  addLogs(program)
  addDrain(program)
  addCancel(program)
  addRun(program)
  addDoctor(program)
  addToken(program)
  return program
}

function addScheduler(program: HeddleCommand): void {
  const command = program.command('scheduler')
  command
    .description('Run a scheduler, and its status page on the same port.')
    .option(
      '--host <address>',
      'address to listen on; any but loopback needs a token, which is made if none is given',
      '127.0.0.1',
    )
    .option('--port <port>', 'port to listen on; 0 takes a free one', wholeNumber(0, 65_535), 8786)
    .option(
      '--state-dir <directory>',
      'where it keeps what must outlive it; none keeps nothing (default: ~/.local/state/heddle/<port>, and none with --port 0)',
    )
    .addOption(
      new Option('--sync <when>', 'when the disk is told: soon, for deaths of the process; always, for power cuts too')
        .choices(['soon', 'always'])
        .default('soon'),
    )
    .option(
      '--client-grace <duration>',
      'how long what a client held is kept after it lost its connection, such as 10m (default: 60s)',
      duration,
    )
    .option('--strict-versions', 'refuse clients and workers that run another major version of Node')
  addCommonOptions(command)
    .example(
      'heddle scheduler',
      'heddle scheduler --host 0.0.0.0 --token-file /etc/heddle/token',
      'heddle scheduler --host 0.0.0.0 --tls-cert scheduler.crt --tls-key scheduler.key --tls-ca ca.crt',
      'heddle scheduler --state-dir /var/lib/heddle --sync always',
    )
    .action(async (given: SchedulerArguments) => {
      const { runScheduler } = await import('./scheduler-command.js')
      await runScheduler(given)
    })
}

function addWorker(program: HeddleCommand): void {
  const worker = program.command('worker').description('Run workers.')
  worker.example('heddle worker join ws://127.0.0.1:8786')
  const command = worker.command('join')
  command
    .description('Run a worker of the scheduler at an address; it keeps trying until the scheduler is up.')
    .addArgument(command.createArgument('[address]', 'address of the scheduler').default(undefined, '$HEDDLE_ADDRESS'))
    .option(
      '--threads <count>',
      `threads that run tasks (default: ${availableParallelism()}, as many as cores)`,
      wholeNumber(1, 1024),
    )
    .option(
      '--memory-limit <size>',
      'memory meant for the worker, such as 4GiB; past 60 % of it values go to disk, past 95 % it is started again (default: most of the machine)',
      size,
    )
    .option(
      '--thread-heap <size>',
      'what the heap of each thread may come to, such as 8GiB; a task that needs more fails (default: the memory limit shared out, or as much as Node gives)',
      size,
    )
    .option(
      '--disk-limit <size>',
      'what values may take on disk, such as 100GiB (default: half of what is free in the data directory)',
      size,
    )
    .option('--name <name>', 'name in the cluster, which no other worker may have (default: host and process)')
    .option(
      '--resource <name=amount>',
      'what it offers to tasks that ask for it, such as gpu=1; may be given several times',
      resource,
    )
    .option(
      '--tag <name=value>',
      'what tasks may ask for in their option workers, such as zone=a; may be given several times',
      tag,
    )
    .option(
      '--io-tasks <count>',
      `tasks without a thread that it runs at once, beside those in its threads (default: ${DEFAULT_IO_TASKS})`,
      wholeNumber(0, 65_536),
    )
    .option(
      '--preload <file>',
      'module whose functions it offers by name, as in client.submit("tasks.resize", …); may be given several times',
      several,
    )
    .option(
      '--leave-grace <duration>',
      'how long it may take to leave after SIGTERM or Ctrl-C, its values with it, such as 2m (default: 30s)',
      duration,
    )
    .option('--no-remote-code', 'run only functions of preloaded modules, and no code that clients send')
    .option('--data-dir <directory>', 'where it keeps files while it runs (default: the system’s temporary directory)')
    .option('--listen <host:port>', 'where it listens for other workers (default: as the scheduler sees it, any port)')
    .option('--no-listen', 'open no port: its values go by way of the scheduler, over the connection it has')
    .option('--advertise <url>', 'address that others use to reach it, when that is not where it listens')
    .option(
      '--inspect-threads',
      'let a debugger on this machine into its threads, as chrome://inspect; the log says where',
    )
    .option('--no-nanny', 'run tasks in this very process: nothing starts it again when it dies')
  addCommonOptions(command)
    .example(
      'heddle worker join ws://127.0.0.1:8786',
      'HEDDLE_TOKEN=… heddle worker join ws://10.0.0.5:8786 --threads 8 --memory-limit 4GiB',
      'heddle worker join ws://10.0.0.5:8786 --resource gpu=2 --resource licence=1 --tag zone=a',
    )
    .action(async (address: string | undefined, given: WorkerArguments) => {
      const { runWorker } = await import('./worker-command.js')
      await runWorker(address, given)
    })
}

function addStatus(program: HeddleCommand): void {
  const command = program.command('status')
  command
    .description('Print what a cluster is doing.')
    .addArgument(command.createArgument('[address]', 'address of the scheduler').default(undefined, '$HEDDLE_ADDRESS'))
    .option('--json', 'print one line of JSON, as /api/v1/status does')
  addQuestionOptions(command)
    .example('heddle status ws://127.0.0.1:8786', 'heddle status --json | jq .tasks')
    .action(async (address: string | undefined, given: StatusArguments) => {
      const { printStatus } = await import('./status-command.js')
      await printStatus(address, given)
    })
}

function addTop(program: HeddleCommand): void {
  const command = program.command('top')
  command
    .description('Watch what a cluster is doing, every second; q ends it.')
    .addArgument(command.createArgument('[address]', 'address of the scheduler').default(undefined, '$HEDDLE_ADDRESS'))
    .option('--json', 'print a line of JSON every second, as where the output is no terminal')
  addQuestionOptions(command)
    .example('heddle top ws://127.0.0.1:8786', 'heddle top --json | jq .tasksPerSecond')
    .action(async (address: string | undefined, given: TopArguments) => {
      const { watchCluster } = await import('./top-command.js')
      await watchCluster(address, given)
    })
}

function addCancel(program: HeddleCommand): void {
  const command = program.command('cancel')
  command
    .description('Cancel a task, whoever submitted it, and with it what needs its value.')
    .addArgument(command.createArgument('<address>', 'address of the scheduler'))
    .addArgument(command.createArgument('<key>', 'key of the task, as future.key and the log have it'))
    .option('--json', 'print one line of JSON')
  addQuestionOptions(command)
    .example('heddle cancel ws://127.0.0.1:8786 resize-3k9f')
    .action(async (address: string, key: string, given: CancelArguments) => {
      const { cancelTask } = await import('./cancel-command.js')
      await cancelTask(address, key, given)
    })
}

function addExplain(program: HeddleCommand): void {
  const command = program.command('explain')
  command
    .description('Tell why a task is where it is: what it waits for, and which workers can’t take it and why.')
    .addArgument(command.createArgument('<address>', 'address of the scheduler'))
    .addArgument(command.createArgument('<key>', 'key of the task, as future.key and the log have it'))
    .option('--runs', 'ask workers, too, what the time of its runs went into: queue, fetch, decode, run, encode')
    .option('--json', 'print one line of JSON')
  addQuestionOptions(command)
    .example('heddle explain ws://127.0.0.1:8786 resize-3k9f', 'heddle explain ws://127.0.0.1:8786 resize-3k9f --runs')
    .action(async (address: string, key: string, given: ExplainArguments) => {
      const { printExplanation } = await import('./explain-command.js')
      await printExplanation(address, key, given)
    })
}

function addLogs(program: HeddleCommand): void {
  const command = program.command('logs')
  command
    .description('Print the last lines that workers logged, and that their tasks printed.')
    .addArgument(command.createArgument('[address]', 'address of the scheduler').default(undefined, '$HEDDLE_ADDRESS'))
    .argument('[worker]', 'name of one worker (default: all)')
    .option('-f, --follow', 'go on with what comes, until Ctrl-C')
    .option('--json', 'print each line as JSON')
    .option('--timeout <duration>', 'how long to wait for an answer, such as 10s', duration, DEFAULT_TIMEOUT_MS)
    .addOption(tokenFile())
  addTlsOptions(command)
    .example('heddle logs ws://127.0.0.1:8786', 'heddle logs ws://127.0.0.1:8786 worker-1 --follow')
    .action(async (address: string | undefined, worker: string | undefined, given: LogsArguments) => {
      const { printLogs } = await import('./logs-command.js')
      await printLogs(address, worker, given)
    })
}

function addDrain(program: HeddleCommand): void {
  const command = program.command('drain')
  command
    .description(
      'Have workers leave: they end what they run, and what only they hold moves to others, so nothing is done again.',
    )
    .addArgument(command.createArgument('<address>', 'address of the scheduler'))
    .addArgument(command.createArgument('<workers...>', 'names or addresses of the workers'))
    .option('--deadline <duration>', 'then they go, whatever is left to do, such as 90s (default: none)', duration)
    .option('--json', 'print one line of JSON')
  addQuestionOptions(command)
    .example('heddle drain ws://127.0.0.1:8786 node-7', 'heddle drain ws://127.0.0.1:8786 spot-1 spot-2 --deadline 90s')
    .action(async (address: string, workers: string[], given: DrainArguments) => {
      const { drainWorkers } = await import('./drain-command.js')
      await drainWorkers(address, workers, given)
    })
}

function addRun(program: HeddleCommand): void {
  const command = program.command('run')
  command
    .description(
      'Run a script with a cluster: its connect() finds it. The cluster is its own, unless an address is given.',
    )
    .addArgument(command.createArgument('<script>', 'JavaScript file; what follows is for the script'))
    .addArgument(command.createArgument('[args...]', 'what the script finds in process.argv'))
    .option('--address <address>', 'address of a scheduler that is up')
    .option(
      '--workers <count>',
      'worker processes of its own cluster (default: one for each core, at most 4)',
      wholeNumber(1, 256),
    )
    .option(
      '--threads <count>',
      'threads that each of them has (default: the cores, spread over the workers)',
      wholeNumber(1, 1024),
    )
    .addOption(tokenFile())
    .passThroughOptions()
    .example(
      'heddle run crunch.mjs 2026',
      'heddle run --workers 2 crunch.mjs',
      'heddle run --address ws://10.0.0.5:8786 crunch.mjs',
    )
    .action(async (script: string, args: readonly string[], given: ScriptArguments) => {
      const { runScript } = await import('./script-command.js')
      await runScript(script, args, given)
    })
}

function addDoctor(program: HeddleCommand): void {
  const command = program.command('doctor')
  command
    .description(
      'Look at this machine, and at a cluster if an address is given, and say what is not well and what to do.',
    )
    .addArgument(command.createArgument('[address]', 'address of the scheduler').default(undefined, '$HEDDLE_ADDRESS'))
    .option('--json', 'print one line of JSON')
    .option('--timeout <duration>', 'how long each step may take, such as 10s', duration, DEFAULT_TIMEOUT_MS)
    .addOption(tokenFile())
  addTlsOptions(command)
    .example('heddle doctor', 'heddle doctor ws://10.0.0.5:8786')
    .action(async (address: string | undefined, given: DoctorArguments) => {
      const { examine } = await import('./doctor-command.js')
      await examine(address, given)
    })
}

function addToken(program: HeddleCommand): void {
  const token = program.command('token').description('Make tokens, which say who may do what with a cluster.')
  token.example('heddle token create --role viewer --token-file /etc/heddle/token')
  token
    .command('create')
    .description('Print a new token: one for a scheduler, or one made from that which opens a part of it.')
    .addOption(
      new Option(
        '--role <role>',
        'client: submit work and look; worker: do work; viewer: look (default: everything, for a scheduler)',
      ).choices(['client', 'worker', 'viewer']),
    )
    .option('--expires <duration>', 'for how long it holds, such as 7d (default: as long as the scheduler’s)', duration)
    .option('--token-file <file>', 'file that holds the token of the scheduler; else $HEDDLE_TOKEN')
    .option('--json', 'print one line of JSON')
    .example(
      'heddle token create > /etc/heddle/token',
      'heddle token create --role worker --token-file /etc/heddle/token',
      'heddle token create --role viewer --expires 7d --token-file /etc/heddle/token',
    )
    .action(async (given: TokenArguments) => {
      const { createToken } = await import('./token-command.js')
      await createToken(given)
    })
}

function tokenFile(): Option {
  return new Option('--token-file <file>', 'file that holds the token; else $HEDDLE_TOKEN')
}

/** What every command has that asks a scheduler. */
function addQuestionOptions(command: HeddleCommand): HeddleCommand {
  command
    .option('--timeout <duration>', 'how long to wait for the scheduler, such as 10s', duration, DEFAULT_TIMEOUT_MS)
    .addOption(tokenFile())
  return addTlsOptions(command)
}

function addTlsOptions(command: HeddleCommand): HeddleCommand {
  return command
    .option('--tls-ca <file>', 'certificate that signed those of the other side, for wss (default: public ones)')
    .option('--tls-cert <file>', 'certificate to show to the other side')
    .option('--tls-key <file>', 'private key of that certificate')
}

/** What every command has that runs until it is stopped. */
function addCommonOptions(command: HeddleCommand): HeddleCommand {
  return addTlsOptions(command)
    .addOption(tokenFile())
    .addOption(
      new Option('--log-level <level>', 'how much to log').choices(['debug', 'info', 'warn', 'error']).default('info'),
    )
    .addOption(
      new Option('--log-format <format>', 'how to log, on standard error').choices(['text', 'json']).default('text'),
    )
}

function wholeNumber(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN
    if (value >= lowest && value <= highest) return value
    throw new InvalidArgumentError(`Give a whole number from ${lowest} to ${highest}`)
  }
}

/** Adds one to those given before it. What names and amounts may be is the worker's to say. */
function resource(text: string, others: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> {
  const [, name, amount] = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(text) ?? []
  if (name === undefined) throw new InvalidArgumentError('Write it as a name and an amount, as in gpu=1')
  if (Object.hasOwn(others, name)) throw new InvalidArgumentError(`Give ${name} only once`)
  return { ...others, [name]: Number(amount) }
}

/** Adds one to those given before it, as `resource` does. */
function tag(text: string, others: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  const [, name, value] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || value === undefined) {
    throw new InvalidArgumentError('Write it as a name and a value, as in zone=a')
  }
  if (Object.hasOwn(others, name)) throw new InvalidArgumentError(`Give ${name} only once`)
  return { ...others, [name]: value }
}

function several(text: string, others: readonly string[] = []): readonly string[] {
  return [...others, text]
}

function size(text: string): number {
  return withUnits(parseBytes, text)
}

function duration(text: string): number {
  return withUnits(parseDuration, text)
}

function withUnits(parse: (text: string) => number, text: string): number {
  try {
    return parse(text)
  } catch (error) {
    if (error instanceof RangeError) throw new InvalidArgumentError(error.message.replace(/^.*; w/, 'W'))
    throw error
  }
}
