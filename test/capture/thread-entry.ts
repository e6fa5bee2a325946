/** What runs inside the worker thread of thread.test.ts: loads a function, calls it, and tells how it went. */
import { parentPort } from 'node:worker_threads'
import { explainMissingPackage, loadedCodeCount, loadFunction } from '../../worker/thread/code.js'

export interface Call {
  readonly url: string
  readonly exportName: string
  readonly name: string
  readonly args: readonly unknown[]
}
export type Answer =
  | { readonly type: 'returned'; readonly value: unknown; readonly loaded: number; readonly loadMs: number }
  | { readonly type: 'threw'; readonly name: string; readonly message: string; readonly stack: string }

parentPort?.on('message', (call: Call) => {
  void answer(call).then((answered) => parentPort?.postMessage(answered))
})

async function answer({ url, exportName, name, args }: Call): Promise<Answer> {
  try {
    const startedAt = performance.now()
    const fn = await loadFunction(url, exportName, name)
    const loadMs = performance.now() - startedAt
    return { type: 'returned', value: await fn(...args), loaded: loadedCodeCount(), loadMs }
  } catch (error) {
    explainMissingPackage(error)
    const { name, message, stack = '' } = error as Error
    return { type: 'threw', name, message, stack }
  }
}
