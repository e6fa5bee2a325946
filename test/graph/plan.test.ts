/** From outputs to tasks in their order: what is culled, what becomes one task, and how much is held at a time. */
import assert from 'node:assert/strict'
import test, { suite } from 'node:test'
import { planGraph } from '../../client/graph/plan.js'
import { runUntil, STEP_SIZE, type Steps } from '../../client/graph/slices.js'
import { Rng } from '../../common/rng.js'
import { breadthFirst, call, namesOf, peakHeld, plan, reduce, type TestNode } from './nodes.js'

suite('order', () => {
  test('a reduction holds a result for each of its layers, where breadth first holds every leaf', () => {
    const leaves = Array.from({ length: 1_024 }, () => call('leaf'))
    const root = reduce(leaves, (a, b) => call('add', a, b))
    const planned = plan([root])
    const order = [...planned.order].map((task) => planned.node(task))
    assert.equal(order.length, 2_047)
    assert.equal(peakHeld(order, [root]), 12) // Ten of layers that wait for their other half, and a pair at work.
    assert.equal(peakHeld(breadthFirst([root]), [root]), 1_025)
  })

  test('a combiner comes right behind the last of its inputs', () => {
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => call(name))
    const root = call('abcd', call('ab', a!, b!), call('cd', c!, d!))
    assert.deepEqual(namesOf(plan([root])), ['a', 'b', 'ab', 'c', 'd', 'cd', 'abcd'])
  })

  test('the input that needs most room while it is made comes first', () => {
    const large = reduce(
      Array.from({ length: 8 }, (_, i) => call(`l${i}`)),
      (a, b) => call('+', a, b),
    )
    const root = call('root', call('small'), large)
    const planned = plan([root])
    assert.equal(namesOf(planned).at(-2), 'small')
    const order = [...planned.order].map((task) => planned.node(task))
    assert.equal(peakHeld(order, [root]), 5)
  })

  test('of two reductions over the same leaves, both use up a leaf before the next one comes', () => {
    const leaves = Array.from({ length: 256 }, () => call('load'))
    const sums = leaves.map((leaf) => call('sum', leaf))
    const counts = leaves.map((leaf) => call('count', leaf))
    const outputs = [reduce(sums, (a, b) => call('add', a, b)), reduce(counts, (a, b) => call('add', a, b))]
    const planned = plan(outputs)
    const order = [...planned.order].map((task) => planned.node(task))
    assert.ok(peakHeld(order, outputs) <= 24, `${peakHeld(order, outputs)} results are held`)
    assert.ok(peakHeld(breadthFirst(outputs), outputs) > 256)
  })

  test('inputs come before users, each call once, and outputs in their order, in any graph', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const { nodes, outputs } = randomGraph(new Rng(seed))
      for (const fuse of [false, true]) {
        const planned = plan(outputs, { fuse })
        const tasks = [...planned.order]
        const seen = new Set<TestNode>()
        for (const task of tasks) {
          for (const node of planned.callsOf(task)) {
            assert.ok(!seen.has(node), `seed ${seed}: ${node.name} comes twice`)
            for (const input of node.inputs)
              assert.ok(seen.has(input), `seed ${seed}: ${node.name} before ${input.name}`)
            seen.add(node)
          }
        }
        assert.deepEqual(seen, neededBy(outputs), `seed ${seed}`)
        const places = outputs.map((output) => tasks.indexOf(planned.numberOf(output)!))
        assert.deepEqual(
          places,
          [...places].sort((a, b) => a - b),
          `seed ${seed}: outputs are out of order`,
        )
        assert.ok(places.every((place) => place >= 0))
        assert.ok(seen.size <= nodes.length)
      }
    }
  })
})

suite('culling', () => {
  test('what no output needs is left out', () => {
    const used = call('used')
    call('beside', used)
    assert.deepEqual(namesOf(plan([call('output', used)])), ['used', 'output'])
  })
})

