import assert from 'node:assert/strict'
import test from 'node:test'
import { entryOf } from '../../common/packed.js'
import { arrayOf, indexOf } from '../../protocol/ids.js'
import type { Submit } from '../../protocol/messages/client.js'
import { PRIORITY_BASE } from '../../protocol/urgency.js'
import { decodeValue } from '../../protocol/values/decode.js'
import { registerType } from '../../protocol/values/register.js'
import { FakeScheduler, idsOf } from './fake-scheduler.js'

const double = (x: number): number => x * 2
const add = (a: number, b: number): number => a + b
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** The arguments of each task of a message, with `'input n'` in the places of futures. */
function argumentsIn({ args }: Submit): unknown[] {
  return args.ends.map((_, place) => decodeValue(entryOf(args, place), { inputs: (input) => `input ${input}` }))
}

test('what is submitted in one turn leaves in one frame, as one array, with its code and its template once', async () => {
  await using scheduler = await FakeScheduler.start()
  for (let i = 0; i < 3; i++) scheduler.client.submit(double, i)

  await scheduler.untilSubmitted(3)
  const [frame, ...others] = scheduler.frames
  assert.deepEqual(others, [])
  assert.deepEqual(
    frame?.map(({ type }) => type),
    ['define-code', 'define-template', 'submit'],
  )
  const [code] = scheduler.all('define-code')
  assert.equal(Buffer.from(code!.source).toString(), '(x) => x * 2')
  const [template] = scheduler.all('define-template')
  assert.equal(template!.name, 'double')
  assert.equal(template!.exportName, 'default')
  assert.equal(template!.code, code!.code)
  assert.equal(template!.priority, PRIORITY_BASE)
  const [submit] = scheduler.all('submit')
  assert.equal(submit!.firstIndex, 0)
  assert.deepEqual(submit!.runs, [template!.template, 3])
  assert.deepEqual(argumentsIn(submit!), [[0], [1], [2]])
  assert.deepEqual(submit!.inputCounts, [])
})

test('tasks of different functions share an array', async () => {
  await using scheduler = await FakeScheduler.start()
  scheduler.client.submit(double, 1)
  scheduler.client.submit(double, 2)
  scheduler.client.submit(add, 1, 2)
  scheduler.client.submit(double, 3)

  await scheduler.untilSubmitted(4)
  const [first, second] = scheduler.all('define-template').map(({ template }) => template)
  assert.deepEqual(scheduler.all('submit')[0]?.runs, [first, 2, second, 1, first, 1])
})

test('the next turn begins a new array, and defines nothing again', async () => {
  await using scheduler = await FakeScheduler.start()
  scheduler.client.submit(double, 1)
  await scheduler.untilSubmitted(1)
  scheduler.client.submit(double, 2)
  const [one, two] = await scheduler.untilSubmitted(2)
  assert.notEqual(arrayOf(one!), arrayOf(two!))
  assert.equal(scheduler.all('define-template').length, 1)
  assert.equal(scheduler.all('define-code').length, 1)
})

test('the same source in a new function is the same code and the same template', async () => {
  await using scheduler = await FakeScheduler.start()
  for (let i = 0; i < 3; i++) scheduler.client.submit((x: number) => x + 1, i)
  await scheduler.untilSubmitted(3)
  assert.equal(scheduler.all('define-code').length, 1)
  assert.equal(scheduler.all('define-template').length, 1)
})

test('an array holds 1,024 tasks, and a turn may fill several', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = Array.from({ length: 1_500 }, (_, i) => scheduler.client.submit(double, i))
  const ids = await scheduler.untilSubmitted(1_500)
  assert.deepEqual(
    scheduler.all('submit').map(({ firstIndex, args }) => [firstIndex, args.ends.length]),
    [
      [0, 1_024],
      [0, 476],
    ],
  )
  assert.equal(futures[1_499]!.key, `double-${ids[1_499]!.toString(36)}`)
})

test('large arguments are spread over several messages of one array', async () => {
  await using scheduler = await FakeScheduler.start()
  for (let i = 0; i < 5; i++) scheduler.client.submit((bytes: Uint8Array) => bytes.length, new Uint8Array(300_000))
  await scheduler.untilSubmitted(5)
  const submits = scheduler.all('submit')
  assert.deepEqual(
    submits.map(({ firstIndex }) => firstIndex),
    [0, 2, 4],
  )
  assert.equal(new Set(submits.map(({ array }) => array)).size, 1)
})

