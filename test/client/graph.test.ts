/** Graphs: what the scheduler is told of them, and when; what is wrong with them; and what they give. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import test, { suite } from 'node:test'
import type { Client } from '../../client/client.js'
import { connect } from '../../client/connect.js'
import { delayed, type Delayed } from '../../client/delayed.js'
import type { Future } from '../../client/future.js'
import { ref, type RawGraph } from '../../client/raw-graph.js'
import { entryOf } from '../../common/packed.js'
import { ARRAY_CAPACITY, arrayOf, type TaskId } from '../../protocol/ids.js'
import type { Submit } from '../../protocol/messages/client.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { eventually } from '../support/eventually.js'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { FakeScheduler, idsOf } from './fake-scheduler.js'

const one = (x: number): number => x
const sum = (...xs: number[]): number => xs.reduce((a, b) => a + b, 0)
const half = (x: number): number => x / 2
const leaf = delayed(one)
const add = delayed(sum)

/** The tasks of all messages by their ids: which template they are of, and what they need. */
function tasksOf(scheduler: FakeScheduler): Map<TaskId, { name: string; inputs: TaskId[]; args: Uint8Array }> {
  const names = new Map(scheduler.all('define-template').map(({ template, name }) => [template as number, name]))
  const tasks = new Map<TaskId, { name: string; inputs: TaskId[]; args: Uint8Array }>()
  for (const submit of scheduler.all('submit')) {
    const templates = templatesOf(submit)
    let next = 0
    idsOf(submit).forEach((id, place) => {
      const count = submit.inputCounts[place] ?? 0
      const inputs = submit.inputs.slice(next, (next += count))
      tasks.set(id, { name: names.get(templates[place]!)!, inputs, args: entryOf(submit.args, place) })
    })
  }
  return tasks
}

function templatesOf({ runs }: Submit): number[] {
  const templates: number[] = []
  for (let i = 0; i < runs.length; i += 2) templates.push(...new Array<number>(runs[i + 1]!).fill(runs[i]!))
  return templates
}

const tree = (leaves: readonly Delayed<number>[]): Delayed<number> => {
  let layer = leaves
  while (layer.length > 1) {
    const next: Delayed<number>[] = []
    for (let i = 0; i < layer.length; i += 2)
      next.push(i + 1 < layer.length ? add(layer[i]!, layer[i + 1]!) : layer[i]!)
    layer = next
  }
  return layer[0]!
}

