/** A graph that was submitted depth first runs depth first. */
import assert from 'node:assert/strict'
import test from 'node:test'
import type { TaskId } from '../../protocol/ids.js'
import { SchedulerHarness, type TaskDescription } from '../support/scheduler-harness.js'

interface Reduction {
  readonly ids: readonly TaskId[]
  readonly inputsOf: ReadonlyMap<TaskId, readonly TaskId[]>
}

/** Submits a binary reduction of 2 ** depth leaves, in one array; all but the root is let go of. */
function submitReduction(
  client: ReturnType<SchedulerHarness['client']>,
  depth: number,
  order: 'depth' | 'breadth',
): Reduction {
  const template = client.define('node')
  const { ids: places } = client.submission(template, new Array<TaskDescription>(2 ** (depth + 1) - 1).fill({}))
  const first = places[0]! + 1_024 // The array after that one.
  const descriptions: TaskDescription[] = []
  const add = (inputs: readonly TaskId[]): TaskId => {
    descriptions.push({ inputs })
    return (first + descriptions.length - 1) as TaskId
  }
  const below = (height: number): TaskId => add(height === 0 ? [] : [below(height - 1), below(height - 1)])
  if (order === 'depth') below(depth)
  else {
    let layer = Array.from({ length: 2 ** depth }, () => add([]))
    while (layer.length > 1)
      layer = Array.from({ length: layer.length / 2 }, (_, i) => add(layer.slice(2 * i, 2 * i + 2)))
  }
  const ids = client.submit(template, descriptions)
  client.release(...ids.slice(0, -1))
  return { ids, inputsOf: new Map(ids.map((id, i) => [id, descriptions[i]!.inputs!])) }
}

/** Runs all of it on one worker, one task after another; returns how many values it held at most. */
function peakHeld(order: 'depth' | 'breadth'): number {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const { ids } = submitReduction(client, 6, order)
  const worker = scheduler.worker({ threads: 1 })
  let peak = 0
  let finished = 0
  const sent: TaskId[] = worker.takeTasks()
  for (let task = sent.shift(); task !== undefined; task = sent.shift()) {
    // Long enough for no other task to be sent ahead than the next one.
    worker.finish([task], { us: 1_000_000 })
    finished += 1
    peak = Math.max(peak, scheduler.tasks['in-memory'])
    sent.push(...worker.takeTasks())
  }
  assert.equal(finished, ids.length)
  return peak
}

test('few values are held while a reduction runs that was submitted depth first', () => {
  const depthFirst = peakHeld('depth')
  assert.ok(depthFirst <= 12, `${depthFirst} values were held`)
  assert.ok(peakHeld('breadth') <= 12)
})

test('what uses results up comes before what makes new ones, though it was submitted with them', () => {
  const scheduler = new SchedulerHarness()
  const client = scheduler.client()
  const { ids, inputsOf } = submitReduction(client, 3, 'depth')
  const worker = scheduler.worker({ threads: 1 })
  const ran: TaskId[] = []
  const sent = worker.takeTasks()
  const isSource = (id: TaskId): boolean => inputsOf.get(id)!.length === 0
  for (let task = sent.shift(); task !== undefined; task = sent.shift()) {
    ran.push(task)
    worker.finish([task], { us: 1_000_000 })
    sent.push(...worker.takeTasks())
  }
  // A worker is sent two tasks ahead, so a source may overtake by so many.
  ran.forEach((id, place) => {
    if (isSource(id))
      assert.ok(Math.abs(ids.indexOf(id) - place) <= 3, `task ${ids.indexOf(id)} ran as number ${place}`)
  })
})