test('a map over large items is spread over several messages, too', async () => {
  await using scheduler = await FakeScheduler.start()
  const items = Array.from({ length: 5 }, (_, i) => new Uint8Array(300_000).fill(i))
  scheduler.client.map((bytes: Uint8Array) => bytes.length, items)
  await scheduler.untilSubmitted(5)
  const submits = scheduler.all('submit')
  assert.ok(submits.every(({ args }) => args.bytes.length < 1_000_000))
  assert.deepEqual(
    submits.flatMap(argumentsIn),
    items.map((item) => [item]),
  )
})

test('futures at any depth of the arguments become inputs', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const a = client.submit(double, 1)
  const b = a.pipe(add, 5)
  client.submit(
    (rows: { value: number; more: Map<string, number> }[], plain: number) => rows.length + plain,
    [{ value: a, more: new Map([['b', b]]) }],
    a,
  )
  await scheduler.untilSubmitted(3)
  const [submit] = scheduler.all('submit')
  const [idA, idB] = idsOf(submit!)
  assert.deepEqual(submit!.inputCounts, [0, 1, 2])
  assert.deepEqual(submit!.inputs, [idA, idA, idB])
  assert.deepEqual(argumentsIn(submit!)[1], ['input 0', 5])
  assert.deepEqual(argumentsIn(submit!)[2], [[{ value: 'input 0', more: new Map([['b', 'input 1']]) }], 'input 0'])
})

test('arguments are encoded before submit returns', async () => {
  await using scheduler = await FakeScheduler.start()
  const list = [1]
  scheduler.client.submit((xs: number[]) => xs.length, list)
  list.push(2)
  await scheduler.untilSubmitted(1)
  assert.deepEqual(argumentsIn(scheduler.all('submit')[0]!), [[[1]]])
})

test('a key goes along, and is the key of the future', async () => {
  await using scheduler = await FakeScheduler.start()
  scheduler.client.submit(double, 1)
  const future = scheduler.client.with({ key: 'answer' }).submit(double, 21)
  assert.equal(future.key, 'answer')
  await scheduler.untilSubmitted(2)
  assert.deepEqual(scheduler.all('submit')[0]?.keys, [{ place: 1, key: 'answer' }])
})

test('a name and a priority are those of the template', async () => {
  await using scheduler = await FakeScheduler.start()
  const urgent = scheduler.client.with({ priority: -3 }).with({ name: 'urgent' })
  assert.match(urgent.submit(double, 1).key, /^urgent-[0-9a-z]+$/)
  urgent.submit(double, 2)
  await scheduler.untilSubmitted(2)
  const [template, ...others] = scheduler.all('define-template')
  assert.equal(template!.name, 'urgent')
  assert.equal(template!.priority, PRIORITY_BASE - 3)
  assert.deepEqual(others, [])
})

test('map makes a task for each item, which gets the item and no index', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map((text: string, radix?: number) => parseInt(text, radix), new Set(['10', '20']))
  assert.equal(futures.length, 2)
  await scheduler.untilSubmitted(2)
  assert.deepEqual(argumentsIn(scheduler.all('submit')[0]!), [['10'], ['20']])
})

test("map's constants are sent once, with the futures among them, in a template that is forgotten afterwards", async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const base = client.submit(double, 1)
  client.map((x: number, a: number, b: { c: number }) => x + a + b.c, [1, base], { args: [7, { c: base }] })

  const [forget] = await scheduler.until('forget-templates')
  const template = scheduler.all('define-template')[1]!
  const [submit] = scheduler.all('submit')
  assert.deepEqual(decodeValue(template.constants, { inputs: (place) => `input ${place}` }), [7, { c: 'input 0' }])
  assert.deepEqual(template.constantInputs, [idsOf(submit!)[0]])
  assert.deepEqual(argumentsIn(submit!).slice(1), [[1], ['input 0']])
  assert.deepEqual(submit!.inputCounts, [0, 0, 1])
  assert.deepEqual(forget!.templates, [template.template])
})

test('starmap takes all the arguments of each task from a list', async () => {
  await using scheduler = await FakeScheduler.start()
  scheduler.client.starmap(add, [
    [1, 2],
    [3, 4],
  ])
  await scheduler.untilSubmitted(2)
  assert.deepEqual(argumentsIn(scheduler.all('submit')[0]!), [
    [1, 2],
    [3, 4],
  ])
})

test('map gives each task its key by a function', async () => {
  await using scheduler = await FakeScheduler.start()
  const futures = scheduler.client.map(double, [5, 6], { key: (item, index) => `item-${String(item)}-${index}` })
  assert.deepEqual(
    futures.map(({ key }) => key),
    ['item-5-0', 'item-6-1'],
  )
  await scheduler.untilSubmitted(2)
  assert.deepEqual(scheduler.all('submit')[0]?.keys, [
    { place: 0, key: 'item-5-0' },
    { place: 1, key: 'item-6-1' },
  ])
})

