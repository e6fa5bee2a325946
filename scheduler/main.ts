/** The scheduler as a child process of an embedded cluster: it listens on the socket that its parent hands over. */
import { LISTENER_FD } from '../common/node/child-process.js'
import { createLog, type LogLevel } from '../common/node/log.js'
import { dieWithParent, reportToParent } from '../common/node/parent-process.js'
import { onShutdown } from '../common/node/shutdown.js'
import { startScheduler } from './scheduler.js'

dieWithParent()
const log = createLog({ level: process.env['HEDDLE_LOG_LEVEL'] as LogLevel, format: 'text', name: 'scheduler' })
const scheduler = await startScheduler({
  listener: { fd: LISTENER_FD },
  log,
  onCrash: (error) => {
    log.error({ err: error }, 'the scheduler has a bug and cannot go on; please report this')
    process.exit(1)
  },
})
onShutdown({
  gracefully: () => void scheduler.close().then(() => process.exit(0)),
  atOnce: () => process.exit(1),
})
await reportToParent({ type: 'ready' })
