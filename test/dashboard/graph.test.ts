/** Where the boxes of a graph stand. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { layOut, pathOf, type Sizes } from '../../dashboard/model/graph.js'
import { Rng } from '../../common/rng.js'

const SIZES: Sizes = { width: 320, boxWidth: 100, boxHeight: 50, gap: 10, layerGap: 40 }
const nodesOf = (...inputs: readonly (readonly number[])[]) => inputs.map((each) => ({ inputs: each }))

test('each box stands below all that it takes values of, and a layer in the middle', () => {
  //  0   1
  //  | / |
  //    2   3
  const { places, arrows, height } = layOut(nodesOf([], [], [0, 1], [1]), SIZES)
  assert.deepEqual(places, [
    { x: 55, y: 0 },
    { x: 165, y: 0 },
    { x: 55, y: 90 },
    { x: 165, y: 90 },
  ])
  assert.deepEqual(arrows, [
    { from: 0, to: 2 },
    { from: 1, to: 2 },
    { from: 1, to: 3 },
  ])
  assert.equal(height, 140)
  assert.equal(pathOf(arrows[0]!, { places, arrows, height }, SIZES), 'M105 50 C105 70 105 70 105 90')
})

test('a layer follows the order of the one above, and takes another row when it is too long', () => {
  const crossed = layOut(nodesOf([], [], [1], [0]), SIZES)
  assert.ok(crossed.places[3]!.x < crossed.places[2]!.x)
  const { places, height } = layOut(nodesOf([], [], [], [], [0]), SIZES)
  assert.deepEqual(
    places.map(({ y }) => y),
    [60, 0, 0, 0, 150], // What has an arrow stands nearest to where it goes.
  )
  assert.equal(height, 200)
})

test('functions that call for themselves or for each other have their place, too', () => {
  const self = layOut(nodesOf([0]), SIZES)
  assert.deepEqual([self.places.length, self.arrows], [1, []])
  const circle = layOut(nodesOf([2], [0], [1]), SIZES)
  assert.equal(new Set(circle.places.map(({ y }) => y)).size, 3)
  assert.equal(circle.arrows.length, 3)
  assert.deepEqual(layOut([], SIZES), { places: [], arrows: [], height: 0 })
})

test('whatever the graph, no two boxes overlap, and all are within the drawing', () => {
  const rng = new Rng(6)
  for (let round = 0; round < 200; round++) {
    const count = rng.integer(1, 40)
    const nodes = Array.from({ length: count }, () => ({
      inputs: Array.from({ length: rng.integer(0, 3) }, () => rng.integer(0, count - 1)),
    }))
    const { places, height } = layOut(nodes, SIZES)
    places.forEach(({ x, y }, one) => {
      assert.ok(x >= 0 && x + SIZES.boxWidth <= SIZES.width && y + SIZES.boxHeight <= height)
      for (const other of places.slice(one + 1)) {
        assert.ok(Math.abs(other.x - x) >= SIZES.boxWidth || Math.abs(other.y - y) >= SIZES.boxHeight)
      }
    })
  }
  // A chain as long as there may be tasks.
  const chain = layOut(
    Array.from({ length: 10_000 }, (_, n) => ({ inputs: n === 0 ? [] : [n - 1] })),
    SIZES,
  )
  assert.equal(chain.places.at(-1)!.y, 9_999 * 90)
})
