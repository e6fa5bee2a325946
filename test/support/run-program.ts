/** Runs another program to its end, as a user would from a terminal, and gives what it printed. */
import { execFile } from 'node:child_process'

export interface RunOptions {
  /** The folder to run it in. */
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** Generous: it only ends what hangs. */
  readonly timeoutMs?: number
}

/**
 * Resolves with standard output. It inherits the environment, but nothing that points to a cluster.
 *
 * @throws {Error} with all that it printed, when it fails or takes too long.
 */
export async function runProgram(file: string, args: readonly string[], options: RunOptions): Promise<string> {
  const { cwd, env = {}, timeoutMs = 120_000 } = options
  const inherited = Object.entries(process.env).filter(([name]) => !/^(HEDDLE_|NODE_TEST_CONTEXT$)/.test(name))
  return await new Promise((resolve, reject) => {
    execFile(
      file,
      args,
      {
        cwd,
        env: { ...Object.fromEntries(inherited), ...env },
        timeout: timeoutMs,
        killSignal: 'SIGKILL',
        maxBuffer: 2 ** 26,
      },
      (cause, stdout, stderr) => {
        if (cause === null) return resolve(stdout)
        const command = [file, ...args].join(' ')
        const end = cause.killed === true ? `did not end in ${timeoutMs} ms` : `failed with ${cause.code}`
        reject(new Error(`${command} ${end}:\n${stdout}\n${stderr}`, { cause }))
      },
    )
  })
}