suite('what the scheduler is told', () => {
  test('depth first, inputs before users, the output in an array of its own', async () => {
    await using scheduler = await FakeScheduler.start()
    const future = scheduler.client.compute(add(add(leaf(1), leaf(2)), add(leaf(3), leaf(4))))
    const ids = await scheduler.untilSubmitted(7)
    const tasks = tasksOf(scheduler)
    assert.deepEqual(
      ids.map((id) => tasks.get(id)!.name),
      ['one', 'one', 'sum', 'one', 'one', 'sum', 'sum'],
    )
    assert.deepEqual(
      ids.map((id) => tasks.get(id)!.inputs),
      [[], [], [ids[0], ids[1]], [], [], [ids[3], ids[4]], [ids[2], ids[5]]],
    )
    assert.equal(new Set(ids.slice(0, 6).map(arrayOf)).size, 1)
    assert.notEqual(arrayOf(ids[6]!), arrayOf(ids[0]!))
    scheduler.values([[ids[6]!, 10]])
    assert.equal(await future, 10)
  })

  test('what has no future is released once all that needs it was submitted, whole arrays first', async () => {
    await using scheduler = await FakeScheduler.start()
    const leaves = Array.from({ length: 2 * ARRAY_CAPACITY }, (_, i) => leaf(i))
    const future = scheduler.client.compute(tree(leaves))
    const ids = await scheduler.untilSubmitted(2 * leaves.length - 1)
    await eventually('all but the output are released', () => scheduler.released.length === ids.length - 1)
    assert.deepEqual(new Set(scheduler.released), new Set(ids.slice(0, -1)))

    const submitted = new Set<TaskId>()
    const released = new Set<TaskId>()
    let releasesBeforeTheEnd = 0
    for (const message of scheduler.messages) {
      if (message.type === 'submit') {
        for (const id of idsOf(message)) submitted.add(id)
        for (const id of message.inputs) assert.ok(submitted.has(id) && !released.has(id))
        // The scheduler forgets an array when all in it is released, so none may be added to one where that can be.
        if (message.firstIndex > 0) {
          assert.ok(![...released].some((id) => arrayOf(id) === message.array))
        }
      } else if (message.type === 'release') {
        for (const id of message.tasks) released.add(id)
        if (submitted.size < ids.length) releasesBeforeTheEnd += 1
      }
    }
    assert.ok(releasesBeforeTheEnd > 0)
    future.release()
    await eventually('the output too', () => scheduler.released.length === ids.length)
  })

  test('calls that no output needs never get there', async () => {
    await using scheduler = await FakeScheduler.start()
    const used = leaf(1)
    add(used, leaf(2))
    const [output] = scheduler.client.compute([used])
    scheduler.client.submit(one, 3)
    assert.equal((await scheduler.untilSubmitted(2)).length, 2)
    assert.equal(output.status, 'pending')
  })

  test('a linear chain is one task, called as its last function, with its code sent once', async () => {
    await using scheduler = await FakeScheduler.start()
    const halve = delayed(half)
    const futures = scheduler.client.compute([1, 2, 3].map((x) => halve(halve(leaf(x)))))
    const ids = await scheduler.untilSubmitted(3)
    assert.equal(scheduler.all('define-code').length, 1)
    const [template] = scheduler.all('define-template')
    assert.equal(template!.name, 'half')
    assert.match(futures[0]!.key, /^half-/)
    const args = decodeValue(tasksOf(scheduler).get(ids[1]!)!.args, { owned: false })
    assert.deepEqual(args, [
      [0, 1, 1],
      [-1, 0, 0],
      [[2], [undefined], [undefined]],
    ])
  })

  test('with fuse: false, every call is a task', async () => {
    await using scheduler = await FakeScheduler.start()
    scheduler.client.compute(delayed(half)(leaf(1)), { fuse: false })
    assert.equal((await scheduler.untilSubmitted(2)).length, 2)
  })

  test('calls with other options are tasks of their own, with these options', async () => {
    await using scheduler = await FakeScheduler.start()
    const urgent = delayed(half, { priority: 3, name: 'urgently' })
    scheduler.client.with({ priority: 1 }).compute(urgent(leaf(1)))
    await scheduler.untilSubmitted(2)
    const templates = scheduler.all('define-template')
    const base = templates.find(({ name }) => name === 'one')!.priority
    assert.deepEqual(
      templates.map(({ name, priority }) => [name, priority - base]),
      [
        ['one', 0],
        ['urgently', 2],
      ],
    )
  })

  test('functions of modules are submitted once the module is bundled, and are not fused', async () => {
    await using scheduler = await FakeScheduler.start()
    const tasks = scheduler.client.module<{ twice(x: number): number }>(
      new URL('../../../test/client/fake-scheduler.ts', import.meta.url),
    )
    const twice = delayed(tasks.twice)
    scheduler.client.compute(twice(twice(leaf(1))))
    const ids = await scheduler.untilSubmitted(3)
    assert.deepEqual(
      ids.map((id) => tasksOf(scheduler).get(id)!.name),
      ['one', 'fake-scheduler.twice', 'fake-scheduler.twice'],
    )
  })

  test('outputs that need each other get their places in the order they were made', async () => {
    await using scheduler = await FakeScheduler.start()
    const a = leaf(1)
    const b = add(a, leaf(2))
    const [futureB, futureA, again] = scheduler.client.compute([b, a, b])
    assert.equal(again, futureB)
    const ids = await scheduler.untilSubmitted(3)
    await eventually('one is released', () => scheduler.released.length === 1)
    const outputs = ids.filter((id) => !scheduler.released.includes(id))
    assert.deepEqual(tasksOf(scheduler).get(outputs[1]!)!.inputs.at(0), outputs[0])
    scheduler.values([[outputs[0]!, 1]])
    assert.equal(await futureA, 1)
  })

  test('many outputs fill arrays', async () => {
    await using scheduler = await FakeScheduler.start()
    const outputs = Array.from({ length: 2_500 }, (_, i) => leaf(i))
    const persisted = scheduler.client.persist(outputs)
    const ids = await scheduler.untilSubmitted(2_500)
    assert.equal(new Set(ids.map(arrayOf)).size, 3)
    assert.equal(persisted.length, 2_500)
    assert.deepEqual(scheduler.released, [])
  })

  test('while the scheduler gives no ids the rest of a graph waits, and what was submitted later waits behind it', async () => {
    await using scheduler = await FakeScheduler.start({ leaseCount: 6, leases: 1 })
    const leaves = Array.from({ length: 4 * ARRAY_CAPACITY }, (_, i) => leaf(i))
    const future = scheduler.client.compute(tree(leaves))
    const value = future.result()
    await eventually('it runs out of ids', () => scheduler.submitted.length === 4 * ARRAY_CAPACITY)
    scheduler.lease()
    const ids = await scheduler.untilSubmitted(2 * leaves.length - 1)
    scheduler.values([[ids.at(-1)!, 5]])
    assert.equal(await value, 5)
  })
})

