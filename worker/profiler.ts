/**
 * Samples what the threads of this worker do, for people who look into it. The process asks its threads by the inspector, by
 * way of its main thread: what is said to a thread so is heard amid an endless loop, too. Only a thread that native code
 * holds does not hear it; such a one is named, and does not keep the others.
 */
import type { Profiler as V8, Session } from 'node:inspector'
import { setTimeout as delay } from 'node:timers/promises'
import { emptyTree, mergeInto, prune, type CallNode } from '../common/call-tree.js'
import { within } from '../common/node/within.js'
import { MAX_PROFILE_NODES, PROFILE_ANSWER_MS } from '../protocol/limits.js'
import type { ProfileOrder, ThreadProfile, WorkerProfile } from '../protocol/messages/profile.js'
import type { PoolThreads } from './thread-pool.js'

/** Somebody who answers what the inspector is asked: a thread, or this one. */
interface Subject {
  readonly name: string
  readonly call: (method: string, params?: object) => Promise<unknown>
}

interface ThreadMessage {
  readonly id?: number
  readonly result?: unknown
  readonly error?: { readonly message: string }
}

let isBusy = false

/** Never rejects: what went wrong is part of the answer. One at a time in a process: samples of two would add up. */
export async function takeProfile(order: ProfileOrder, threads: PoolThreads): Promise<WorkerProfile> {
  if (isBusy) return nothing('every thread', 'another profile was being taken there')
  isBusy = true
  try {
    return await profile(order, threads)
  } catch (error) {
    return nothing('every thread', error instanceof Error ? error.message : String(error))
  } finally {
    isBusy = false
  }
}

function nothing(thread: string, reason: string): WorkerProfile {
  return { threads: [], missing: [{ thread, reason }], root: emptyTree() }
}

async function profile({ durationMs, intervalMicros }: ProfileOrder, threads: PoolThreads): Promise<WorkerProfile> {
  // Few processes ever need it.
  const { Session } = await import('node:inspector')
  const session = new Session()
  session.connect()
  try {
    const inspector = new Inspector(session)
    const { subjects, missing } = await inspector.find(threads)
    const root = emptyTree()
    const profiled: ThreadProfile[] = []
    const each = async (subject: Subject): Promise<void> => {
      try {
        await inTime(begin(subject, intervalMicros))
        await delay(durationMs)
        const { tree, idleMs, durationMs: tookMs, samples } = treeOf(await inTime(end(subject)))
        profiled.push({ thread: subject.name, durationMs: tookMs, idleMs, samples })
        mergeInto(root, tree)
      } catch (error) {
        missing.push({ thread: subject.name, reason: (error as Error).message })
      }
    }
    await Promise.all(subjects.map(each))
    prune(root, MAX_PROFILE_NODES)
    return { threads: profiled.sort((a, b) => (a.thread < b.thread ? -1 : 1)), missing, root }
  } finally {
    // A thread that did not answer is told nothing more, and samples nothing.
    session.disconnect()
  }
}

async function begin({ call }: Subject, interval: number): Promise<void> {
  await call('Profiler.enable')
  await call('Profiler.setSamplingInterval', { interval })
  await call('Profiler.start')
}

async function end({ call }: Subject): Promise<V8.Profile> {
  const { profile: taken } = (await call('Profiler.stop')) as V8.StopReturnType
  await call('Profiler.disable')
  return taken
}

/** @throws When it takes too long: native code holds the thread. */
async function inTime<T>(answer: Promise<T>): Promise<T> {
  let isThere = false
  const note = (): void => void (isThere = true)
  await within(PROFILE_ANSWER_MS, answer.then(note, note))
  if (isThere) return await answer
  throw new Error(`it did not answer in ${PROFILE_ANSWER_MS} ms: native code held it`)
}

class Inspector {
  readonly #session: Session
  readonly #waiting = new Map<number, (message: ThreadMessage) => void>()
  /** Inspector sessions of threads, by thread id. */
  readonly #attached = new Map<string, string>()
  #onAttached = (): void => undefined
  #last = 0

