/**
 * The processes beside the client that `viewers` measures with: `scheduler` runs one, and says when asked how late its loop
 * was; `pages ADDRESS COUNT` looks on as so many status pages do, at every view.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { NO_LOG } from '../../common/node/log.js'
import { LOOKS } from '../../protocol/messages/watch.js'
import { dial } from '../../protocol/transport/websocket.js'
import { startScheduler } from '../../scheduler/scheduler.js'

const RESOLUTION_MS = 5
const PATH = '/api/v1/watch'

const [mode, address = '', count = '0'] = process.argv.slice(2)
if (mode === 'scheduler') await runScheduler()
else await lookOn(address, Number(count))
process.once('disconnect', () => process.exit(0))

async function runScheduler(): Promise<void> {
  const onCrash = (error: unknown): void => {
    throw error
  }
  const scheduler = await startScheduler({ port: 0, log: NO_LOG, onCrash })
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delays.enable()
  process.on('message', () => {
    process.send?.({ delayMs: delays.percentile(99) / 1e6 - RESOLUTION_MS })
    delays.reset()
  })
  process.send?.({ address: scheduler.address })
}

async function lookOn(where: string, pages: number): Promise<void> {
  let frames = 0
  for (let page = 0; page < pages; page++) {
    const socket = await dial(where, { path: PATH })
    const isTold = new Promise<void>((resolve) => {
      const onFrame = (): void => {
        frames += 1
        resolve()
      }
      socket.handle({ onFrame, onDrain: () => undefined, onClose: () => undefined })
    })
    const look = LOOKS[page % LOOKS.length]!
    socket.send(Buffer.from(JSON.stringify({ type: 'here', look, key: look === 'task' ? 'none' : '' })))
    await isTold
  }
  process.on('message', () => process.send?.({ frames }))
  process.send?.({ pages })
}
