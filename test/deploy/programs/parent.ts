/** A parent for tests: supervises one child until it is killed. */
import { Child } from '../../../common/node/child-process.js'
import { Supervisor } from '../../../common/node/supervisor.js'

const entry = new URL('./child.js', import.meta.url)
const supervisor = new Supervisor({ start: () => new Child({ entry, env: {} }), onRestart: () => undefined })
if (process.env['UNREF'] === '1') {
  await supervisor.ready
  supervisor.unref()
} else {
  await supervisor.ended
}