test('wrong use throws from the call, and submits nothing', async () => {
  await using scheduler = await FakeScheduler.start()
  await using other = await FakeScheduler.start()
  const { client } = scheduler
  const outside = 3
  const released = client.submit(double, 1)
  released.release()
  const foreign = other.client.submit(double, 1)
  await scheduler.untilSubmitted(1)
  class Parser {}

  const code = (expected: string) => (error: { code: unknown }) => error.code === expected
  assert.throws(() => client.submit((x: number) => x + outside, 1), code('ERR_HEDDLE_FUNCTION_NOT_PORTABLE'))
  // @ts-expect-error No function at all.
  assert.throws(() => client.submit('nothing', 1), code('ERR_HEDDLE_FUNCTION_NOT_PORTABLE'))
  assert.throws(() => client.submit((x: unknown) => x, [{ parser: new Parser() }]), {
    code: 'ERR_HEDDLE_NOT_SERIALIZABLE',
    path: 'args[0][0].parser',
  })
  assert.throws(() => client.map((x: unknown) => x, [1, 2, { parser: new Parser() }]), {
    code: 'ERR_HEDDLE_NOT_SERIALIZABLE',
    path: 'items[2].parser',
    message: /^items\[2\]\.parser is an instance of Parser/,
  })
  assert.throws(() => client.starmap((x: unknown) => x, [[1], [new Parser()]]), { path: 'argTuples[1][0]' })
  assert.throws(() => client.submit(double, released), code('ERR_HEDDLE_RELEASED'))
  assert.throws(() => client.submit(double, foreign), { message: /belongs to another client/ })
  assert.throws(() => client.release([foreign]), { message: /future of another client/ })
  // @ts-expect-error Not an option.
  assert.throws(() => client.with({ retires: 3 }), code('ERR_HEDDLE_INVALID_OPTION'))
  // @ts-expect-error Not an option.
  assert.throws(() => client.with({ priorty: 3 }), { message: /did you mean "priority"\?/ })
  // @ts-expect-error Planned, and not there yet: not ignored.
  assert.throws(() => client.map(double, [1], { inFlight: 3 }), code('ERR_HEDDLE_INVALID_OPTION'))
  assert.throws(() => client.with({ priority: 0.5 }), { message: /priority is 0\.5/ })
  assert.throws(() => client.with({ key: '' }), { message: /key is ""/ })
  assert.throws(() => client.with({ key: 'one' }).map(double, [1]), { message: /makes many/ })
  // @ts-expect-error No list.
  assert.throws(() => client.map(double, 5), { message: /takes a list of items, and not 5/ })
  await assert.rejects(client.gather([released], { errors: 'none' as 'skip' }), { message: /errors is "none"/ })

  client.submit(double, 2)
  assert.equal((await scheduler.untilSubmitted(2)).length, 2)
})

test('a map over more than 1,000 items is encoded between other work', async () => {
  class Slow {
    readonly number: number
    constructor(number: number) {
      this.number = number
    }
  }
  registerType(Slow, {
    encode: ({ number }) => {
      for (const until = performance.now() + 0.5; performance.now() < until;);
      return number
    },
    decode: (number) => new Slow(number),
  })
  await using scheduler = await FakeScheduler.start()
  const items = Array.from({ length: 1_400 }, (_, i) => new Slow(i))
  let turns = 0
  let isDone = false
  const count = (): void => {
    turns += 1
    if (!isDone) setImmediate(count)
  }
  count()
  scheduler.client.map((slow: Slow) => slow.number, items)
  await scheduler.untilSubmitted(1_400)
  isDone = true
  // 0.7 s of encoding, 50 ms at most without a turn.
  assert.ok(turns >= 14, `${turns} turns of the event loop`)
})

test('a large map copies the list, and not the items', async () => {
  await using scheduler = await FakeScheduler.start()
  const items = Array.from({ length: 2_000 }, (_, i) => ({ number: i }))
  const last = items.at(-1)!
  const futures = scheduler.client.map(({ number }: { number: number }) => number, items)
  items.length = 0
  last.number = -1
  assert.equal((await scheduler.untilSubmitted(2_000)).length, futures.length)
  const sent = scheduler.all('submit').flatMap(argumentsIn)
  assert.deepEqual([sent[0], sent.at(-1)], [[{ number: 0 }], [{ number: -1 }]])
})

