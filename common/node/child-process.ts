/**
 * Child processes that leave no orphans. Each child is a Node program in a process group of its own, with an IPC channel
 * to its parent: the child dies when the channel breaks (see `parent-process.ts`), which the operating system sees to
 * even when the parent is killed by SIGKILL; and when the child dies, the parent kills what is left of its group, the
 * programs that the child had started.
 */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import type { Server } from 'node:net'
import { fileURLToPath } from 'node:url'
import { present } from '../assert.js'
import { TUNABLES_VARIABLE, withHugePages } from './huge-pages.js'

/** What a child says to its parent; see `reportToParent`. */
export type ChildReport =
  /** It does what it was started for. */
  | { readonly type: 'ready' }
  /** It cannot do that, and trying again is no use; it exits with code 1 next. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string }
  /** It has logged these. */
  | { readonly type: 'logged'; readonly lines: readonly string[] }

/** What a parent says to its child; see `hearParent`. */
export interface ParentMessage {
  /** It takes too much memory: it is to say why it ends, and end at once. */
  readonly type: 'out-of-memory'
  readonly reason: string
}

/** How a child ended. */
export interface ChildExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it reported before it ended, if it did. */
  readonly failure: { readonly code: string; readonly message: string } | undefined
  readonly wasReady: boolean
  /** The last lines that it reported to have logged, the oldest first. */
  readonly lastLines: readonly string[]
}

export interface ChildOptions {
  /** The module that it runs. */
  readonly entry: URL
  /** Added to the environment of this process; `undefined` takes a variable away. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** A listening socket, which the child finds at {@link LISTENER_FD}. Ours can be closed once the child is made. */
  readonly listener?: Server
  /** How many of the lines that it reports are kept. Default: none. */
  readonly maxLines?: number
}

/** Where a child finds the socket that it was given, behind the standard streams and the IPC channel. */
export const LISTENER_FD = 4

export class Child {
  readonly pid: number | undefined
  /** Resolves, never rejects, once the process and its whole group are gone. */
  readonly exited: Promise<ChildExit>
  /** Resolves once the child reported that it is ready; stays pending if it never does. */
  readonly ready: Promise<void>
  readonly #process: ChildProcess

  constructor({ entry, env, listener, maxLines = 0 }: ChildOptions) {
    this.#process = spawn(process.execPath, [fileURLToPath(entry)], {
      detached: true,
      env: { ...process.env, [TUNABLES_VARIABLE]: withHugePages(process.env[TUNABLES_VARIABLE]), ...env },
      // What a child prints goes to our standard error: our standard output belongs to the program that we run in.
      stdio: ['ignore', 2, 2, 'ipc', listener === undefined ? 'ignore' : descriptorOf(listener)],
      windowsHide: true,
    })
    this.pid = this.#process.pid
    let reportReady: () => void = () => {}
    this.ready = new Promise((resolve) => (reportReady = resolve))
    let failure: ChildExit['failure']
    let wasReady = false
    let lastLines: readonly string[] = []
    this.#process.on('message', (message) => {
      const report = parseReport(message)
      if (report?.type === 'failed') failure = { code: report.code, message: report.message }
      if (report?.type === 'logged') lastLines = maxLines === 0 ? [] : [...lastLines, ...report.lines].slice(-maxLines)
      if (report?.type !== 'ready') return
      wasReady = true
      reportReady()
    })
    this.exited = new Promise((resolve) => {
      this.#process.on('error', (error) => {
        if (this.pid !== undefined) return // A signal or message that came too late, not a failed start.
        resolve({
          code: null,
          signal: null,
          failure: { code: 'ERR_HEDDLE_FATAL', message: error.message },
          wasReady,
          lastLines,
        })
      })
      this.#process.once('exit', (code, signal) => {
        this.kill()
        resolve({ code, signal, failure, wasReady, lastLines })
      })
    })
  }

  /** Sends a signal to the child alone, not to what it started. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal)
  }

  /** Says something to the child, if it still lives. */
  tell(message: ParentMessage): void {
    // What goes wrong is told by the child's end.
    if (this.#process.connected) this.#process.send(message, () => undefined)
  }

  /** Kills the child and everything in its group, at once. */
  kill(): void {
    if (this.pid === undefined) return
    killGroup(this.pid)
  }

  /** Asks the child to end by SIGTERM, and kills its group when it has not ended after `graceMs`. */
  async stop(graceMs: number): Promise<ChildExit> {
    this.ref()
    this.signal('SIGTERM')
    const timer = setTimeout(() => this.kill(), graceMs)
    try {
      return await this.exited
    } finally {
      clearTimeout(timer)
    }
  }

  /** Undoes `unref`: who waits for the child's end must live to see it. */
  ref(): void {
    this.#process.ref()
  }

  /** Lets this process end while the child still runs; the child ends with it. */
  unref(): void {
    this.#process.unref()
    this.#process.channel?.unref()
  }
}

/** How it ended, for people: `exit code 1`, `SIGKILL`. */
export function describeExit({ code, signal }: ChildExit): string {
  return signal ?? (code === null ? 'it could not be started' : `exit code ${code}`)
}

/** Kills a process group. One that is gone already is fine. */
export function killGroup(leaderPid: number): void {
  try {
    // Windows has no process groups; there the leader alone is killed.
    process.kill(process.platform === 'win32' ? leaderPid : -leaderPid, 'SIGKILL')
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
}

/**
 * The file descriptor of a listening socket. Node has no public name for it. Sending the socket over IPC instead would
 * lose connections: a child accepts on what it receives at once, before its program can have said what to do with them.
 */
function descriptorOf(listener: Server): number {
  const { _handle: handle } = listener as unknown as { readonly _handle?: { readonly fd?: number } }
  return present(handle?.fd, 'the file descriptor of a listening socket')
}

function parseReport(message: unknown): ChildReport | undefined {
  if (typeof message !== 'object' || message === null || !('type' in message)) return undefined
  if (message.type === 'ready') return { type: 'ready' }
  if (message.type === 'logged' && 'lines' in message && Array.isArray(message.lines)) {
    return { type: 'logged', lines: message.lines.map(String) }
  }
  if (message.type !== 'failed' || !('code' in message) || !('message' in message)) return undefined
  return { type: 'failed', code: String(message.code), message: String(message.message) }
}
