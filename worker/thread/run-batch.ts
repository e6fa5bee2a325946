/**
 * Runs a batch of tasks in the thread that it is called in, one after another. Their outcomes go into the lane as they
 * come, so the cost of a tiny task is that of decoding, calling and encoding: a synchronous task makes no promise.
 */
import { present } from '../../common/assert.js'
import { ownBytes } from '../../common/packed.js'
import { LONG_TASK_MS } from '../../protocol/limits.js'
import { ArgumentReader } from './argument-reader.js'
import type { BatchHost, BatchReply, BatchRequest, ThreadTemplate } from './batch.js'
import type { TaskFunction } from './code.js'
import { callTask, enteredTask, enterTask, knownTask, leaveTask, type RunningTask } from './current-task.js'
import { LaneWriter, VALUE, type OutcomeKind } from './lane.js'
import { encodeResult, failureOf, forReply, isList, listOf, outcomeOf, type Encoded } from './outcome.js'
import { RunClock, usBetween } from './run-clock.js'
import { driveStream } from './stream.js'
import { signalOf, stopListening } from './task-signal.js'
import { leaveAwaited, settledOrLeft } from './uncaught.js'

/**
 * A doorbell wakes the main thread, which can cost half a millisecond where processors are virtual, and what that tells
 * others costs more. So a batch rings only when it takes longer than it was estimated at, and behind a long task, beside
 * which a wake-up is little; what it wrote since is seen when it ends, or when the main thread looks by itself. Where the tasks can
 * wait it rings for errors alone.
 */
const RING_INTERVAL_MS = 10

/** Never rejects: whatever a task does is its outcome. Resolves when no task of the batch is left for this thread. */
export async function runBatch(request: BatchRequest, host: BatchHost): Promise<BatchReply> {
  const { lanes, loadFunction } = host
  const { thread, number } = request
  const lane = new LaneWriter(present(lanes[thread], `the lane of slot ${thread}`))
  const clock = new RunClock()
  let rangAtMs = clock.atMs
  let batch = request
  let { first, templates, templateOf, taskIds } = batch
  let reader = new ArgumentReader(batch)
  let functions = new Array<TaskFunction | undefined>(templates.length)
  let wanted = 0
  /** The main thread is to be told, unless the batch ends here: that tells it. */
  let isOwed = false
  while (lane.hasRoom && (batch.madeInputs === undefined || reader.hasInputsOf(lane.next - first))) {
    const claimed = lane.claim(first + taskIds.length)
    if (claimed === undefined) {
      const added = number === undefined ? undefined : host.takeAdded(batch)
      if (added === undefined) break
      batch = added
      ;({ first, templates, templateOf, taskIds } = batch)
      reader = new ArgumentReader(batch, reader)
      functions = new Array<TaskFunction | undefined>(templates.length)
      wanted = 0
      if (isOwed && lane.shouldTell()) {
        rangAtMs = clock.atMs
        host.tell({ type: 'doorbell', thread })
      }
      continue
    }
    const place = claimed - first
    const template = templateOf[place]!
    let kind: OutcomeKind = VALUE
    let encoded: Encoded
    enterTask(batch, place, lane, host)
    const isTimed = templates[template]!.timeoutMs > 0
    if (isTimed) lane.began(claimed)
    try {
      let run = functions[template]
      if (run === undefined) {
        // Where nothing else stops it, it hears while its code loads that nobody reads any more.
        if (templates[template]!.isStream) signalOf(present(enteredTask(), 'the record of a stream'))
        functions[template] = run = await loadFunction(templates[template]!)
        clock.restart()
        if (isTimed) lane.began(claimed) // Its code was loaded in a time of its own.
      }
      const given = templates[template]!.isStream ? streaming(run) : run
      const args = reader.argumentsOf(place)
      clock.called()
      let result = callTask(given, args)
      if (isThenable(result)) {
        const promised = Promise.resolve(result)
        result = await settledWhileAwaited(promised)
        const lent = knownTask()
        if (lent?.lending?.isLent === true) {
          void followLent(lent, promised, templates[template]!, reader, clock.decodeUs)
          leaveTask()
          return { large: undefined }
        }
      }
      clock.settled()
      encoded = encodeResult(result, templates[template]!, reader)
    } catch (error) {
      clock.settled()
      const failed = await failureOf(error, { template: templates[template]!, reader, host })
      kind = failed.kind
      encoded = failed.value
    }
    const known = knownTask()
    leaveTask()
    if (known?.controller !== undefined) stopListening(known)
    const durationUs = clock.ended()
    const { atMs, parts } = clock
    const isWritten = isList(encoded)
      ? lane.tryWriteOutputs(claimed, durationUs, encoded, parts)
      : lane.tryWrite(claimed, kind, durationUs, encoded, parts)
    if (!isWritten) {
      lane.ended()
      return { large: { place: claimed, kind, durationUs, values: listOf(encoded).map(forReply), parts } }
    }
    if (kind === VALUE && !isList(encoded)) reader.keep(place, encoded)
    const isWanted = batch.wanted?.[wanted] === claimed
    if (isWanted) wanted++
    const isLate = atMs - rangAtMs >= RING_INTERVAL_MS || durationUs >= LONG_TASK_MS * 1_000
    const isDue = batch.isPatient ? kind !== VALUE : isLate
    const mayRing = isWanted || isDue || lane.isHurried
    isOwed = mayRing && place + 1 >= taskIds.length
    if (!mayRing || isOwed || !lane.shouldTell()) continue
    rangAtMs = atMs
    host.tell({ type: 'doorbell', thread })
  }
  return { large: undefined }
}