test('in a large map, an item that cannot be sent rejects its own future, and what needs it', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const items: unknown[] = Array.from({ length: 3_000 }, (_, i) => i)
  items[2_000] = { bad: Symbol('no') }
  const futures = client.map((x: unknown) => x, items)
  const needing = client.submit((all: unknown[]) => all.length, futures.slice(1_999, 2_002))
  const piped = needing.pipe((n: number) => n)

  const refusal = { code: 'ERR_HEDDLE_NOT_SERIALIZABLE', path: 'items[2000].bad' }
  await assert.rejects(async () => await futures[2_000], refusal)
  await assert.rejects(async () => await needing, refusal)
  await assert.rejects(async () => await piped, refusal)
  await assert.rejects(async () => await client.submit((x: unknown) => x, [futures[2_000]]), refusal)

  // The places are kept. What can't run has an input that does not exist.
  const ids = await scheduler.untilSubmitted(3_003)
  const noTask = scheduler.all('submit').flatMap(({ inputs }) => inputs)[0]!
  assert.ok(!ids.includes(noTask))
  scheduler.refused([ids[2_000]!], 'ERR_HEDDLE_RELEASED', 'late news')
  scheduler.values([[ids[1_999]!, 'well']])
  assert.equal(await futures[1_999], 'well')
  assert.equal(futures[2_000]!.status, 'error')
})

test('what is submitted behind a large map is sent behind it, and values are asked for after both', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const futures = client.map(
    double,
    Array.from({ length: 5_000 }, (_, i) => i),
  )
  const sum = client.submit((all: number[]) => all.length, futures)
  const value = sum.result()
  const [want] = await scheduler.until('want')
  const ids = scheduler.submitted
  assert.equal(ids.length, 5_001)
  assert.deepEqual(want!.tasks, [ids[5_000]])
  assert.deepEqual(scheduler.all('submit').at(-1)!.inputs, ids.slice(0, 5_000))
  scheduler.values([[ids[5_000]!, 5_000]])
  assert.equal(await value, 5_000)
})

test('a future that a waiting item needs is released only behind it', async () => {
  await using scheduler = await FakeScheduler.start()
  const { client } = scheduler
  const base = client.submit(double, 1)
  client.map(
    (x: number) => x,
    Array.from({ length: 2_000 }, () => base),
  )
  base.release()
  await scheduler.until('release')
  const [id] = scheduler.submitted
  assert.deepEqual(scheduler.released, [id])
  assert.equal(scheduler.all('submit').flatMap(({ inputs }) => inputs).length, 2_000)
  assert.equal(scheduler.messages.at(-1)!.type, 'release')
})

test('new ids are asked for at half of a lease', async () => {
  await using scheduler = await FakeScheduler.start({ leaseCount: 8 })
  for (let i = 0; i < 20; i++) {
    scheduler.client.submit(double, i)
    await scheduler.untilSubmitted(i + 1)
  }
  const arrays = scheduler.submitted.map(arrayOf)
  assert.deepEqual(
    arrays,
    Array.from({ length: 20 }, (_, i) => 100 + i),
  )
  assert.deepEqual(
    scheduler.messages
      .filter(({ type }) => type === 'ask-lease' || type === 'submit')
      .map(({ type }) => type)
      .indexOf('ask-lease'),
    3,
  )
  assert.equal(scheduler.all('ask-lease').length, 3)
})

test('with few ids left an array is filled over many turns, and nothing in it is released meanwhile', async () => {
  await using scheduler = await FakeScheduler.start({ leaseCount: 4, leases: 1 })
  const { client } = scheduler
  for (let i = 0; i < 8; i++) {
    const future = client.submit(double, i)
    await scheduler.untilSubmitted(i + 1)
    future.release()
    await nextTurn()
  }
  const ids = scheduler.submitted
  assert.deepEqual(ids.map(arrayOf), [100, 101, 102, 102, 102, 102, 102, 102])
  assert.deepEqual(ids.slice(2).map(indexOf), [0, 1, 2, 3, 4, 5])
  assert.deepEqual(scheduler.released, ids.slice(0, 2))

  scheduler.lease()
  while (arrayOf(scheduler.submitted.at(-1)!) === 102) {
    client.submit(double, 1)
    await scheduler.untilSubmitted(scheduler.submitted.length + 1)
  }
  await scheduler.until('release', 3)
  assert.deepEqual(scheduler.released, ids)
})

test('without any ids left, submitting throws and says what to do', async () => {
  await using scheduler = await FakeScheduler.start({ leaseCount: 2, leases: 1 })
  const { client } = scheduler
  assert.throws(() => client.map(double, new Array<number>(4_000).fill(1)), {
    code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
    message: /await some results before you submit more/,
  })
  client.map(double, new Array<number>(1_000).fill(1))
  await scheduler.untilSubmitted(1_000)
})
