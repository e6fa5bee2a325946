/** What is added to a batch while a thread runs it. */
import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { arrayId, attempt, taskId } from '../../protocol/ids.js'
import { MAX_INLINE_RESULT_BYTES } from '../../protocol/limits.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { encodeValue } from '../../protocol/values/encode.js'
import type { BatchTask } from '../../worker/core/instructions.js'
import { InlinePool } from '../../worker/inline-pool.js'
import { LaneReader, LaneWriter } from '../../worker/thread/lane.js'
import type * as TaskModule from '../../worker/thread/task.js'
import { eventually } from '../support/eventually.js'
import {
  errorAt,
  Future,
  PoolHarness,
  task,
  tasksOf,
  valuesOf,
  type AddedTasks,
  type FinishedBatch,
} from './pool-harness.js'

const TASK_MODULE = new URL('../../worker/thread/task.js', import.meta.url).href
/** Numbers that the test and tasks that get this see in the same memory. */
const GATE = new Future(taskId(arrayId(9), 99))

const future = (place: number): Future => new Future(task(place))

/** A thread whose tasks wait at a gate until the test has heard the one before them. */
async function started() {
  const threads = await PoolHarness.start()
  threads.store.put(GATE.task, encodeValue(new Int32Array(2 ** 18), { path: 'result', shared: true }))
  const gate = decodeValue(threads.store.get(GATE.task)!, { shared: true }) as Int32Array
  const open = (): void => {
    Atomics.add(gate, 0, 1)
    Atomics.notify(gate, 0)
  }
  return {
    threads,
    open,
    /** Tasks that run `pass`: two that begin the batch, of which the second waits at the gate, and more. */
    tasks: async (...more: readonly unknown[][]) =>
      tasksOf(await threads.template(pass), [[0, 0, 'a'], [1, 0, 'b', GATE], ...more]),
    [Symbol.asyncDispose]: () => threads[Symbol.asyncDispose](),
  }
}

/**
 * Gives what it was given, or a text of so many bytes; of less than none it gives nothing. It first waits until the gate has been opened so often, if it has to: for that it
 * gets the gate.
 */
function pass(opened: number, bytes: number, ...given: unknown[]): unknown[] {
  const gate = opened > 0 ? (given.pop() as Int32Array) : undefined
  while (gate !== undefined && Atomics.load(gate, 0) < opened) {
    if (Atomics.wait(gate, 0, opened - 1, 60_000) === 'timed-out') throw new Error('the gate stays shut')
  }
  if (bytes < 0) throw new Error('no value')
  return bytes > 0 ? ['x'.repeat(bytes)] : given
}

/** Runs a batch of the first `count` tasks, of which the thread rings behind the first; `add` tells what is added then. */
async function runGrowing(
  { threads, open }: Awaited<ReturnType<typeof started>>,
  all: readonly BatchTask[],
  count: number,
  add: (added: (count: number, options?: Partial<AddedTasks>) => AddedTasks) => readonly AddedTasks[],
  { number = 1, wanted = [0] }: { readonly number?: number; readonly wanted?: readonly number[] } = {},
): Promise<FinishedBatch> {
  let end = count
  const next = (more: number, options: Partial<AddedTasks> = {}): AddedTasks => {
    const first = end
    end += more
    return { number, before: all.slice(0, first), tasks: all.slice(first, end), ...options }
  }
  threads.onDoorbell = () => {
    threads.onDoorbell = () => undefined
    for (const added of add(next)) threads.extend(added)
    // Once the lane was read: what ends before that is read with it, and rings no more.
    setImmediate(open)
  }
  return await threads.runTasks(all.slice(0, count), { number, wanted })
}

