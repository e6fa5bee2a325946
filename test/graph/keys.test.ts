/** Graphs by keys: what is wrong with one is said with the way there. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { KeyTable } from '../../client/graph/key-table.js'
import { resolveKeys } from '../../client/graph/resolve.js'
import { findInputs, IN_CLUSTER } from '../../client/graph/scan.js'
import { runToEnd } from '../../client/graph/slices.js'

/** Finds the calls in a graph that has for each key those that it needs, and gives the keys in the order they are made. */
function made(graph: Readonly<Record<string, readonly string[]>>, ...keys: readonly string[]): string[] {
  const order: string[] = []
  const steps = resolveKeys<string>(
    {
      has: (key) => Object.hasOwn(graph, key),
      inputsOf: (key) => graph[key]!,
      make: (key, inputs) => {
        assert.deepEqual(inputs, graph[key])
        order.push(key)
        return key
      },
    },
    keys,
  )
  runToEnd(steps)
  return order
}

test('calls are made once each, inputs first, and none that is not needed', () => {
  assert.deepEqual(made({ d: ['b', 'c'], c: ['a'], b: ['a'], a: [], x: ['a'] }, 'd', 'b'), ['a', 'b', 'c', 'd'])
})

test('a missing key is named with the way to it', () => {
  assert.throws(() => made({ sum: ['mean'], mean: ['load-3'] }, 'sum'), {
    name: 'GraphError',
    code: 'ERR_HEDDLE_GRAPH',
    message:
      'The graph has no "load-3", which is needed: "sum" → "mean" → "load-3"; add it, or correct the ref() to it.',
  })
  assert.throws(() => made({}, 'sum'), { name: 'GraphError', message: /^"sum" is asked for and not in the graph/ })
})

test('a name that every object has is no key', () => {
  assert.throws(() => made({ a: ['toString'] }, 'a'), { name: 'GraphError', message: /no "toString"/ })
})

test('a cycle is named all around, without the way to it', () => {
  const message = 'The graph has a cycle: "b" → "c" → "b"; each needs the next one, so none can be the first to run.'
  assert.throws(() => made({ a: ['x', 'b'], x: [], b: ['c'], c: ['b'] }, 'a'), { name: 'GraphError', message })
  assert.throws(() => made({ a: ['a'] }, 'a'), { name: 'GraphError', message: /"a" → "a";/ })
})

test('a long way is named with its ends, and no depth is too much', () => {
  const graph: Record<string, string[]> = {}
  for (let i = 0; i < 50_000; i++) graph[`k${i}`] = [`k${i + 1}`]
  assert.throws(() => made(graph, 'k0'), { message: /"k9" → … 49981 more … → "k49991" → .*"k49999" → "k50000";/ })
  graph['k50000'] = []
  assert.equal(made(graph, 'k0').length, 50_001)
})

test('a table finds what was put under each of many keys', () => {
  const table = new KeyTable<number>()
  for (let i = 0; i < 5_000; i++) table.set(`key-${i}`, i)
  table.set('key-7', 70)
  assert.equal(table.get('key-7'), 70)
  assert.equal(table.get('key-4999'), 4_999)
  assert.equal(table.get('key-5000'), undefined)
})

class Call {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
}

const lookUp = (object: object): Call | typeof IN_CLUSTER | undefined =>
  object instanceof Call ? object : object instanceof Promise ? IN_CLUSTER : undefined

test('calls are found at any depth of arrays, objects, Maps and Sets, each once', () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => new Call(name))
  const circle: Record<string, unknown> = { c, none: null, text: 'x' }
  circle['itself'] = circle
  const args = [a, [a, { deep: [b] }], new Map<unknown, unknown>([[new Set([d]), circle]])]
  assert.deepEqual(new Set(findInputs(args, lookUp).inputs), new Set([a, b, c, d]))
})

test('a call is linked to the only one that it needs, if that is an argument by itself', () => {
  const a = new Call('a')
  assert.equal(findInputs([1, a, 'x'], lookUp).link, 1)
  assert.equal(findInputs([1, [a]], lookUp).link, -1)
  assert.equal(findInputs([a, a], lookUp).link, -1)
  assert.equal(findInputs([a, Promise.resolve()], lookUp).link, -1)
  assert.equal(findInputs([Promise.resolve()], lookUp).link, -1)
  assert.equal(findInputs([], lookUp).link, -1)
})
