/** The status page's WebSocket: what a browser is sent, when, and when nothing is worked out at all. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { withChanges, type JsonObject } from '../../common/merge-patch.js'
import { MAX_LINES_SHOWN, MAX_VIEWER_BYTES, VIEWER_SILENCE_MS } from '../../protocol/limits.js'
import type { ClusterView, JournalView, ToViewer, Watched } from '../../protocol/messages/watch.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'
import type { Watcher } from '../../scheduler/sessions.js'
import { StatusStream } from '../../scheduler/status-stream.js'
import { createMachine } from '../../scheduler/scheduler.js'

const INTERVAL_MS = 250

/** A scheduler that is looked at, on a clock that the test moves. */
function start(context: TestContext) {
  context.mock.timers.enable({ apis: ['setInterval'] })
  const machine = createMachine()
  const seen = { looks: 0, nowMs: 1_000, watcher: {} as Watcher, journal: undefined as JournalView | undefined }
  const cluster = (): ClusterView => {
    seen.looks++
    return { ...machine.watched(seen.nowMs), clients: seen.looks }
  }
  const stream = new StatusStream({
    cluster,
    connections: () => 0,
    journal: () => seen.journal,
    watch: (watcher) => void (seen.watcher = watcher),
    errors: () => machine.errorsOf(seen.nowMs),
    graph: () => machine.taskGraphOf(seen.nowMs),
    task: (key) => machine.detailsOf(seen.nowMs, key),
    nowMs: () => seen.nowMs,
  })
  const pass = async (ms = INTERVAL_MS): Promise<void> => {
    seen.nowMs += ms
    context.mock.timers.tick(ms)
    await delivered()
  }
  return { stream, seen, pass }
}

/** A browser: what it was sent, and what it makes of that. */
function look(stream: StatusStream, mayAct = true) {
  const { left, right } = memoryPair({ left: 'page', right: 'scheduler' })
  const messages: ToViewer[] = []
  const viewer = { messages, socket: left, end: right, isClosed: false, watched: undefined as Watched | undefined }
  left.handle({
    onFrame: (frame) => {
      const message = JSON.parse(Buffer.from(frame).toString()) as ToViewer
      messages.push(message)
      if (message.type === 'whole') viewer.watched = message.watched
      if (message.type !== 'changes') return
      viewer.watched = withChanges(viewer.watched as JsonObject, message.changes) as unknown as Watched
    },
    onDrain: () => undefined,
    onClose: () => (viewer.isClosed = true),
  })
  stream.accept(right, mayAct)
  return viewer
}

