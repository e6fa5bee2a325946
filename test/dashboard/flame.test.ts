/** The flame graph of a profile: where each function stands, and how much it takes. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { byFunction, framesOf, placeOf, type CalledFunction } from '../../dashboard/model/flame.js'

const called = (name: string, parent: number, selfMs: number, totalMs: number): CalledFunction => {
  return { name, url: 'file:///app/src/photos.js', line: 3, parent, selfMs, totalMs }
}
/** The root calls resize (60 of 100) and index (40); resize calls decode (50); index calls decode (10). */
const NODES = [
  called('(root)', 0, 0, 100),
  called('index', 0, 30, 40),
  called('resize', 0, 10, 60),
  called('decode', 1, 10, 10),
  called('decode', 2, 50, 50),
]
const drawn = (top: number, leastShare = 0) =>
  framesOf(NODES, top, leastShare)
    .map(({ node, depth, from, share }) => [node, depth, Math.round(from * 100), Math.round(share * 100)])
    .sort((a, b) => a[1]! - b[1]! || a[2]! - b[2]!)

test('what was called stands below its caller, what took longest first', () => {
  assert.deepEqual(drawn(0), [
    [0, 0, 0, 100],
    [2, 1, 0, 60],
    [1, 1, 60, 40],
    [4, 2, 0, 50],
    [3, 2, 60, 10],
  ])
})

test('a chosen function takes the whole width, below its callers', () => {
  assert.deepEqual(drawn(1), [
    [0, 0, 0, 100],
    [1, 1, 0, 100],
    [3, 2, 0, 25],
  ])
})

test('what is too narrow to be seen is left out, with what it called', () => {
  assert.deepEqual(
    drawn(0, 0.45).map(([node]) => node),
    [0, 2, 4],
  )
})

test('each function is told once, with its own time, and where it is', () => {
  assert.deepEqual(
    byFunction(NODES).map(({ name, selfMs }) => [name, selfMs]),
    [
      ['decode', 60],
      ['index', 30],
      ['resize', 10],
    ],
  )
  assert.equal(placeOf(NODES[1]!), 'src/photos.js:3')
  assert.equal(placeOf({ url: '', line: 0 }), 'not JavaScript')
  assert.equal(placeOf({ url: `file:///tmp/x/code/${'a'.repeat(64)}.mjs`, line: 2 }), 'code that a client sent:2')
})
