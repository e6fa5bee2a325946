/** Runs a workload: on a cluster of its own, warm, several times, with every answer checked. */
import { connect, LocalCluster } from '../client/index.js'
import { cpuSecondsOf, machineTime, othersShare } from './cpu-time.js'
import { percentile } from './percentile.js'
import type { ClusterWorkload, Figures, Params, Run, Work, Workload } from './workload.js'

/** The first runs compile; figures are of what comes after. */
const WARM_UP_RUNS = 2

export interface Result {
  readonly workload: string
  readonly params: Params
  readonly value: number
  readonly unit: Workload['unit']
  readonly p50Ms?: number
  readonly p99Ms?: number
  /** Beside the value: medians of the runs. */
  readonly figures: Figures
  /** Of one run, as the mean of those measured, from its first call to its futures dropped. Not of what starts its own processes. */
  readonly cpuSeconds?: CpuSeconds
  /** How much of the machine's processors other processes had meanwhile, from 0 to 1; those that a workload starts itself too. */
  readonly othersShare?: number
}

interface CpuSeconds {
  readonly client: number
  readonly scheduler: number
  /** With their nannies, but those of a local cluster are part of the client's process. */
  readonly workers: number
}

export async function measure(
  workload: Workload,
  params: Params,
  onProgress: (step: string) => void = () => {},
): Promise<Result> {
  if (workload.type === 'on-cluster') return await measureOnCluster(workload, params, onProgress)
  const { value, figures } = await workload.measure(params, onProgress)
  return { workload: workload.name, params, value: rounded(value), unit: workload.unit, figures: allRounded(figures) }
}

/**
 * One scheduler process and two worker processes of one thread, over loopback, which is what the goals are set for.
 * `onProgress` hears what is being done.
 */
async function measureOnCluster(
  workload: ClusterWorkload,
  params: Params,
  onProgress: (step: string) => void,
): Promise<Result> {
  onProgress('starting the cluster')
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  const work = workload.prepare(client, params)
  const { warmUps = WARM_UP_RUNS } = workload
  for (let run = 1; run <= warmUps; run++) {
    onProgress(`warm-up ${run} of ${warmUps}`)
    await time(work)
  }
  const pids = cluster.pids
  const before = cpuTimes(pids)
  const machineBefore = machineTime()
  const runs: Run[] = []
  while (runs.length < workload.runs) {
    onProgress(`run ${runs.length + 1} of ${workload.runs}`)
    runs.push(await time(work))
  }
  if (String(cluster.pids) !== String(pids)) {
    throw new Error('A process of the cluster died; see the log, and run it again.')
  }
  const after = cpuTimes(pids)
  const ownSeconds = sum(after) - sum(before)
  const perRun = (part: keyof CpuSeconds): number => rounded((after[part] - before[part]) / runs.length)
  return {
    workload: workload.name,
    params,
    value: rounded(median(runs.map((run) => workload.valueOf(run, params)))),
    unit: workload.unit,
    ...latencies(runs.flatMap(({ latenciesMs }) => latenciesMs)),
    figures: allRounded(medians(runs)),
    cpuSeconds: { client: perRun('client'), scheduler: perRun('scheduler'), workers: perRun('workers') },
    othersShare: Number(othersShare(machineBefore, machineTime(), ownSeconds).toFixed(2)),
  }
}

async function time(work: Work): Promise<Run> {
  const startedAtMs = performance.now()
  const { latenciesMs = [], figures = {}, finish } = await work()
  const seconds = (performance.now() - startedAtMs) / 1000
  await finish()
  return { seconds, latenciesMs, figures }
}

/** Of the cluster's processes the scheduler is the first. */
function cpuTimes([scheduler, ...workers]: readonly number[]): CpuSeconds {
  return {
    client: cpuSecondsOf([process.pid]),
    scheduler: cpuSecondsOf(scheduler === undefined ? [] : [scheduler]),
    workers: cpuSecondsOf(workers),
  }
}

function sum({ client, scheduler, workers }: CpuSeconds): number {
  return client + scheduler + workers
}

function latencies(latenciesMs: readonly number[]): { p50Ms?: number; p99Ms?: number } {
  if (latenciesMs.length === 0) return {}
  return { p50Ms: rounded(percentile(latenciesMs, 50)), p99Ms: rounded(percentile(latenciesMs, 99)) }
}

function medians(runs: readonly Run[]): Figures {
  const names = Object.keys(runs[0]?.figures ?? {})
  return Object.fromEntries(names.map((name) => [name, median(runs.map(({ figures }) => figures[name] ?? NaN))]))
}

function allRounded(figures: Figures): Figures {
  return Object.fromEntries(Object.entries(figures).map(([name, value]) => [name, rounded(value)]))
}

function median(values: readonly number[]): number {
  return percentile(values, 50)
}

/** Four digits are more than a benchmark can tell apart. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