suite('what is added to a batch that a thread runs', { timeout: 60_000 }, () => {
  test('runs behind it, with values of tasks before, and with its own code', async () => {
    await using thread = await started()
    const { threads } = thread
    const other = await threads.template((a: unknown[], b: unknown[]) => [a, b])
    const all = [
      ...(await thread.tasks([0, 0, 'c', future(0), future(1)], [0, 0, 'd', future(2)])),
      { ...tasksOf(other, [[future(1), future(3)]])[0]!, task: task(4) },
    ]
    const batch = await runGrowing(thread, all, 2, (added) => [
      added(2, { makers: new Set([0, 1, 2].map(task)) }),
      added(1, { makers: new Set([1, 3].map(task)) }),
    ])
    const third = ['c', ['a'], ['b']]
    assert.deepEqual(valuesOf(batch), [['a'], ['b'], third, ['d', third], [['b'], ['d', third]]])
    assert.deepEqual(
      batch.outcomes.map(({ place }) => place),
      [0, 1, 2, 3, 4],
    )
    assert.deepEqual([batch.firstUnstarted, batch.culprit], [5, undefined])
    assert.deepEqual(threads.errors, [])
  })

  test('is rung behind where that is wanted, and may be added to itself', async () => {
    await using thread = await started()
    const { threads } = thread
    const all = await thread.tasks([0, 0, 'c'], [2, 0, 'd', GATE], [0, 0, 'e', future(2)])
    const batch = await runGrowing(thread, all, 2, (added) => {
      threads.onDoorbell = () => {
        threads.onDoorbell = () => undefined
        threads.extend(added(1, { makers: new Set([task(2)]) }))
        setImmediate(thread.open)
      }
      return [added(2, { wanted: [2] })]
    })
    assert.deepEqual(valuesOf(batch), [['a'], ['b'], ['c'], ['d'], ['e', ['c']]])
  })

  test('has the thread ring behind the last task before it, where that was wanted: the batch goes on', async () => {
    await using thread = await started()
    const { threads } = thread
    const all = await thread.tasks([2, 0, 'c', GATE])
    const batch = await runGrowing(
      thread,
      all,
      2,
      (added) => {
        threads.onDoorbell = () => {
          threads.onDoorbell = () => undefined
          setImmediate(thread.open)
        }
        return [added(1)]
      },
      { wanted: [0, 1] },
    )
    assert.deepEqual(valuesOf(batch), [['a'], ['b'], ['c']])
    assert.equal(threads.messages.filter(({ type }) => type === 'doorbell').length, 2)
  })

  test('is no part of another batch, which has its own', async () => {
    await using thread = await started()
    const { threads } = thread
    const template = await threads.template(pass)
    // After a large value the batch ends, and what was added stays where it is.
    const first = tasksOf(template, [
      [0, 0, 'a'],
      [1, MAX_INLINE_RESULT_BYTES, 'b', GATE],
      [0, 0, 'c'],
    ])
    const ended = await runGrowing(thread, first, 2, (added) => [added(1)])
    assert.deepEqual([ended.outcomes.length, ended.firstUnstarted], [2, 2])

    const second = tasksOf(template, [
      [0, 0, 'd'],
      [2, 0, 'e', GATE],
      [0, 0, 'f'],
    ])
    const next = await runGrowing(thread, second, 2, (added) => [added(1)], { number: 2 })
    assert.deepEqual(valuesOf(next), [['d'], ['e'], ['f']])
  })

  test('does not run in the next batch if it came too late', async () => {
    await using thread = await started()
    const { threads } = thread
    const all = tasksOf(await threads.template(pass), [
      [0, 0, 'a'],
      [1, MAX_INLINE_RESULT_BYTES, 'b', GATE],
      [0, 0, 'c'],
    ])
    const late = { number: 1, before: all.slice(0, 2), tasks: all.slice(2) }
    await runGrowing(thread, all, 2, () => [late])
    threads.extend(late)
    const next = await threads.runTasks(all.slice(0, 1), { number: 2 })
    assert.deepEqual([next.outcomes.length, next.firstUnstarted], [1, 1])
  })

  test('does not run where something before it is missing', async () => {
    await using thread = await started()
    const all = await thread.tasks([0, 0, 'c'], [0, 0, 'd'])
    const batch = await runGrowing(thread, all, 2, () => [
      { number: 1, before: all.slice(0, 3), tasks: all.slice(3) },
      { number: 1, before: all.slice(0, 1), tasks: all.slice(3) },
    ])
    assert.equal(batch.end.type, 'replied')
    assert.deepEqual([batch.outcomes.length, batch.firstUnstarted], [2, 2])
  })

  test('does not run once its rest was taken back', async () => {
    await using thread = await started()
    const { threads } = thread
    const all = await thread.tasks([0, 0, 'c'], [0, 0, 'd'])
    let cutAt = 0
    const batch = await runGrowing(thread, all, 2, (added) => {
      cutAt = threads.lanes[0]!.takeBack(2)
      return [added(2)]
    })
    assert.ok(cutAt > 0)
    assert.deepEqual([batch.outcomes.length, batch.firstUnstarted], [cutAt, cutAt])
  })

  test('does not run behind a maker among the earlier ones that gave nothing', async () => {
    await using thread = await started()
    const { threads } = thread
    const all = tasksOf(await threads.template(pass), [
      [0, 0, 'a'],
      [1, -1, GATE],
      [0, 0, 'c'],
      [0, 0, future(1)],
    ])
    const batch = await runGrowing(thread, all, 2, (added) => [added(2, { makers: new Set([task(1)]) })])
    assert.ok(errorAt(batch, 1) instanceof Error)
    assert.deepEqual([batch.outcomes.length, batch.firstUnstarted], [3, 3])
  })

  test('ends the batch with a large value, at its place', async () => {
    await using thread = await started()
    const all = await thread.tasks([0, 0, 'c'], [0, MAX_INLINE_RESULT_BYTES], [0, 0, 'e'])
    const batch = await runGrowing(thread, all, 2, (added) => [added(3)])
    assert.ok(batch.end.type === 'replied')
    assert.equal(batch.end.reply.large?.place, 3)
    assert.deepEqual([batch.outcomes.length, batch.firstUnstarted], [4, 4])
  })

  test('is to blame by its place where it ends the thread', async () => {
    await using thread = await started()
    const { threads } = thread
    const exit = { ...tasksOf(await threads.template(() => process.exit(3)), [[]])[0]!, task: task(3) }
    const [a, b, c] = await thread.tasks([0, 0, 'c'])
    const batch = await runGrowing(thread, [a!, b!, c!, exit, { ...c!, task: task(4) }], 2, (added) => [added(3)])
    assert.ok(batch.end.type === 'exited')
    assert.deepEqual(valuesOf(batch), [['a'], ['b'], ['c']])
    assert.deepEqual([batch.culprit, batch.firstUnstarted], [3, 4])
  })

  test('knows who it is, and is timed and told to stop by its own name', async () => {
    await using thread = await started()
    const { threads } = thread
    const whoAmI = async function (url: string): Promise<unknown> {
      const { task: self } = (await import(url)) as typeof TaskModule
      const aborted = new Promise<void>((resolve) => self.signal.addEventListener('abort', () => resolve()))
      await aborted
      return { key: self.key, name: self.name, attempt: self.attempt, reason: String(self.signal.reason) }
    }
    const [a, b] = await thread.tasks()
    const listening = { ...(await threads.template(whoAmI)), timeoutMs: 60_000 }
    const own = tasksOf(listening, [[TASK_MODULE], [TASK_MODULE]], ['one', 'two']).map((each, i) => ({
      ...each,
      task: task(2 + i),
      attempt: attempt(5 + i),
      start: 5 + i,
    }))
    const lane = threads.lanes[0]!
    const stopped = (async () => {
      for (const { task: id, attempt: number } of own) {
        const place = own.findIndex((each) => each.task === id) + 2
        await eventually(`the task at ${place} listens`, () => lane.isListening(place))
        assert.notEqual(lane.ranMs(place), undefined)
        // Another attempt, and the other task, are not meant.
        threads.pool.tellToStop({ task: id, attempt: attempt(1), cause: 'dropped' })
        threads.pool.tellToStop({ task: task(0), attempt: number, cause: 'dropped' })
        threads.pool.tellToStop({ task: id, attempt: number, cause: 'cancelled' })
      }
    })()
    const batch = await runGrowing(thread, [a!, b!, ...own], 2, (added) => [added(2)])
    await stopped
    const [, , first, second] = valuesOf(batch) as { key: string; attempt: number; reason: string }[]
    assert.deepEqual([first?.key, first?.attempt], ['one', 5])
    assert.deepEqual([second?.key, second?.attempt], ['two', 6])
    assert.match(first!.reason, /cancelled/)
  })
})

