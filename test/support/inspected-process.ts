/** Asks a Node process what it holds, by its inspector: after a collection, so that what is left is what is kept. */
import assert from 'node:assert/strict'
import { WebSocket } from 'ws'

/** Options that make a Node process open an inspector on a free port and say where on standard error. */
export const INSPECTED: Readonly<Record<string, string>> = { NODE_OPTIONS: '--inspect=127.0.0.1:0 --expose-gc' }

/** The inspectors that processes opened, in the order they said so. */
export function inspectorsIn(stderr: string): string[] {
  return [...stderr.matchAll(/Debugger listening on (ws:\S+)/g)].map(([, url]) => url!)
}

/** Bytes of JavaScript heap and buffers that a process keeps once all garbage is gone. */
export async function keptBytes(inspector: string): Promise<number> {
  // Buffers go in a second collection: the first only finds out that nobody has them.
  const expression = `(async () => {
    for (let i = 0; i < 4; i++) { globalThis.gc(); await new Promise((resolve) => setImmediate(resolve)) }
    const { heapUsed, external } = process.memoryUsage()
    return heapUsed + external
  })()`
  const socket = new WebSocket(inspector)
  try {
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const answered = new Promise<string>((resolve, reject) => {
      socket
        .once('message', (data: Buffer) => resolve(data.toString()))
        .once('close', () => reject(new Error('closed')))
    })
    const params = { expression, awaitPromise: true, returnByValue: true }
    socket.send(JSON.stringify({ id: 1, method: 'Runtime.evaluate', params }))
    const { result } = JSON.parse(await answered) as { result?: { result?: { value?: unknown } } }
    const bytes = result?.result?.value
    assert.ok(typeof bytes === 'number', `no figure from ${inspector}`)
    return bytes
  } finally {
    socket.close()
  }
}