/** Memory delivers in later turns of the event loop. */
async function delivered(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

test('a page is told how the journal is, if there is one', async (context) => {
  const { stream, seen, pass } = start(context)
  const viewer = look(stream)
  await delivered()
  assert.equal(viewer.watched?.scheduler.journal, undefined)
  seen.journal = { sizeBytes: 100, unwrittenBytes: 0, syncMs: 0.5 }
  await pass()
  assert.deepEqual(viewer.watched?.scheduler.journal, seen.journal)
})

test('a page gets the whole state at once, and then what changed of it, at a fixed rate', async (context) => {
  const { stream, pass } = start(context)
  const viewer = look(stream)
  await delivered()
  assert.deepEqual(
    viewer.messages.map(({ type }) => type),
    ['whole'],
  )
  assert.equal(viewer.watched?.cluster.clients, 1)
  await pass()
  assert.deepEqual(viewer.messages[1], { type: 'changes', changes: { nowMs: 1_250, cluster: { clients: 2 } } })
  await pass(4 * INTERVAL_MS)
  assert.equal(viewer.messages.length, 6)
})

test('a page is told whether it may act, or only look', async (context) => {
  const { stream } = start(context)
  for (const mayAct of [true, false]) {
    const { messages } = look(stream, mayAct)
    await delivered()
    assert.ok(messages[0]?.type === 'whole')
    assert.equal(messages[0].mayAct, mayAct)
  }
})

test('the state is worked out once for all who look, and not at all when nobody does', async (context) => {
  const { stream, seen, pass } = start(context)
  await pass()
  assert.equal(seen.looks, 0)
  const viewers = Array.from({ length: 10 }, () => look(stream))
  await pass()
  assert.equal(seen.looks, 2)
  assert.deepEqual(new Set(viewers.map(({ watched }) => watched?.cluster.clients)), new Set([2]))
  for (const { socket } of viewers) socket.close()
  await delivered()
  await pass(10 * INTERVAL_MS)
  assert.equal(seen.looks, 2)
})

test('a page that reads too slowly misses some, and gets the whole state when it has caught up', async (context) => {
  const { stream, pass } = start(context)
  const { left, right } = memoryPair({ left: 'page', right: 'scheduler' })
  const types: string[] = []
  const congestion = { bytes: 0 }
  const slow: Socket = Object.create(right, { bufferedBytes: { get: () => congestion.bytes } }) as Socket
  slow.send = (frame) => void types.push((JSON.parse(Buffer.from(frame).toString()) as ToViewer).type)
  slow.handle = (handlers) => right.handle(handlers)
  Object.defineProperty(slow, 'receivedBytes', { get: () => right.receivedBytes })
  stream.accept(slow, true)
  congestion.bytes = MAX_VIEWER_BYTES + 1
  await pass(3 * INTERVAL_MS)
  assert.deepEqual(types, ['whole'])
  congestion.bytes = 0
  await pass(2 * INTERVAL_MS)
  assert.deepEqual(types, ['whole', 'whole', 'changes'])
  left.terminate()
  await delivered()
})

test('a page that says nothing for long is gone, and one that does stays', async (context) => {
  const { stream, pass } = start(context)
  const [silent, talking] = [look(stream), look(stream)]
  for (let passedMs = 0; passedMs <= VIEWER_SILENCE_MS; passedMs += 10_000) {
    talking.socket.send(Buffer.from('{"type":"here","look":"","key":""}'))
    await delivered()
    await pass(10_000)
  }
  assert.deepEqual([silent.isClosed, talking.isClosed], [true, false])
  stream.close()
  await delivered()
  assert.equal(talking.isClosed, true)
})

test('workers tell what they run while somebody looks at that, and only those who do are sent it', async (context) => {
  const { stream, seen, pass } = start(context)
  const [looking, other] = [look(stream), look(stream)]
  const watcher = (): Watcher['onRuns'] => seen.watcher.onRuns
  await pass()
  assert.equal(watcher(), undefined)
  looking.socket.send(Buffer.from('{"type":"here","look":"runs","key":""}'))
  await delivered()
  const run = { function: 'f', key: 'f-1', thread: 0, agoUs: 5, durationUs: 4, count: 1, failed: 0 }
  watcher()?.('alice', {
    type: 'runs',
    runs: Array.from({ length: 4_100 }, () => run),
    running: [],
    moves: [],
    leftOut: 7,
  })
  await pass()
  const [told] = looking.messages.filter(({ type }) => type === 'runs')
  assert.ok(told?.type === 'runs')
  assert.deepEqual([told.workers[0]?.worker, told.workers[0]?.runs.length, told.leftOut], ['alice', 4_000, 107])
  assert.ok(!other.messages.some(({ type }) => type === 'runs'))
  looking.socket.close()
  await delivered()
  assert.equal(watcher(), undefined)
})

test('lines of logs come as they are told, all that are kept first, and only while somebody looks at them', async (context) => {
  const { stream, seen, pass } = start(context)
  const lookAtLogs = async () => {
    const viewer = look(stream)
    viewer.socket.send(Buffer.from('{"type":"here","look":"logs","key":""}'))
    await delivered()
    return viewer
  }
  const tell = (worker: string, texts: readonly string[], isBacklog = false, leftOut = 0): void => {
    const lines = texts.map((text, atMs) => ({ atMs: atMs + 1, level: 'info', text, task: undefined }) as const)
    seen.watcher.onLogged?.(worker, { type: 'logged', isBacklog, lines, leftOut })
  }
  const toldTo = ({ messages }: ReturnType<typeof look>) =>
    messages.flatMap((message) =>
      message.type === 'logs' ? [[message.isWhole, message.lines.map(({ text }) => text), message.leftOut]] : [],
    )
  const first = await lookAtLogs()
  tell('alice', ['a', 'b'], true)
  await pass()
  tell('bob', ['c'])
  await pass()
  await pass()
  assert.deepEqual(toldTo(first), [
    [true, ['a', 'b'], 0],
    [false, ['c'], 0],
  ])
  const second = await lookAtLogs()
  tell('bob', ['d'], false, 3)
  tell('alice', ['a', 'b'], true) // It comes back, and tells again what is known.
  await pass()
  assert.deepEqual(toldTo(second), [[true, ['a', 'b', 'c', 'd'], 0]])
  assert.deepEqual(toldTo(first).at(-1), [false, ['d'], 3])
  tell(
    'bob',
    Array.from({ length: MAX_LINES_SHOWN + 5 }, (_, n) => String(n)),
  )
  await pass()
  const [isWhole, lines, leftOut] = toldTo(second).at(-1)!
  assert.deepEqual([isWhole, (lines as string[]).length, leftOut], [false, MAX_LINES_SHOWN, 5])
  for (const { socket } of [first, second]) socket.close()
  await delivered()
  assert.equal(seen.watcher.onLogged, undefined)
})

test('a page that says what no page of ours says is closed', async (context) => {
  const { stream } = start(context)
  for (const words of [
    '{',
    'null',
    '{"type":"here","look":"else"}',
    '[]',
    '{"type":"here","look":"task"}',
    ' '.repeat(10_000),
  ]) {
    const viewer = look(stream)
    viewer.socket.send(Buffer.from(words))
    await delivered()
    assert.equal(viewer.isClosed, true, words.trim())
  }
})

test('who looks at errors or at a task is told of them at once and then every second', async (context) => {
  const { stream, pass } = start(context)
  const viewer = look(stream)
  await pass()
  viewer.socket.send(Buffer.from('{"type":"here","look":"task","key":"f-1"}'))
  await delivered()
  assert.deepEqual(viewer.messages.at(-1), { type: 'task', key: 'f-1', task: null })
  viewer.socket.send(Buffer.from('{"type":"here","look":"errors","key":""}'))
  await delivered()
  assert.deepEqual(viewer.messages.at(-1), { type: 'errors', errors: { total: 0, groups: [] } })
  const told = viewer.messages.length
  await pass(4 * INTERVAL_MS)
  const since = viewer.messages.slice(told).map(({ type }) => type)
  assert.deepEqual(
    since.filter((type) => type !== 'changes'),
    ['errors'],
  )
})
