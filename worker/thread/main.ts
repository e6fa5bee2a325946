/** What a worker's threads do: Piscina loads it, by `start`, and calls `runInThread` for each batch. */
import { MessageChannel, parentPort, receiveMessageOnPort, threadId, workerData } from 'node:worker_threads'
import { present } from '../../common/assert.js'
import { collectGarbage, heapBytes } from '../../common/node/garbage.js'
import { formatBytes } from '../../common/units.js'
import { takeAdded } from './added.js'
import { routeOf } from './array-ids.js'
import type { BatchHost, BatchReply, BatchRequest } from './batch.js'
import { loadedCodeCount, loadFunction, MAX_LOADED_CODE } from './code.js'
import { replaceConsole } from './console.js'
import { collectLeftovers, CollectionCount } from './garbage.js'
import { HeapWatch } from './heap-watch.js'
import { hasLent } from './lending.js'
import { disposeLocals, hasLocals } from './locals.js'
import { runBatch } from './run-batch.js'
import { expectTakenCalls } from './stream.js'
import { expectStopCalls } from './task-signal.js'
import type { ThreadData, ThreadMessage, ThreadStarted } from './thread-message.js'
import { beginAfresh, handleUncaught } from './uncaught.js'

const mainThread = present(parentPort ?? undefined, 'the port to the main thread')
const data = workerData as { -readonly [K in keyof ThreadData]: ThreadData[K] }
const { worker, lanes, collections, heap, stopChannel, takenChannel } = data
const route = routeOf(data)
// User code sees the same object, and has no use for the token in it.
data.scheduler = undefined
const collectionCount = new CollectionCount(collections)
const heapWatch = new HeapWatch({
  ...heap,
  nowMs: () => performance.now(),
  usedBytes: heapBytes,
  collect: collectGarbage,
})
const post = (message: ThreadMessage): void => mainThread.postMessage(message)

expectStopCalls(stopChannel)
expectTakenCalls(takenChannel)
replaceConsole(post)
const report = (text: string, task?: string): void => post({ type: 'log', level: 'error', task, text })
handleUncaught(report)

/**
 * What tasks may leave behind of memory of their own that was copied into shared memory as their results. Node's collector
 * would not come before something else is allocated, and an idle thread allocates nothing.
 */
const MAX_COPIED_BYTES = 128 * 1024 * 1024
let copiedBytes = 0

const { port1: added, port2: additions } = new MessageChannel()
const nextAdded = (): BatchRequest | undefined => receiveMessageOnPort(added)?.message as BatchRequest | undefined

const host: BatchHost = {
  threadId,
  lanes,
  loadFunction: ({ url, exportName }) => loadFunction(url, exportName),
  tell: post,
  takeAdded: (behind) => takeAdded(nextAdded, behind),
  route,
}

export async function runInThread(batch: BatchRequest): Promise<BatchReply> {
  collectIfAsked()
  beginAfresh()
  const reply = await runBatch(batch, host)
  if (batch.isLarge) collectLeftovers()
  // All outcomes are in the lane, and stay there, unless one has to go with the reply: then a later batch is the last.
  if (reply.large === undefined && !hasLent() && hasHadItsTime()) {
    await disposeLocals(worker, report)
    process.exit(0)
  }
  collectCopied(reply)
  return reply
}

/** Is it better that a fresh thread takes the place of this one? What tasks keep here by intent would have to be made again. */
function hasHadItsTime(): boolean {
  if (loadedCodeCount() > MAX_LOADED_CODE) return true
  if (hasLocals(worker) || !(heapWatch.isFull() || heapWatch.isHighForLong())) return false
  const text = `This thread is replaced: its heap stays at ${formatBytes(heapBytes())}, which tasks left behind there.`
  post({ type: 'log', level: 'warn', task: undefined, text })
  return true
}

/** By now nothing refers to the results that were copied, unless the task kept them. */
function collectCopied({ large }: BatchReply): void {
  for (const { length } of large?.values ?? []) copiedBytes += length
  if (copiedBytes < MAX_COPIED_BYTES) return
  copiedBytes = 0
  collectGarbage()
}

/** Called by the pool while this thread is idle: what was added to its batches by now came too late. */
export function collectInThread(): void {
  while (nextAdded() !== undefined);
  collectIfAsked()
}

function collectIfAsked(): void {
  if (collectionCount.wasAsked()) collectGarbage()
}

/** Called by the pool when nothing will run in this thread any more. */
export async function disposeInThread(): Promise<void> {
  await disposeLocals(worker, report)
}

mainThread.postMessage({ type: 'started', threadId, additions } satisfies ThreadStarted, [additions])
