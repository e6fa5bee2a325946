/** Waits until tasks run in threads: a status says only that they were sent to a worker. */
import type { Future } from '../../client/future.js'
import { eventually } from './eventually.js'

/** Resolves when the workers of these tasks have told that they run. */
export async function untilRunning(...futures: readonly Future<unknown>[]): Promise<void> {
  for (const future of futures) {
    await eventually(`${future.key} runs`, async () => (await future.explain()).reason.startsWith('It runs'))
  }
}

/** Resolves when this task has reported something of itself. */
export async function untilReported(future: Future<unknown>): Promise<void> {
  for await (const _ of future.progress) return
}