suite('fusing', () => {
  const fused = (...outputs: readonly TestNode[]): string[] => namesOf(plan(outputs, { fuse: true }))

  test('a linear chain is one task, with what it begins with', () => {
    const [a, b] = [call('a'), call('b')]
    assert.deepEqual(fused(call('format', call('round', call('add', a, b)))), ['a', 'b', 'add+round+format'])
  })

  test('what is asked for stays a task of its own, and begins the next chain', () => {
    const load = call('load')
    const clean = call('clean', load)
    assert.deepEqual(fused(clean, call('sum', clean)), ['load+clean', 'sum'])
  })

  test('what two calls need stays a task of its own', () => {
    const load = call('load')
    assert.deepEqual(fused(call('sum', load), call('count', load)), ['load', 'sum', 'count'])
  })

  test('calls that may not fuse do not', () => {
    const steps = planGraph(
      [call('b', call('x', call('a')))],
      ({ inputs }) => inputs,
      (one, other) => one.name < other.name,
    )
    const planned = runUntil(steps, Infinity, () => 0)!.result
    assert.deepEqual(namesOf(planned), ['a+x', 'b'])
  })

  test('a call that needs its input inside an argument is not fused', () => {
    assert.deepEqual(fused({ ...call('sum', call('load')), link: -1 }), ['load', 'sum'])
  })

  test('a very long chain is cut into tasks of bounded length', () => {
    let end = call('inc')
    for (let i = 1; i < 100_000; i++) end = call('inc', end)
    const planned = plan([end], { fuse: true })
    assert.equal(planned.order.length, 1_000)
    assert.ok([...planned.order].every((task) => planned.callsOf(task).length === 100))
  })
})

suite('slices', () => {
  /** Runs the steps with a clock that goes on by 1 a look, in turns of `turnMs`; counts the looks. */
  function inTurns<T>(steps: Steps<T>, turnMs: number): { result: T; turns: number; looks: number } {
    let looks = 0
    for (let turns = 1; ; turns++) {
      const done = runUntil(steps, looks + turnMs, () => (looks += 1))
      assert.ok(looks <= turns * turnMs, 'a turn went on past its deadline')
      if (done !== undefined) return { result: done.result, turns, looks }
    }
  }

  test('a plan is made in turns that end at their deadline, with bounded work between two looks at the clock', () => {
    const leaves = Array.from({ length: 20_000 }, () => call('leaf'))
    const all = [...leaves, ...Array.from({ length: 20_000 }, (_, i) => call('next', leaves[i]!))]
    let visits = 0
    let mostVisits = 0
    let previous = 0
    const inputsOf = ({ inputs }: TestNode): readonly TestNode[] => {
      visits += 1
      return inputs
    }
    const root = call('sum', ...all)
    const steps = planGraph([root], inputsOf, undefined)
    const watched = (function* (): Steps<number> {
      for (let step = steps.next(); ; step = steps.next()) {
        mostVisits = Math.max(mostVisits, visits - previous)
        previous = visits
        if (step.done === true) return step.value.order.length
        yield
      }
    })()
    const { result, turns, looks } = inTurns(watched, 5)
    assert.equal(result, 40_001)
    assert.ok(mostVisits <= STEP_SIZE, `${mostVisits} calls were visited between two looks`)
    assert.ok(looks >= 40_001 / STEP_SIZE, `the clock was looked at ${looks} times`)
    assert.ok(turns >= looks / 5)
  })

  test('a turn does one step at least, however late it is', () => {
    const steps = (function* (): Steps<string> {
      yield
      return 'done'
    })()
    assert.equal(
      runUntil(steps, 0, () => 100),
      undefined,
    )
    assert.deepEqual(
      runUntil(steps, 0, () => 100),
      { result: 'done' },
    )
  })
})

function randomGraph(random: Rng): { nodes: TestNode[]; outputs: TestNode[] } {
  const nodes: TestNode[] = []
  const count = 1 + random.integer(0, 40 - 1)
  for (let i = 0; i < count; i++) {
    const inputs = new Set<TestNode>()
    for (let n = random.integer(0, 4 - 1); n > 0 && i > 0; n--) inputs.add(nodes[random.integer(0, i - 1)]!)
    nodes.push(call(`n${i}`, ...inputs))
  }
  const outputs = nodes.filter(() => random.integer(0, 4 - 1) === 0)
  return { nodes, outputs: outputs.length === 0 ? [nodes.at(-1)!] : outputs }
}

function neededBy(outputs: readonly TestNode[]): Set<TestNode> {
  const needed = new Set(outputs)
  for (const node of needed) for (const input of node.inputs) needed.add(input)
  return needed
}
