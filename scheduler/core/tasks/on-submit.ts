/** New tasks. Those without inputs stay unopened in their array; the others get a record, linked to their inputs. */
import { areSameBytes, entryOf, ownBytes, type Packed } from '../../../common/packed.js'
import { ARRAY_CAPACITY, templateId, type TaskId } from '../../../protocol/ids.js'
import type { Submit, SubmitUnder } from '../../../protocol/messages/client.js'
import { hasLease, type ClientRecord } from '../clients/client-record.js'
import { letStart } from '../clients/missing.js'
import { findEarlier, hasEarlier, nestingOf, type Nesting } from './nesting.js'
import { faultOfOutputs, isProducer, openWithOutputs } from './on-outputs.js'
import { stopLatecomers } from './max-failures.js'
import { failTask, inputReleased, refusal, tellOne } from './outcome.js'
import { watchWaits } from './queue-time-outs.js'
import { wake } from './recovery.js'
import { readyQueueOf, type SchedulerState } from '../state.js'
import { countInputs } from './stages.js'
import { addArray, findTask, grown, HELD, makeTask, type Segment } from './task-array.js'
import { NO_INPUTS, RELEASED, type Task } from './task.js'
import type { Template } from './template.js'

/** Returns what is wrong with the message, or `undefined` when its tasks are taken. */
export function onSubmit(state: SchedulerState, client: ClientRecord, message: Submit): string | undefined {
  const { under } = client
  client.under = undefined
  const nesting = under === undefined ? undefined : nestingOf(state, client, under)
  if (under === undefined && client.tasksOf !== undefined) return 'it names no task that submits it'
  // Nobody wants the children of a task that has ended: who asks for their values is told that they are released.
  if (under !== undefined && nesting === undefined) return undefined
  const count = message.args.ends.length
  const runs = runsOf(client, message.runs)
  if (runs === undefined || (runs.at(-1)?.end ?? 0) !== count) return 'its runs name unknown templates or other counts'
  const fault = faultOfOutputs(message, runs)
  if (fault !== undefined) return fault
  if (message.firstIndex + count > ARRAY_CAPACITY) return `an array holds ${ARRAY_CAPACITY} tasks`
  if (message.inputCounts.length !== 0 && message.inputCounts.length !== count) return 'it has other counts of inputs'
  const inputCount = message.inputCounts.reduce((sum, each) => sum + each, 0)
  if (inputCount !== message.inputs.length) return 'it counts other inputs than it names'
  if (!hasLease(state, client, message.array)) return 'its array id was not leased to this client'
  const known = state.arrays.get(message.array)
  if (message.firstIndex !== (known?.flags.length ?? 0)) return 'its places do not follow those already filled'
  if (known !== undefined && known.nesting !== nesting) return 'its array belongs to another task'
  if (count === 0) return undefined

  const array = known ?? addArray(state, { id: message.array, client, nesting })
  array.flags = grown(array.flags, count)
  const args: Packed = { ends: message.args.ends, bytes: ownBytes(message.args.bytes) }
  const priority = runs[0]!.template.priority
  const segment: Segment = {
    array,
    first: message.firstIndex,
    count,
    order: state.nextSegment++,
    args,
    live: count,
    runs,
    priority,
    submittedAtMs: state.nowMs,
    cursor: 0,
    run: 0,
    deadlines: undefined,
  }
  array.segments.push(segment)
  array.live += count
  array.flags.fill(HELD, segment.first, segment.first + count)
  let start = 0
  for (const { template, end } of runs) {
    template.tasks += end - start
    state.totals.submitted += (end - start) / (1 + template.outputs)
    start = end
  }
  const earlier = nesting !== undefined && hasEarlier(nesting, under!.attempt) ? { nesting, ...under! } : undefined
  nesting?.broods.push({ array, first: segment.first, count, call: under!.call, attempt: under!.attempt })
  if (earlier === undefined && isPlain(message, runs)) {
    start = 0
    for (const { template, end } of runs) {
      template.statistics.tasks.ready += end - start
      start = end
    }
    readyQueueOf(state, runs[0]!.template).addSegment(segment)
  } else openAll(state, segment, message, earlier)
  watchWaits(state, segment)
  stopLatecomers(state, segment)
  return undefined
}

/** What earlier attempts of the task submitted that submits now. */
type Earlier = SubmitUnder & { readonly nesting: Nesting }

