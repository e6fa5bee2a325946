/** The entry file of the thread for tasks that take no thread of their own: each message is one of them, all run at once. */
import { parentPort, workerData } from 'node:worker_threads'
import { present } from '../../common/assert.js'
import { loadedCodeCount, loadFunction, MAX_LOADED_CODE } from './code.js'
import { replaceConsole } from './console.js'
import { collectGarbage } from '../../common/node/garbage.js'
import type { FromIoThread, IoThreadData, ToIoThread } from './io-message.js'
import { currentIoSlot, IoTasks } from './io-task.js'
import { disposeLocals } from './locals.js'
import { routeOf } from './array-ids.js'
import { expectTakenCalls } from './stream.js'
import { handleUncaught } from './uncaught.js'

const mainThread = present(parentPort ?? undefined, 'the port to the main thread')
const data = workerData as { -readonly [K in keyof IoThreadData]: IoThreadData[K] }
const route = routeOf(data)
// User code sees the same object, and has no use for the token in it.
data.scheduler = undefined
const post = (message: FromIoThread): void => mainThread.postMessage(message)

const tasks = new IoTasks({
  loadFunction: ({ url, exportName }) => loadFunction(url, exportName),
  onListening: (slot) => post({ type: 'listening', slot }),
  tell: (message) => mainThread.postMessage(message),
  route,
})

expectTakenCalls(data.takenChannel)

replaceConsole((message) => mainThread.postMessage(message))
const report = (text: string, task?: string): void => post({ type: 'log', level: 'error', task, text })
handleUncaught(report)

// A task that ends the thread takes the others with it, but the blame is its own.
const exit = process.exit.bind(process)
process.exit = (code?: number | string | null): never => {
  const slot = currentIoSlot()
  if (slot !== undefined) post({ type: 'exiting', slot })
  return exit(code)
}

mainThread.on('message', (message: ToIoThread) => {
  switch (message.type) {
    case 'run':
      void run(message)
      break
    case 'stop':
      tasks.stop(message.slot, message.cause)
      break
    case 'collect':
      collectGarbage()
      break
    case 'dispose':
      void disposeLocals(message.worker, report).then(() => post({ type: 'disposed' }))
      break
  }
})

async function run({ request }: ToIoThread & { readonly type: 'run' }): Promise<void> {
  const outcome = await tasks.run(request)
  post({ type: 'ended', slot: request.thread, outcome, isWornOut: loadedCodeCount() > MAX_LOADED_CODE })
}

post({ type: 'started' })
