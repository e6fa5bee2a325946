import assert from 'node:assert/strict'
import test from 'node:test'
import type { Connection } from '../../protocol/transport/connection.js'
import type { ClientToScheduler } from '../../protocol/messages/client.js'
import { arrayId } from '../../protocol/ids.js'
import { NO_NEEDS } from '../../protocol/messages/needs.js'
import { NO_RULES } from '../../protocol/messages/rules.js'
import { Leases } from '../../client/leases.js'
import { MapSlice } from '../../client/map-slice.js'
import { Outgoing } from '../../client/outgoing.js'
import { NO_CONSTANTS, type Template } from '../../client/template.js'
import { Templates } from '../../client/templates.js'

const PLAIN = { name: undefined, priority: 0, outputs: 0, needs: NO_NEEDS, rules: NO_RULES, pure: false }

test('of too many templates the one that was not used for longest is given up', () => {
  const closed: Template[] = []
  const templates = new Templates((template) => closed.push(template), undefined)
  const twice = (x: number): number => x * 2
  const made = Array.from({ length: 1_000 }, (_, i) => templates.of(twice, { ...PLAIN, name: `name ${i}` }))
  assert.equal(templates.of(twice, { ...PLAIN, name: 'name 0' }), made[0])
  const plain = templates.of(twice, PLAIN)
  assert.deepEqual(closed, [made[1]])
  for (let i = 2; i < 1_000; i++) {
    templates.of(twice, { ...PLAIN, name: `more ${i}` })
    assert.equal(templates.of(twice, PLAIN), plain)
  }
  assert.deepEqual(closed, made.slice(1))
  assert.equal(made[0]!.isClosed, false)
})

test('templates of code that is not to be had count no submission any more', async () => {
  const sent: ClientToScheduler[] = []
  const connection = { queuedBytes: 0, send: (message: ClientToScheduler) => sent.push(message) }
  const leases = new Leases(() => undefined)
  leases.add(arrayId(1), 100)
  const outgoing = new Outgoing(connection as unknown as Connection<ClientToScheduler>, leases, new Map())
  const source = { name: 'broken', state: { type: 'failed', error: new Error('no bundle') } } as const
  const templates = new Templates(() => undefined, undefined)
  const make = (name: string): Template => {
    const template = templates.forOneMap(() => 1, { ...PLAIN, name }, NO_CONSTANTS)
    return { ...template, source }
  }
  const [one, other, large] = [make('one'), make('other'), make('large')]
  for (const template of [one, other, one]) {
    const open = outgoing.openFor(template)
    open.tasks.addWithout([])
    open.addRun(template, 1)
    open.array.add(1, template, { line: undefined } as never)
  }
  assert.deepEqual([one.unsent, other.unsent], [2, 1])
  outgoing.beginSlices(1)
  const array = outgoing.newArray()
  outgoing.addSlice(new MapSlice({} as never, array, large, { values: [1, 2], are: 'item' }, 0))
  array.add(2, large, { line: undefined } as never)
  assert.equal(large.unsent, 1)

  await new Promise((resolve) => setImmediate(resolve))
  assert.deepEqual([one.unsent, other.unsent, large.unsent], [0, 0, 0])
  assert.deepEqual(sent, [])
})