test('a pool without threads runs what is added while a task of the batch waits', async () => {
  let open = (): void => undefined
  const gate = new Promise<void>((resolve) => (open = resolve))
  const own = async (isFirst: unknown, ...given: unknown[]): Promise<unknown[]> => {
    if (isFirst === true) await gate
    return given
  }
  await using inline = await PoolHarness.start(1, (host) => new InlinePool({ host, functionOf: () => own }))
  const all = tasksOf(await inline.template(own), [
    [true, 'a'],
    [false, 'b', future(0)],
    [false, 'c', future(1)],
  ])
  const running = inline.runTasks(all.slice(0, 1), { number: 1 })
  await new Promise((resolve) => setImmediate(resolve))
  const makers = new Set([task(0), task(1)])
  const added = { number: 1, before: all.slice(0, 1), tasks: all.slice(1), makers }
  inline.extend({ number: 2, before: all.slice(0, 1), tasks: all.slice(0, 1) }) // It was meant for another batch.
  inline.extend(added)
  open()
  const batch = await running
  assert.deepEqual(valuesOf(batch), [['a'], ['b', ['a']], ['c', ['b', ['a']]]])
  assert.equal(batch.firstUnstarted, 3)

  // The batch has ended.
  inline.extend(added)
  const next = await inline.runTasks(all.slice(0, 1), { number: 1 })
  assert.deepEqual([next.outcomes.length, next.firstUnstarted], [1, 1])
})

test('a thread that finds nothing more to claim leaves the cursor where more may be added', () => {
  const reader = new LaneReader()
  const writer = new LaneWriter(reader.memory)
  assert.deepEqual([writer.claim(2), writer.claim(2), writer.claim(2), writer.claim(2)], [0, 1, undefined, undefined])
  assert.equal(writer.next, 2)
  assert.deepEqual([writer.claim(3), writer.claim(3)], [2, undefined])
  assert.equal(reader.takeBack(5), 3)
  assert.equal(writer.claim(5), undefined)
})
