/** A scheduler in the test's own process, on a free port. */
import { NO_LOG } from '../../common/node/log.js'
import type { SchedulerOptions } from '../../scheduler/options.js'
import { startScheduler, type RunningScheduler } from '../../scheduler/scheduler.js'

export async function startTestScheduler(options: Partial<SchedulerOptions> = {}): Promise<RunningScheduler> {
  return await startScheduler({
    port: 0,
    log: NO_LOG,
    onCrash: (error) => {
      throw error
    },
    ...options,
  })
}
