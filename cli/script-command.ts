/** `heddle run`: runs a script of the user against a cluster, its own or one that is up, and ends as the script does. */
import { spawn } from 'node:child_process'
import { access } from 'node:fs/promises'
import { constants } from 'node:os'
import { TUNABLES_VARIABLE, withHugePages } from '../common/node/huge-pages.js'
import { onShutdown } from '../common/node/shutdown.js'
import { LocalCluster } from '../deploy/local-cluster.js'
import { HeddleError } from '../protocol/errors.js'
import { readToken } from './defaults.js'

export interface ScriptArguments {
  readonly address?: string
  readonly workers?: number
  readonly threads?: number
  readonly tokenFile?: string
}

/** Ends as the script did: the exit code is its own. */
export async function runScript(script: string, args: readonly string[], given: ScriptArguments): Promise<void> {
  await checkScript(script)
  const { address, workers, threads, tokenFile } = given
  if (address !== undefined && (workers ?? threads) !== undefined) {
    const message = `--workers and --threads are for a cluster of the script's own; leave them out, or leave out --address.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }
  const token = await readToken(tokenFile)
  const cluster =
    address === undefined
      ? await LocalCluster.start({
          ...(workers !== undefined && { workers }),
          ...(threads !== undefined && { threadsPerWorker: threads }),
        })
      : undefined
  try {
    process.exitCode = await runNode([script, ...args], {
      HEDDLE_ADDRESS: cluster?.address ?? address,
      HEDDLE_TOKEN: cluster === undefined ? token : undefined,
      [TUNABLES_VARIABLE]: withHugePages(process.env[TUNABLES_VARIABLE]),
    })
  } finally {
    await cluster?.close()
  }
}

/** Resolves to the exit code; as shells say it, 128 and the signal's number for one that a signal ended. */
function runNode(args: readonly string[], variables: Readonly<Record<string, string | undefined>>): Promise<number> {
  const child = spawn(process.execPath, args, { stdio: 'inherit', env: { ...process.env, ...variables } })
  // Asked to end, this process asks the script, and outlives it: it has a cluster to close.
  onShutdown({ gracefully: () => child.kill('SIGTERM'), atOnce: () => child.kill('SIGKILL') })
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']))
  })
}

async function checkScript(script: string): Promise<void> {
  try {
    await access(script)
  } catch (cause) {
    const message = `There is no script ${script}; give the path of a JavaScript file.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message, { cause })
  }
  const runsTypeScript = 'typescript' in process.features && process.features.typescript !== false
  if (!/\.[cm]?ts$/.test(script) || runsTypeScript || (process.env['NODE_OPTIONS'] ?? '') !== '') return
  const message = `Node ${process.version} runs no TypeScript; compile ${script} first, or take Node 22.18 or later.`
  throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
}
