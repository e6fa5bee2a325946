/** The `heddle` command as users run it: a process of its own, whose output and end a test can read. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { eventually } from '../support/eventually.js'

const MAIN = fileURLToPath(new URL('../../cli/main.js', import.meta.url))

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Goes in front of the command: to run it on another host. */
  readonly prefix?: { readonly command: string; readonly args: readonly string[] }
}

export class Command implements AsyncDisposable {
  readonly process: ChildProcess
  readonly ended: Promise<number | NodeJS.Signals>
  stdout = ''
  stderr = ''

  constructor(args: readonly string[], { env = {}, prefix }: CommandOptions = {}) {
    const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('HEDDLE_'))
    const before = prefix === undefined ? [] : [prefix.command, ...prefix.args]
    const [program = '', ...rest] = [...before, process.execPath, MAIN, ...args]
    this.process = spawn(program, rest, {
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.process.stdout?.setEncoding('utf8').on('data', (text: string) => (this.stdout += text))
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text))
    this.ended = new Promise((resolve) => this.process.once('close', (code, signal) => resolve(signal ?? code ?? -1)))
  }

  get pid(): number {
    assert.ok(this.process.pid !== undefined)
    return this.process.pid
  }

  /** Waits until standard error has a JSON line whose text is `text`, and gives its fields. */
  async logged(text: string): Promise<Readonly<Record<string, unknown>>> {
    let found: Record<string, unknown> | undefined
    await eventually(`"${text}" in the log`, () => {
      const complete = this.stderr
        .split('\n')
        .slice(0, -1)
        .filter((line) => line.startsWith('{'))
      found = complete.map((line) => JSON.parse(line) as Record<string, unknown>).find(({ msg }) => msg === text)
      return found !== undefined || this.process.exitCode !== null
    })
    assert.ok(found !== undefined, `it ended without logging "${text}": ${this.stderr}`)
    return found
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGKILL')
    await this.ended
  }
}

export interface CommandEnd {
  readonly code: number | NodeJS.Signals
  readonly stdout: string
  readonly stderr: string
}

/** Runs a command to its end. */
export async function run(args: readonly string[], options?: CommandOptions): Promise<CommandEnd> {
  await using command = new Command(args, options)
  const code = await command.ended
  return { code, stdout: command.stdout, stderr: command.stderr }
}

export interface SchedulerCommand extends AsyncDisposable {
  readonly command: Command
  readonly address: string
  readonly port: number
}

/** `heddle scheduler` on a free port, once it is up. */
export async function startSchedulerCommand(
  args: readonly string[] = [],
  options?: CommandOptions,
): Promise<SchedulerCommand> {
  const command = new Command(['scheduler', '--port', '0', '--log-format', 'json', ...args], options)
  const { address } = await command.logged('scheduler is up')
  assert.ok(typeof address === 'string')
  return {
    command,
    address,
    port: Number(new URL(address).port),
    [Symbol.asyncDispose]: () => command[Symbol.asyncDispose](),
  }
}
