/** Trees of calls: laid over each other by function, summed up, and kept small. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { emptyTree, mergeInto, nodesOf, prune, totalsOf, type CallNode } from '../../common/call-tree.js'

function call(name: string, selfUs: number, children: CallNode[] = []): CallNode {
  return { name, url: 'file:///tasks.js', line: 1, column: 1, selfUs, children }
}

function tree(...children: CallNode[]): CallNode {
  return { ...emptyTree(), children }
}

const figures = (root: CallNode): unknown[] => nodesOf(root).map(({ name, selfUs }) => [name, selfUs])

test('the same function, called in the same way, is one node', () => {
  const merged = tree(call('f', 1, [call('g', 2)]))
  mergeInto(merged, tree(call('f', 10, [call('g', 20), call('h', 5)]), call('g', 7)))
  assert.deepEqual(figures(merged), [
    ['(root)', 0],
    ['f', 11],
    ['g', 7],
    ['g', 22],
    ['h', 5],
  ])
  assert.equal(totalsOf(merged).get(merged), 45)
  const elsewhere = { ...call('f', 3), line: 9 }
  mergeInto(merged, tree(elsewhere))
  assert.equal(merged.children.filter(({ name }) => name === 'f').length, 2)
  mergeInto(merged, tree(elsewhere))
  assert.equal(elsewhere.selfUs, 3, 'what is merged is left as it was')
})

test('of many nodes those stay that took longest, and no time is lost', () => {
  const wide = tree(...Array.from({ length: 1_000 }, (_, i) => call(`f${i}`, i, [call('inner', 1)])))
  const before = totalsOf(wide).get(wide)
  prune(wide, 50)
  assert.ok(nodesOf(wide).length <= 2 * 50, `${nodesOf(wide).length} nodes`)
  assert.equal(totalsOf(wide).get(wide), before)
  assert.ok(wide.children.some(({ name }) => name === 'f999'))
  assert.ok(wide.children.some(({ name }) => name === '(other functions)'))
  const small = tree(call('f', 1))
  prune(small, 50)
  assert.deepEqual(figures(small), figures(tree(call('f', 1))))
})
