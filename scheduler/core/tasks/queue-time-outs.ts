/**
 * Tasks that may wait only so long from their submission to their start (`queueTimeoutMs`). There is one deadline for all
 * tasks of one submission and template. When it comes, those that no worker has fail at once; what was sent to a worker is
 * wanted back from there, and fails when it comes back unstarted. A task that has started once, whatever came of it, has
 * nothing more to fear from it.
 */
import type { HeapItem } from '../../../common/heap.js'
import type { TaskId } from '../../../protocol/ids.js'
import { obstacleOf } from '../placing/demand.js'
import { failTask, refusal } from './outcome.js'
import { workerOutboxOf, type SchedulerState } from '../state.js'
import { expandWith, HELD, type Segment } from './task-array.js'
import { keyOf, type Failure, type Task } from './task.js'
import type { Template } from './template.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** For the places of a segment from `first` up to `end`, which have one template. */
export interface QueueDeadline extends HeapItem {
  readonly segment: Segment
  readonly template: Template
  readonly first: number
  readonly end: number
  readonly dueMs: number
}

/** New tasks: those with the option are watched. */
export function watchWaits(state: SchedulerState, segment: Segment): void {
  let first = 0
  for (const { template, end } of segment.runs) {
    const { queueTimeoutMs } = template.rules
    if (queueTimeoutMs > 0) {
      const dueMs = state.nowMs + queueTimeoutMs
      const deadline: QueueDeadline = { segment, template, first, end, dueMs, heapPlace: -1 }
      segment.deadlines ??= []
      segment.deadlines.push(deadline)
      state.queueDeadlines.push(deadline)
    }
    first = end
  }
}

/** What has waited for too long fails, or is wanted back. */
export function endWaits(state: SchedulerState): void {
  const { queueDeadlines: heap } = state
  const wantedBack = new Map<WorkerRecord, TaskId[]>()
  for (let next = heap.peek(); next !== undefined && next.dueMs <= state.nowMs; next = heap.peek()) {
    heap.remove(next)
    for (let place = next.first; place < next.end; place++) {
      const task = ownTask(next, place)
      if (task !== undefined && !task.hasStarted) endWait(state, task, wantedBack)
    }
  }
  for (const [worker, tasks] of wantedBack) workerOutboxOf(state, worker).add({ type: 'recall', tasks })
}

function endWait(state: SchedulerState, task: Task, wantedBack: Map<WorkerRecord, TaskId[]>): void {
  if (task.state.type === 'waiting' || task.state.type === 'ready') failTask(state, task, failureOfWait(state, task))
  if (task.state.type !== 'processing') return
  task.isOverdue = true
  const { worker } = task.state
  const tasks = wantedBack.get(worker)
  if (tasks === undefined) wantedBack.set(worker, [task.id])
  else tasks.push(task.id)
}

/** Why a task fails that waited too long. */
export function failureOfWait(state: SchedulerState, task: Task): Failure {
  const key = keyOf(task)
  const { demand, rules } = task.template
  const began = `Task ${key} was not started within its queueTimeoutMs of ${rules.queueTimeoutMs}`
  if (state.stayingWorkers === 0) {
    const reason = `${began}: the cluster has no worker; start one.`
    return refusal('ERR_HEDDLE_UNSATISFIABLE', reason, key)
  }
  const obstacle = demand === undefined ? undefined : obstacleOf(state, demand)
  if (obstacle !== undefined) {
    const reason = `${began}: it ${obstacle}; start a worker that has it, or ask for something else.`
    return refusal('ERR_HEDDLE_UNSATISFIABLE', reason, key)
  }
  const why = task.state.type === 'waiting' ? 'tasks that it needs had not ended' : 'no worker had room for it'
  return refusal('ERR_HEDDLE_QUEUE_TIMEOUT', `${began}: ${why}; give it more time, or add workers.`, key)
}

/** Not one that stands for a task of another place, and not an output, which never starts itself. */
function ownTask({ segment, template }: QueueDeadline, place: number): Task | undefined {
  const { array } = segment
  const index = segment.first + place
  const task = array.tasks[index]
  if (task === undefined) return (array.flags[index]! & HELD) === 0 ? undefined : expandWith(segment, place, template)
  return task.array === array && task.index === index && task.producer === undefined ? task : undefined
}
