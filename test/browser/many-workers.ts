/** More workers than this machine could run: they join, say how they are, and that they are at what they were sent. */
import { schedulerToWorker, workerToScheduler } from '../../protocol/messages/worker.js'
import type { Join, Pulse, SchedulerToWorker, WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { connectTo } from '../../protocol/transport/handshake.js'
import { dial } from '../../protocol/transport/websocket.js'

const MIB = 2 ** 20

export interface ManyWorkers extends AsyncDisposable {
  /** The first of them tells that its threads ran so much, without a gap. */
  tellRuns(count: number): void
}

export interface ManyWorkersOptions {
  readonly token?: string
  /** What each answers to what the scheduler says, instead. */
  readonly answer?: (message: SchedulerToWorker) => WorkerToScheduler | undefined
}

export async function joinManyWorkers(
  address: string,
  count: number,
  options: ManyWorkersOptions = {},
): Promise<ManyWorkers> {
  const connections = await Promise.all(Array.from({ length: count }, (_, n) => joinOne(address, n, options)))
  return {
    tellRuns: (runs) =>
      connections[0]!.send({
        type: 'runs',
        runs: Array.from({ length: runs }, (_, n) => ({
          function: `function${n % 4}`,
          key: `key-${n}`,
          thread: n % THREADS,
          agoUs: 1_000 * (runs / THREADS - Math.floor(n / THREADS)),
          durationUs: 900,
          count: 1,
          failed: n % 101 === 0 ? 1 : 0,
        })),
        running: [],
        moves: [{ kind: 'fetched', agoUs: 0, count: 3, bytes: 4_096 }],
        leftOut: 0,
      }),
    [Symbol.asyncDispose]: async () => {
      for (const connection of connections) connection.close()
    },
  }
}

async function joinOne(
  address: string,
  n: number,
  { token, answer = beginTasks }: ManyWorkersOptions,
): Promise<Connection<WorkerToScheduler>> {
  const name = `node-${n}`
  const connection = await connectTo<SchedulerToWorker, WorkerToScheduler>({
    socket: await dial(address, { token }),
    hello: { role: 'worker', name },
    incoming: schedulerToWorker,
    outgoing: workerToScheduler,
    handlers: (own) => ({
      onMessages: (messages) => {
        for (const message of messages) {
          const answered = answer(message)
          if (answered !== undefined) own.send(answered)
        }
      },
      onClose: () => undefined,
    }),
  })
  const join: Join = {
    type: 'join',
    name,
    address: `ws://10.0.0.${n % 250}:9000`,
    threads: THREADS,
    memoryLimitBytes: 4_096 * MIB,
    pid: 1_000 + n,
    host: `host-${n}.example`,
    packageVersion: '0.1.0',
    nodeVersion: process.version,
    incarnation: name,
    resources: [],
    ioTasks: 256,
    tags: [],
    isWatched: true,
    lastDeath: undefined,
  }
  connection.send(join)
  connection.send({ ...PULSE, memoryBytes: (n + 1) * MIB, cpuSeconds: n, storedCount: n, storedBytes: n * 1_000 })
  return connection
}

const THREADS = 16

const PULSE: Pulse = {
  type: 'pulse',
  memoryBytes: 100 * MIB,
  cpuSeconds: 1,
  storedCount: 0,
  storedBytes: 0,
  spilledBytes: 0,
  pausedBy: '',
  isDiskFull: false,
  isHoldingBack: false,
  running: [],
  attempts: [],
  runningForMs: [],
}

function beginTasks(message: SchedulerToWorker): WorkerToScheduler | undefined {
  if (message.type !== 'run-tasks') return undefined
  const running = message.tasks.slice(0, THREADS)
  return { ...PULSE, running, runningForMs: running.map((_, thread) => thread * 1_234) }
}
