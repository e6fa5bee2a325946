/**
 * The scheduler's core alone: what a task costs it, in time among few workers and among many, and in memory while it waits.
 * Both clusters go through their tasks side by side, a slice of one after a slice of the other, so that a machine that is
 * busy with something else for a while is busy for both.
 */
import type { StandaloneWorkload } from '../workload.js'
import { liveBytes } from './live-bytes.js'
import { SimulatedCluster } from './simulated-cluster.js'

const FEW_WORKERS = 10
const MANY_WORKERS = 1_000
const SLICES = 20
const WARM_UP_TASKS = 100_000

export const core: StandaloneWorkload<'tasks'> = {
  type: 'standalone',
  name: 'core',
  summary: "the scheduler's core alone: tasks through it with 10 simulated workers, and with 1,000",
  unit: 'tasks/s',
  parameters: { tasks: { initial: 1_000_000, lowest: 10_000, highest: 10_000_000 } },
  measure: ({ tasks }, onProgress) => {
    onProgress('warm-up')
    for (const workers of [FEW_WORKERS, MANY_WORKERS]) runAll(WARM_UP_TASKS, workers)

    onProgress('submitting')
    const [few, many] = [new SimulatedCluster(tasks), new SimulatedCluster(tasks)]
    few.submitAll()
    const before = liveBytes()
    many.submitAll()
    const bytesPerPendingTask = (liveBytes() - before) / tasks

    few.addWorkers(FEW_WORKERS)
    many.addWorkers(MANY_WORKERS)
    for (let slice = 1; slice <= SLICES; slice++) {
      onProgress(`slice ${slice} of ${SLICES}`)
      const target = Math.ceil((tasks * slice) / SLICES)
      few.runUntil(target)
      many.runUntil(target)
    }
    for (const cluster of [few, many]) cluster.checkDone()
    return {
      value: tasks / few.cpuSeconds,
      figures: {
        eventsPerSecond: few.eventCount / few.cpuSeconds,
        tasksPerSecond1000Workers: tasks / many.cpuSeconds,
        cpuRatio1000To10Workers: many.cpuSeconds / few.cpuSeconds,
        bytesPerPendingTask,
      },
    }
  },
}

function runAll(tasks: number, workers: number): void {
  const cluster = new SimulatedCluster(tasks)
  cluster.submitAll()
  cluster.addWorkers(workers)
  cluster.runUntil(tasks)
  cluster.checkDone()
}
