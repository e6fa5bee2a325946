/** A parent for tests: supervises one child until it is killed, or does not wait for it, and perhaps stops it then. */
import { Child } from '../../../common/node/child-process.js'
import { Supervisor } from '../../../common/node/supervisor.js'

const entry = new URL('./child.js', import.meta.url)
const supervisor = new Supervisor({ start: () => new Child({ entry, env: {} }), onRestart: () => undefined })
if (process.env['UNREF'] !== undefined) {
  await supervisor.ready
  supervisor.unref()
  if (process.env['UNREF'] === 'stop') await supervisor.stop(50)
} else {
  await supervisor.ended
}
