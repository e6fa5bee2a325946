/**
 * Tasks with several outputs. Such a task, the producer, is followed in its array by a task for each output. Outputs never
 * run: the producer is their only input, they wait for it, and when it has run they have the values and it has none. From
 * there on every rule is that of any other task. A producer is needed while outputs of it are wanted and missing; one that
 * is lost is made again by making its input again, which runs the producer once more; and they fail with it.
 */
import { ownBytes, startOf } from '../../../common/packed.js'
import { arrayOf, indexOf, outputOf, type TaskId } from '../../../protocol/ids.js'
import type { Submit } from '../../../protocol/messages/client.js'
import type { OutputsFinished } from '../../../protocol/messages/worker.js'
import type { InlinePage } from '../data/inline-cache.js'
import { countFailure, endProducer, failTask, finishTask, inputReleased, skipTask } from './outcome.js'
import { fateByInputs, wakeAll } from './recovery.js'
import { freeUnlessHeld } from './retention.js'
import { noteChange } from '../data/spread.js'
import type { SchedulerState } from '../state.js'
import { countInputs } from './stages.js'
import { makeTask, type Segment } from './task-array.js'
import { addHolder, keyOf, outputCountOf, RELEASED, type Task } from './task.js'
import type { Template } from './template.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** What is wrong with the places of outputs in a message, if anything is. */
export function faultOfOutputs({ inputCounts, keys }: Submit, runs: Segment['runs']): string | undefined {
  let start = 0
  for (const { template, end } of runs) {
    const { outputs } = template
    if (outputs > 0) {
      if ((end - start) % (1 + outputs) !== 0) return 'it has tasks without all of their outputs'
      if (keys.some(({ place }) => place >= start && place < end)) return 'a task with outputs has a key'
      for (let place = start; place < end && inputCounts.length > 0; place++) {
        if ((place - start) % (1 + outputs) !== 0 && inputCounts[place] !== 0) return 'an output has inputs'
      }
    }
    start = end
  }
  return undefined
}

/** Gives a producer at `place`, and its outputs behind it, their records, and sets them going. */
export function openWithOutputs(
  state: SchedulerState,
  segment: Segment,
  place: number,
  template: Template,
  found: readonly (Task | undefined)[],
): void {
  const inputs = found.filter((input) => input !== undefined)
  const { statistics, outputs: count } = template
  statistics.tasks.released += 1 + count
  const plain = { explicitKey: undefined, state: RELEASED }
  const producer = makeTask(segment, place, template, { ...plain, inputs, producer: undefined })
  for (const input of inputs) input.dependants++
  countInputs(producer)
  // Nobody holds a future of the producer itself.
  segment.array.flags[producer.index] = 0
  producer.dependants = count
  const ofOutput = { ...plain, inputs: [producer], producer }
  const outputs: Task[] = []
  for (let i = 1; i <= count; i++) outputs.push(makeTask(segment, place + i, template, ofOutput))
  const fate = inputs.length < found.length ? inputReleased() : fateByInputs(producer)
  if (fate === undefined) {
    wakeAll(state, outputs)
    return
  }
  if (fate !== 'skip') countFailure(state, producer)
  for (const output of outputs) {
    if (fate === 'skip') skipTask(state, output)
    else failTask(state, output, fate)
  }
}

/** Has it outputs, so that it never has a value itself? */
export function isProducer(task: Task): boolean {
  return outputCountOf(task) > 0
}

/** What is wrong with a report, if anything is. `producers` has the records of those of its tasks for which it is current. */
export function faultOfReport(
  { tasks, counts, sizes, values }: OutputsFinished,
  producers: readonly (Task | undefined)[],
): string | undefined {
  const total = counts.reduce((sum, count) => sum + count, 0)
  if (counts.length !== tasks.length || sizes.length !== total || values.ends.length !== total) {
    return 'its columns differ in length'
  }
  for (let i = 0; i < producers.length; i++) {
    const producer = producers[i]
    if (producer === undefined || outputCountOf(producer) === counts[i]) continue
    return `it has ${counts[i]} outputs of ${keyOf(producer)}, which has ${outputCountOf(producer)}`
  }
  return undefined
}

/**
 * The outputs of a report are there. `producers` has, for each task of it, the record if the report is current; none of
 * them is among the tasks of the worker any more.
 */
export function finishOutputs(
  state: SchedulerState,
  worker: WorkerRecord,
  message: OutputsFinished,
  producers: readonly (Task | undefined)[],
): void {
  const page = pageOf(state, message, producers)
  let first = 0
  for (let i = 0; i < message.tasks.length; i++) {
    const id = message.tasks[i]!
    const count = message.counts[i] ?? 0
    const producer = producers[i]
    if (producer === undefined) freeStale(state, worker, id, count)
    else if (producer.state.type === 'processing') finishProducer(state, worker, producer, { message, first, page })
    // Else another task of this report was the last that needed it, and its outputs have been freed.
    else if (page !== undefined) for (let n = first; n < first + count; n++) state.inline.drop(page)
    first += count
  }
}

interface Report {
  readonly message: OutputsFinished
  /** The first entry that is of this producer. */
  readonly first: number
  readonly page: InlinePage | undefined
}

function finishProducer(state: SchedulerState, worker: WorkerRecord, producer: Task, report: Report): void {
  const { message, first, page } = report
  const { sizes, values } = message
  const { id, array, index } = producer
  const count = outputCountOf(producer)
  producer.template.statistics.finished++
  endProducer(state, producer)
  for (let i = 0; i < count; i++) {
    const entry = first + i
    const output = array.tasks[index + 1 + i]
    if (output?.state.type === 'waiting') {
      const start = startOf(values, entry)
      const inlineBytes = (values.ends[entry] ?? start) - start
      const isInline = inlineBytes > 0
      const sizeBytes = isInline ? inlineBytes : (sizes[entry] ?? 0)
      const copy = isInline ? page : undefined
      state.totals.resultBytes += sizeBytes
      finishTask(state, output, { type: 'in-memory', holders: worker.alone, sizeBytes, page: copy, start })
      if (!isInline && page !== undefined) state.inline.drop(page)
      continue
    }
    if (page !== undefined) state.inline.drop(page)
    // The scheduler's own copy was all that was left of it; else what is there has been used, and stays.
    if (output?.state.type === 'in-memory' && output.state.holders.length === 0) addHolder(output.state, worker)
    else freeUnlessHeld(state, outputOf(id, i), worker)
    noteChange(state, outputOf(id, i))
  }
}

/** The scheduler's copies of what came along: an entry, empty or not, for each output of a current producer. */
function pageOf(
  state: SchedulerState,
  { values, counts }: OutputsFinished,
  producers: readonly (Task | undefined)[],
): InlinePage | undefined {
  if (values.bytes.length === 0) return undefined
  let live = 0
  for (let i = 0; i < producers.length; i++) if (producers[i] !== undefined) live += counts[i] ?? 0
  return live === 0 ? undefined : state.inline.add(ownBytes(values.bytes), live)
}

/** Nobody wants these. If the same worker was given the task again, it was told to free them before that. */
function freeStale(state: SchedulerState, worker: WorkerRecord, id: TaskId, count: number): void {
  const producer = state.arrays.get(arrayOf(id))?.tasks[indexOf(id)]
  if (producer?.state.type === 'processing' && producer.state.worker === worker) return
  for (let i = 0; i < count; i++) freeUnlessHeld(state, outputOf(id, i), worker)
}
