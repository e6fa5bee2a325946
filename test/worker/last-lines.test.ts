/** What a nanny is told of its worker's log. */
import assert from 'node:assert/strict'
import { setImmediate } from 'node:timers/promises'
import test from 'node:test'
import { MAX_LAST_LINES, MAX_LAST_LINE_LENGTH } from '../../protocol/limits.js'
import { LastLines } from '../../worker/last-lines.js'

test('the lines of a turn are told together, and only the last of them while the nanny does not listen', async () => {
  const told: (readonly string[])[] = []
  let listen = (): void => {}
  const lines = new LastLines((each) => {
    told.push(each)
    return new Promise((resolve) => (listen = resolve))
  })
  lines.add('one')
  lines.add('x'.repeat(MAX_LAST_LINE_LENGTH + 1))
  await setImmediate()
  assert.deepEqual(told, [['one', 'x'.repeat(MAX_LAST_LINE_LENGTH)]])
  for (let i = 1; i <= 2 * MAX_LAST_LINES; i++) lines.add(String(i))
  await setImmediate()
  assert.equal(told.length, 1)
  listen()
  await setImmediate()
  const last = Array.from({ length: MAX_LAST_LINES }, (_, i) => String(MAX_LAST_LINES + 1 + i))
  assert.deepEqual(told[1], last)
  listen()
  await setImmediate()
  lines.add('again')
  await setImmediate()
  assert.deepEqual(told[2], ['again'])
})