suite('what can’t be sent', () => {
  const refused = { code: 'ERR_HEDDLE_NOT_SERIALIZABLE' }
  const any = delayed((...xs: unknown[]) => xs.length)

  test('an argument that can’t be sent rejects what needs it, and nothing else', async () => {
    await using scheduler = await FakeScheduler.start()
    const good = leaf(1)
    const [bad, also, fine] = scheduler.client.compute([
      any(any(1, [() => 2]), good),
      any(any(3, { deep: [Symbol('x')] })),
      good,
    ])
    await assert.rejects(bad.result(), { ...refused, path: 'args[1][0]' })
    // It is the argument of one call in a chain.
    await assert.rejects(also.result(), { ...refused, path: 'args[1].deep[0]' })
    assert.equal(fine.status, 'pending')
    const next = scheduler.client.submit(one, bad)
    await assert.rejects(next.result(), refused)
  })

  test('a function that can’t travel is refused where it is delayed', () => {
    const outer = 3
    assert.throws(() => delayed((x: number) => x + outer), { code: 'ERR_HEDDLE_FUNCTION_NOT_PORTABLE' })
    assert.throws(() => delayed(3 as never), { code: 'ERR_HEDDLE_FUNCTION_NOT_PORTABLE' })
  })

  test('a module that can’t be bundled rejects the outputs that need it', async () => {
    await using scheduler = await FakeScheduler.start()
    const tasks = scheduler.client.module<{ load(x: number): number }>(new URL('file:///none/tasks.ts'))
    const load = delayed(tasks.load)
    const [a, b, c] = scheduler.client.compute([add(load(1), leaf(2)), load(3), leaf(4)])
    await assert.rejects(a.result(), { code: 'ERR_HEDDLE_MODULE' })
    await assert.rejects(b.result(), { code: 'ERR_HEDDLE_MODULE' })
    assert.equal(c.status, 'pending')
  })

  test('a delayed call is no argument of submit, and no argument that was changed behind our back', async () => {
    await using scheduler = await FakeScheduler.start()
    assert.throws(() => scheduler.client.submit(one, leaf(1) as never), { ...refused, message: /delayed call of one/ })
    const list: unknown[] = []
    const graph = any(list)
    list.push(leaf(1))
    await assert.rejects(scheduler.client.compute(graph).result(), { ...refused, message: /don't change arguments/ })
  })

  test('a future of another client is none of ours', async () => {
    await using scheduler = await FakeScheduler.start()
    await using other = await FakeScheduler.start()
    const persisted = other.client.persist(leaf(1))
    assert.throws(() => scheduler.client.compute(persisted), { code: 'ERR_HEDDLE_INVALID_OPTION' })
    await assert.rejects(scheduler.client.compute(add(persisted, 1)).result(), refused)
  })

  test('wrong calls are refused', async () => {
    await using scheduler = await FakeScheduler.start()
    const { client } = scheduler
    const wrong = { code: 'ERR_HEDDLE_INVALID_OPTION' }
    assert.throws(() => client.compute(3 as never), { ...wrong, message: /not 3/ })
    assert.throws(() => client.compute([leaf(1), client.submit(one, 1) as never]), wrong)
    assert.throws(() => client.compute(leaf(1), { fuze: true } as never), { ...wrong, message: /did you mean "fuse"/ })
    assert.throws(() => client.with({ key: 'k' }).compute(leaf(1)), { ...wrong, message: /is for one task/ })
    assert.throws(() => (client.with({ outputs: 2 }) as unknown as Client).persist(leaf(1)), wrong)
    assert.throws(() => delayed(one, { key: 'k' } as never), { ...wrong, message: /no option "key"/ })
    assert.throws(() => delayed(one, { priority: 1.5 }), wrong)
    assert.throws(() => client.submitGraph([] as never, []), wrong)
    assert.throws(() => client.submitGraph({}, 'sum' as never), wrong)
    assert.throws(() => leaf(1).visualize('graph.png'), { ...wrong, message: /\.svg, \.dot or \.mmd/ })
    await client.close()
    assert.throws(() => client.compute(leaf(1)), { code: 'ERR_HEDDLE_CLOSED' })
  })
})

suite('raw graphs', () => {
  const graph = {
    a: [one, 1],
    b: [one, 2],
    sum: [sum, ref('a'), ref('b')],
    unused: [one, ref('nowhere')],
  } as const

  test('give a future for each key asked for, in that order', async () => {
    await using scheduler = await FakeScheduler.start()
    const [total, a, again] = scheduler.client.submitGraph(graph, ['sum', 'a', 'sum'])
    assert.equal(again, total)
    const ids = await scheduler.untilSubmitted(3)
    const tasks = tasksOf(scheduler)
    const id = ids.find((each) => tasks.get(each)!.name === 'sum')!
    scheduler.values([
      [id, 3],
      [tasks.get(id)!.inputs[0]!, 1],
    ])
    assert.deepEqual(await scheduler.client.gather([total, a]), [3, 1])
  })

  test('what is wrong with a small one throws from the call', async () => {
    await using scheduler = await FakeScheduler.start()
    const { client } = scheduler
    assert.throws(() => client.submitGraph(graph, ['unused']), { name: 'GraphError', message: /"unused" → "nowhere"/ })
    assert.throws(() => client.submitGraph({ a: [one, ref('b')], b: [one, { x: ref('a') }] }, ['a']), {
      name: 'GraphError',
      message: /"a" → "b" → "a"/,
    })
    assert.throws(() => client.submitGraph({ a: [3, 4] } as never, ['a']), {
      name: 'GraphError',
      message: /"a" in the graph is an array that begins with 3/,
    })
    const outer = 3
    assert.throws(() => client.submitGraph({ a: [() => outer] }, ['a']), { name: 'FunctionNotPortableError' })
    assert.throws(() => ref(3 as never), { name: 'GraphError' })
  })

  test('what is wrong with a large one is on its futures', async () => {
    await using scheduler = await FakeScheduler.start()
    const large: Record<string, RawGraph[string]> = {}
    for (let i = 0; i < 5_000; i++) large[`n${i}`] = [sum, ref(`n${i + 1}`)]
    const [first, second] = scheduler.client.submitGraph(large, ['n0', 'n1']) as [Future<unknown>, Future<unknown>]
    const dependant = scheduler.client.submit(one, first as Future<number>)
    for (const future of [first, second, dependant]) {
      await assert.rejects(future.result(), { name: 'GraphError', message: /no "n5000".*"n0" → .* → "n5000"/ })
    }
  })

  test('a large one goes, whatever its outputs need of each other', async () => {
    await using scheduler = await FakeScheduler.start()
    const large: Record<string, RawGraph[string]> = { n0: [sum, 0] }
    for (let i = 1; i < 5_000; i++) large[`n${i}`] = [sum, ref(`n${i - 1}`), i]
    const futures = scheduler.client.submitGraph(large, ['n4999', 'n10', 'n2500'], { fuse: false })
    const ids = await scheduler.untilSubmitted(5_000)
    scheduler.values(ids.map((id, i) => [id, i]))
    assert.deepEqual(await scheduler.client.gather(futures), [4_999, 10, 2_500])
  })
})

suite('in this thread', () => {
  test('graphs compute, alone and several at once, and shared calls run once', async () => {
    await using client = await connect('inline:')
    const draw = delayed(() => Math.random())
    const shared = draw()
    const pair = delayed((a: number, b: number) => [a, b])
    const [[a, b], c] = await client.gather(client.compute([pair(shared, shared), shared]))
    assert.equal(a, b)
    assert.equal(a, c)
  })

  test('chains run in order, with promises unwrapped, and throw as themselves', async () => {
    await using client = await connect('inline:')
    const later = delayed(async (x: number) => {
      await Promise.resolve()
      return x + 1
    })
    const scale = delayed((by: number, x: number) => x * by)
    assert.equal(await client.compute(scale(10, later(later(leaf(1))))), 30)
    const fail = delayed((x: number): number => {
      throw new RangeError(`no ${x}`)
    })
    const failing = client.compute(later(fail(leaf(3))))
    await assert.rejects(failing.result(), { name: 'RangeError', message: 'no 3', taskKey: failing.key })
  })

  test('futures and what was persisted are arguments, at any depth', async () => {
    await using client = await connect('inline:')
    const five = client.submit(one, 5)
    const rows = client.persist(delayed((n: number) => Array.from({ length: n }, (_, i) => i))(five))
    const count = delayed((all: { rows: number[][] }) => all.rows[0]!.length)
    assert.equal(await client.compute(count({ rows: [rows] })), 5)
    assert.deepEqual(await client.compute(rows), [0, 1, 2, 3, 4])
    assert.equal(client.compute(rows), client.compute(rows))
    assert.equal(client.persist(rows), rows)
  })

  test('nothing is left when all that was asked for is released', async () => {
    await using client = await connect('inline:')
    const future = client.compute(tree(Array.from({ length: 500 }, (_, i) => leaf(i))))
    assert.equal(await future, 124_750)
    future.release()
    await eventually('nothing is left', async () => {
      const { tasks } = await client.info()
      return Object.values(tasks).every((count) => count === 0)
    })
  })

  test('drawings are written to files of three kinds', async () => {
    await using folder = await TemporaryFolder.create('heddle-drawing')
    const graph = add(leaf(1), leaf(2))
    const starts = { 'a.svg': '<svg ', 'a.dot': 'digraph {', 'a.mmd': 'flowchart TB' }
    for (const [name, start] of Object.entries(starts)) {
      graph.visualize(path.join(folder.path, name))
      assert.ok((await readFile(path.join(folder.path, name), 'utf8')).startsWith(start))
    }
  })
})