/** The function of a stream: its values leave as they come, and the task ends with the last of them. */
function streaming(run: TaskFunction): TaskFunction {
  return (...args) => {
    const task = present(enteredTask(), 'the record of a stream')
    const { batch, place, host } = task
    const signal = signalOf(task)
    // It was to stop before it began.
    signal.throwIfAborted()
    return driveStream(run(...args), {
      task: batch.taskIds[place]!,
      attempt: batch.attempts[place]!,
      signal,
      tell: host.tell,
    })
  }
}

/** Settles as the task does; or resolves to nothing, as soon as the task is lent and goes on by itself. */
async function settledWhileAwaited(promised: Promise<unknown>): Promise<unknown> {
  const begun = knownTask()
  const settled = settledOrLeft(promised)
  begun?.lending?.onAwaited(leaveAwaited)
  try {
    return await settled
  } catch (error) {
    // It failed in the moment in which it was lent: that is told when it is followed.
    if (knownTask()?.lending?.isLent === true) return undefined
    throw error
  } finally {
    knownTask()?.lending?.onAwaitEnded()
  }
}

/** Tells what comes of a task that is lent. */
export async function followLent(
  task: RunningTask,
  promised: Promise<unknown>,
  template: ThreadTemplate,
  reader: ArgumentReader,
  decodeUs: number,
): Promise<void> {
  const { host, batch, place } = task
  const lending = present(task.lending, 'how the task is lent')
  const crashed = new Promise<never>((_, reject) => (task.fail = reject))
  let settledAtMs = performance.now()
  const settled = Promise.race([promised, crashed]).finally(() => (settledAtMs = performance.now()))
  const { kind, values } = await outcomeOf(settled, { template, reader, host })
  const encodeUs = usBetween(settledAtMs, performance.now())
  task.isOver = true
  task.fail = undefined
  lending.end()
  stopListening(task)
  host.tell({
    type: 'ended',
    thread: batch.thread,
    task: batch.taskIds[place]!,
    attempt: batch.attempts[place]!,
    outcome: {
      place: 0,
      kind,
      durationUs: Math.round(lending.ranMs * 1_000),
      // A message would take the whole memory that a view is of.
      values: values.map((value) => forReply(ownBytes(value))),
      parts: { decodeUs, encodeUs },
    },
  })
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false
  return typeof (value as { readonly then?: unknown }).then === 'function'
}
