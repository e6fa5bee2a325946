/**
 * The processes of the bare chain. Without arguments it is the relay, which starts the worker and tells its parent the port to
 * connect to; with a port it is the worker, which passes what comes to a thread of its own and sends back what that says.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'

const PROGRAM = fileURLToPath(import.meta.url)
const [port] = process.argv.slice(2)

if (!isMainThread) parentPort?.on('message', (bytes: Uint8Array) => parentPort?.postMessage(bytes))
else {
  process.on('disconnect', () => process.exit())
  if (port === undefined) await relay()
  else work(Number(port))
}

async function relay(): Promise<void> {
  const server = createServer({ noDelay: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ownPort = (server.address() as AddressInfo).port
  const workerJoins = once(server, 'connection')
  fork(PROGRAM, [String(ownPort)])
  const [worker] = (await workerJoins) as [Socket]
  server.once('connection', (client: Socket) => {
    client.on('data', (bytes) => worker.write(bytes))
    worker.on('data', (bytes) => client.write(bytes))
    client.on('close', () => process.exit())
  })
  process.send?.(ownPort)
}

function work(relayPort: number): void {
  const thread = new Worker(PROGRAM)
  const socket = connect({ port: relayPort, host: '127.0.0.1', noDelay: true })
  // A copy: what is read lies in memory that is shared with other reads, all of which a message would take along.
  socket.on('data', (bytes) => thread.postMessage(new Uint8Array(bytes)))
  thread.on('message', (bytes: Uint8Array) => socket.write(bytes))
  // Its end may look like an error, and is the end all the same.
  socket.on('error', () => process.exit())
  socket.on('close', () => process.exit())
}
