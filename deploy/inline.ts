/**
 * A whole cluster in this thread, for `connect('inline:')`: a breakpoint in a task is hit, and a stack shows everything.
 * Scheduler and worker are those of a real cluster; only what lies between them is memory, and tasks have no thread.
 */
import type { Log } from '../common/node/log.js'
import { SchedulerUnreachableError } from '../protocol/errors.js'
import type { CodeHash } from '../protocol/ids.js'
import { memoryPair } from '../protocol/transport/memory.js'
import type { Socket } from '../protocol/transport/socket.js'
import { createMachine } from '../scheduler/scheduler.js'
import { Sessions } from '../scheduler/sessions.js'
import { InlinePool } from '../worker/inline-pool.js'
import type { Network } from '../worker/network.js'
import { resolveWorkerOptions } from '../worker/options.js'
import type { TaskFunction } from '../worker/thread/code.js'
import { startWorker } from '../worker/worker.js'

const SCHEDULER_ADDRESS = 'inline:scheduler'
const WORKER_ADDRESS = 'inline:worker'

export interface InlineOptions {
  readonly log: Log
  /** The caller's own function of this code, if it is one; other code is loaded as in a thread. */
  readonly functionOf: (code: CodeHash) => TaskFunction | undefined
  /** Told of a bug of ours that ended the scheduler. */
  readonly onCrash: (error: unknown) => void
}

export interface InlineCluster extends AsyncDisposable {
  /** Opens a socket to the scheduler. */
  dialScheduler(): Promise<Socket>
  /** Opens a socket to the worker, whose address the scheduler told, to fetch values. */
  dialWorker(address: string): Promise<Socket>
  /** A second call does nothing more. */
  close(): Promise<void>
}

/** Starts one, and resolves when its worker has joined. */
export async function startInlineCluster({ log, functionOf, onCrash }: InlineOptions): Promise<InlineCluster> {
  const sessions = new Sessions({ machine: createMachine(), log, onCrash })
  const dialScheduler = (): Promise<Socket> =>
    Promise.resolve(dial(SCHEDULER_ADDRESS, (socket) => sessions.accept(socket)))
  let acceptAtWorker: ((socket: Socket) => void) | undefined
  const dialWorker = (address: string): Promise<Socket> => {
    if (acceptAtWorker !== undefined && address === WORKER_ADDRESS)
      return Promise.resolve(dial(address, acceptAtWorker))
    return Promise.reject(new SchedulerUnreachableError(`There is no ${address} in an inline: cluster; connect again.`))
  }
  const network: Network = {
    dialScheduler,
    dialPeer: dialWorker,
    listen: (_localAddress, onSocket) => {
      acceptAtWorker = onSocket
      return Promise.resolve({ address: WORKER_ADDRESS, close: () => (acceptAtWorker = undefined) })
    },
  }
  // The address is none that is ever dialled: the network above goes another way.
  const options = resolveWorkerOptions({ schedulerUrl: 'ws://inline', name: 'inline', threads: 1 })
  const worker = await startWorker(options, {
    log,
    taskLog: log,
    network,
    createPool: (host) => new InlinePool({ host, functionOf, dial: { dialScheduler, dialHolder: dialWorker } }),
  })
  const closeAll = async (): Promise<void> => {
    await worker.close()
    sessions.close()
  }
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => (closed ??= closeAll())
  return { dialScheduler, dialWorker, close, [Symbol.asyncDispose]: close }
}

function dial(address: string, accept: (socket: Socket) => void): Socket {
  const { left, right } = memoryPair({ left: 'inline:client', right: address })
  accept(right)
  return left
}