  constructor(session: Session) {
    this.#session = session
    session.on('NodeWorker.attachedToWorker', ({ params }) => {
      // Its number among threads stands nowhere else.
      const threadId = /^\[worker (\d+)\]/.exec(params.workerInfo.title)?.[1]
      if (threadId !== undefined) this.#attached.set(threadId, params.sessionId)
      this.#onAttached()
    })
    session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
      const message = JSON.parse(params.message) as ThreadMessage
      if (message.id !== undefined) this.#waiting.get(message.id)?.(message)
    })
  }

  /** Who is to be asked, and threads that can't be. */
  async find(threads: PoolThreads): Promise<{ readonly subjects: Subject[]; readonly missing: Missing[] }> {
    if (threads === 'this') {
      const call = (method: string, params?: object): Promise<unknown> => this.#post(method, params)
      return { subjects: [{ name: 'this thread', call }], missing: [] }
    }
    const isAll = (): boolean => threads.every(({ threadId }) => this.#attached.has(String(threadId)))
    const all = new Promise<void>((resolve) => {
      this.#onAttached = () => {
        if (isAll()) resolve()
      }
    })
    await this.#post('NodeWorker.enable', { waitForDebuggerOnStart: false })
    if (!isAll()) await within(PROFILE_ANSWER_MS, all)
    const subjects: Subject[] = []
    const missing: Missing[] = []
    for (const { name, threadId } of threads) {
      const session = this.#attached.get(String(threadId))
      if (session === undefined) missing.push({ thread: name, reason: 'it was just starting or ending' })
      else subjects.push({ name, call: (method, params) => this.#callThread(session, method, params) })
    }
    return { subjects, missing }
  }

  async #callThread(sessionId: string, method: string, params: object = {}): Promise<unknown> {
    const id = ++this.#last
    const answered = new Promise<ThreadMessage>((resolve) => this.#waiting.set(id, resolve))
    try {
      await this.#post('NodeWorker.sendMessageToWorker', { sessionId, message: JSON.stringify({ id, method, params }) })
      const { result, error } = await answered
      if (error !== undefined) throw new Error(error.message)
      return result
    } finally {
      this.#waiting.delete(id)
    }
  }

  #post(method: string, params: object = {}): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#session.post(method, params, (error, result) => {
        if (error === null) resolve(result)
        else reject(error)
      })
    })
  }
}

type Missing = WorkerProfile['missing'][number]

/** Times are those between samples: on a busy machine they are further apart than was wished. */
function treeOf({ nodes, samples = [], timeDeltas = [], startTime, endTime }: V8.Profile): {
  readonly tree: CallNode
  readonly idleMs: number
  readonly durationMs: number
  readonly samples: number
} {
  const calls = new Map(
    nodes.map(({ id, callFrame: { functionName: name, url, lineNumber, columnNumber } }) => {
      const call: CallNode = { name, url, line: lineNumber + 1, column: columnNumber + 1, selfUs: 0, children: [] }
      return [id, call]
    }),
  )
  samples.forEach((id, i) => {
    const call = calls.get(id)
    // A sample holds until the next one is taken.
    if (call !== undefined) call.selfUs += Math.max(0, timeDeltas[i + 1] ?? 0)
  })
  for (const { id, children = [] } of nodes) {
    for (const child of children) {
      const call = calls.get(child)
      if (call !== undefined) calls.get(id)!.children.push(call)
    }
  }
  const tree = emptyTree()
  let idleUs = 0
  const top = nodes.length === 0 ? [] : calls.get(nodes[0]!.id)!.children
  for (const call of top) {
    if (call.name === '(idle)') idleUs += call.selfUs
    else tree.children.push(call)
  }
  // V8's tree has a node for each place that a function was called from at different times: here they are one.
  const merged = emptyTree()
  mergeInto(merged, tree)
  return { tree: merged, idleMs: idleUs / 1_000, durationMs: (endTime - startTime) / 1_000, samples: samples.length }
}
