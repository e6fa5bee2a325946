/**
 * A client or a worker that says what makes no sense: messages that are well-formed, and name other things than there are. The
 * scheduler refuses them or takes them for late news; it never ends, and never loses its own order.
 */
import assert from 'node:assert/strict'
import test from 'node:test'
import * as fc from 'fast-check'
import { ProtocolError } from '../../protocol/errors.js'
import type { Field } from '../../protocol/schema.js'
import { clientToScheduler, type ClientToScheduler } from '../../protocol/messages/client.js'
import { workerToScheduler, type WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { HeardFromClient, HeardFromWorker } from '../../scheduler/core/events.js'
import { SchedulerHarness } from '../support/scheduler-harness.js'

/** Which of many numbers of a message becomes what. */
const change = fc.record({
  place: fc.nat(40),
  value: fc.constantFrom(0, 1, 2, 3, 7, 1_023, 1_024, 1_025, 2_048, 2 ** 31, 2 ** 52),
})
const utterance = fc.record({ message: fc.nat(), by: fc.boolean(), changes: fc.array(change, { maxLength: 3 }) })

/** The same message with other numbers in it; `undefined` when that is none that could be sent. */
function changed<T>(schema: Field<T>, message: T, changes: readonly { place: number; value: number }[]): T | undefined {
  const wire = structuredClone(schema.toWire(message))
  for (const { place, value } of changes) replaceNumber(wire, place, value)
  try {
    return schema.parse(wire, 'fuzzed')
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error))
    return undefined
  }
}

/** Leaves the first number, which says what message it is. */
function replaceNumber(wire: unknown, place: number, value: number): void {
  const places: { list: unknown[]; index: number }[] = []
  const collect = (list: unknown[], depth: number): void => {
    list.forEach((item, index) => {
      if (Array.isArray(item)) collect(item, depth + 1)
      else if (typeof item === 'number' && depth + index > 0) places.push({ list, index })
    })
  }
  collect(wire as unknown[], 0)
  const found = places[place % Math.max(1, places.length)]
  if (found !== undefined) found.list[found.index] = value
}

test('whatever well-formed nonsense a client and a worker say, the scheduler keeps its order', () => {
  fc.assert(
    fc.property(fc.array(utterance, { minLength: 1, maxLength: 30 }), (utterances) => {
      const scheduler = new SchedulerHarness({ keepsState: true })
      const honest = scheduler.client('honest')
      const liar = scheduler.client('liar')
      const worker = scheduler.worker({ threads: 2 })
      const other = scheduler.worker({ threads: 1 })
      const f = honest.define('f')
      const ids = honest.map(f, 4)
      honest.submit(f, [{ inputs: ids.slice(0, 2), key: 'named' }])
      const g = liar.define('g')
      const own = liar.map(g, 3)
      const array = Math.floor(own[0]! / 1_024)
      const fromClient: ClientToScheduler[] = [
        liar.submission(g, [{}, { inputs: own.slice(0, 1) }]).message,
        { type: 'want', tasks: own },
        { type: 'release', tasks: own },
        { type: 'cancel', request: 1, tasks: own, graceMs: 10, error: Uint8Array.of(1) },
        { type: 'detach', tasks: own },
        { type: 'retry', tasks: own },
        { type: 'missing', task: own[0]!, holder: 'ws://w1' },
        { type: 'attach', array: (array + 9) as never, key: 'named' },
        { type: 'replicate', request: 2, tasks: own, copies: 2, workers: [] } as never,
        { type: 'stream-taken', task: own[0]!, taken: 3 },
        { type: 'forget-templates', templates: [g] },
        { type: 'not-scattered', task: own[0]!, worker: worker.id },
      ]
      const fromWorker: WorkerToScheduler[] = [
        worker.finished(ids.slice(0, 2)),
        worker.finished(ids.slice(0, 2), { sizeBytes: 1_000_000 }),
        { type: 'outputs-finished', ...outputsOf(ids) } as never,
        { type: 'task-failed', task: ids[0]!, attempt: 1 as never, error: Uint8Array.of(1), isFinal: false },
        {
          type: 'task-exited',
          task: ids[1]!,
          attempt: 1 as never,
          exitCode: 3,
          reason: 'it exited',
          isOutOfMemory: false,
        },
        { type: 'tasks-returned', tasks: ids, attempts: [1, 1, 1, 1], begun: [0] },
        { type: 'tasks-kept', tasks: ids },
        { type: 'inputs-missing', task: ids[0]!, attempt: 1 as never, inputs: ids, holder: other.id },
        { type: 'tasks-held', tasks: ids, attempts: [1, 1, 1, 1] },
        { type: 'attached' },
        { type: 'copies-held', tasks: ids, sizes: [1, 2, 3, 4] },
        { type: 'values-lost', tasks: ids },
        { type: 'copies-missing', tasks: ids },
        { type: 'tasks-stopped', tasks: ids.slice(0, 1), attempts: [], stoppedBy: ['thread'] },
        { type: 'tasks-timed-out', tasks: ids, attempts: [1, 1, 1, 1], goOn: [0] },
        { type: 'stream-chunk', task: ids[0]!, attempt: 1 as never, index: 0, value: Uint8Array.of(1) },
        { type: 'task-progressed', task: ids[0]!, attempt: 1 as never, fraction: 0.5, note: '' },
        { type: 'tasks-suspended', tasks: ids, attempts: [1, 1, 1, 1] },
        { type: 'tasks-resumed', tasks: ids, attempts: [1, 1, 1, 1] },
        { type: 'view', tasks: ids, attempts: [1, 1, 1, 1], leftovers: ids, leftoverAttempts: [], values: ids },
        { type: 'leaving' },
      ]
      for (const { message, by, changes } of utterances) {
        if (by) {
          const said = changed(clientToScheduler, fromClient[message % fromClient.length]!, changes)
          if (said !== undefined) liar.send(said as HeardFromClient)
        } else {
          const said = changed(workerToScheduler, fromWorker[message % fromWorker.length]!, changes)
          if (said !== undefined) worker.send(said as HeardFromWorker)
        }
      }
      other.leave()
      liar.leave()
    }),
    { numRuns: Number(process.env['HEDDLE_FUZZ'] ?? 200), seed: Number(process.env['HEDDLE_SEED'] ?? 1) },
  )
})

function outputsOf(tasks: readonly number[]) {
  const values = { ends: [1, 2], bytes: Uint8Array.of(1, 1) }
  return { tasks: tasks.slice(0, 1), attempts: [], counts: [2], sizes: [1, 1], values, timings: [] }
}