/** Has it nothing but independent tasks of one priority and demand? Then no task needs a record before it is sent. */
function isPlain(message: Submit, runs: Segment['runs']): boolean {
  if (message.inputs.length > 0 || message.keys.length > 0) return false
  return runs.every(
    ({ template }) =>
      template.constantInputs.length === 0 &&
      template.outputs === 0 &&
      template.demand === runs[0]!.template.demand &&
      template.priority === runs[0]!.template.priority,
  )
}

/** Gives each task its record and sets it going. */
function openAll(state: SchedulerState, segment: Segment, message: Submit, earlier: Earlier | undefined): void {
  const keys = new Map(message.keys.map(({ place, key }) => [place, key]))
  const constants = new Map<Template, readonly (Task | undefined)[]>()
  let start = 0
  let nextInput = 0
  for (const { template, end } of segment.runs) {
    let shared = constants.get(template)
    if (shared === undefined) {
      shared = template.constantInputs.map((id) => inputAt(state, id))
      constants.set(template, shared)
    }
    for (let place = start; place < end; place++) {
      const count = message.inputCounts[place] ?? 0
      const inputs: (Task | undefined)[] = []
      for (let i = 0; i < count; i++) inputs.push(inputAt(state, message.inputs[nextInput++]))
      for (const input of shared) inputs.push(input)
      if (template.outputs === 0) {
        const found = earlier && findEarlier(earlier.nesting, earlier.attempt, earlier.call + place)
        open(state, segment, place, template, inputs, keys.get(place), found)
      } else {
        openWithOutputs(state, segment, place, template, inputs)
        place += template.outputs
      }
    }
    start = end
  }
}

function open(
  state: SchedulerState,
  segment: Segment,
  place: number,
  template: Template,
  found: readonly (Task | undefined)[],
  key: string | undefined,
  earlier: Task | undefined,
): void {
  const inputs = found.length === 0 ? NO_INPUTS : found.filter((input) => input !== undefined)
  if (key === undefined && earlier !== undefined && isSame(earlier, segment.args, place, template, inputs)) {
    addAlias(state, segment, place, template, earlier)
    return
  }
  const known = key === undefined ? undefined : state.keys.get(key)
  if (known !== undefined && isSame(known, segment.args, place, template, inputs)) {
    addAlias(state, segment, place, template, known)
    return
  }
  template.statistics.tasks.released++
  const explicitKey = known === undefined ? key : undefined
  const task = makeTask(segment, place, template, { inputs, explicitKey, producer: undefined, state: RELEASED })
  for (const input of inputs) input.dependants++
  countInputs(task)
  if (key !== undefined && known === undefined) state.keys.set(key, task)
  if (known !== undefined) {
    const reason = `Key "${key}" already stands for other work in this cluster; use another key, or release that one first.`
    failTask(state, task, refusal('ERR_HEDDLE_KEY_CONFLICT', reason, key))
  } else if (inputs.length < found.length) {
    failTask(state, task, inputReleased(key))
  } else wake(state, task)
}

/** The same key, code and arguments again: one more future of the task that is there. */
function addAlias(state: SchedulerState, segment: Segment, place: number, template: Template, task: Task): void {
  const { array } = segment
  const index = segment.first + place
  array.tasks[index] = task
  task.aliases ??= []
  task.aliases.push({ array, index })
  letStart(state, [task])
  template.tasks--
  if (task.state.type === 'released') wake(state, task)
  else tellOne(state, task, array, index)
}

function isSame(task: Task, args: Packed, place: number, template: Template, inputs: readonly Task[]): boolean {
  const other = task.template
  if (other.code !== template.code || other.exportName !== template.exportName) return false
  if (task.inputs.length !== inputs.length || task.inputs.some((input, i) => input !== inputs[i])) return false
  const hasSameArguments = areSameBytes(entryOf(task.args, task.place), entryOf(args, place))
  return hasSameArguments && areSameBytes(other.constants, template.constants)
}

function inputAt(state: SchedulerState, id: TaskId | undefined): Task | undefined {
  const task = id === undefined ? undefined : findTask(state, id)
  return task !== undefined && isProducer(task) ? undefined : task // What has outputs has no value itself.
}

function runsOf(client: ClientRecord, numbers: readonly number[]): Segment['runs'] | undefined {
  const runs: { template: Template; end: number }[] = []
  let end = 0
  for (let i = 0; i + 1 < numbers.length; i += 2) {
    const template = client.templates.get(templateId(numbers[i]!))
    if (template === undefined) return undefined
    end += numbers[i + 1]!
    runs.push({ template, end })
  }
  return numbers.length % 2 === 0 ? runs : undefined
}
