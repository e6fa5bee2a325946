/** What a worker tells of its log, and only while somebody looks. */
import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { LOGS_INTERVAL_MS, MAX_LINE_CHARACTERS, MAX_LINES_TOLD } from '../../protocol/limits.js'
import type { Logged } from '../../protocol/messages/runs.js'
import { LogRing } from '../../worker/log-ring.js'
import { LogWatch } from '../../worker/log-watch.js'

function start(context: TestContext) {
  context.mock.timers.enable({ apis: ['setTimeout'] })
  const ring = new LogRing()
  const sent: Logged[] = []
  const watch = new LogWatch({ ring, send: (message) => sent.push(message) })
  const print = (count: number, text = 'line'): void => {
    for (let n = 0; n < count; n++) ring.add({ atMs: n, level: 'info', text: `${text} ${n}`, task: 'f-1' })
  }
  const told = () => sent.splice(0).map(({ isBacklog, lines, leftOut }) => [isBacklog, lines.length, leftOut])
  return { watch, sent, told, print, pass: () => context.mock.timers.tick(LOGS_INTERVAL_MS) }
}

test('the last lines are told at once, and then what is new, together; nothing while nobody looks', (context) => {
  const { watch, sent, told, print, pass } = start(context)
  print(MAX_LINES_TOLD + 50)
  pass()
  assert.deepEqual(told(), [])
  watch.start()
  assert.deepEqual(told(), [[true, MAX_LINES_TOLD, 0]])
  print(3)
  assert.deepEqual(told(), [], 'what follows soon goes with it')
  pass()
  assert.deepEqual(sent[0]?.lines[2], { atMs: 2, level: 'info', text: 'line 2', task: 'f-1' })
  assert.deepEqual(told(), [[false, 3, 0]])
  pass()
  assert.deepEqual(told(), [], 'no line, no message')
  watch.stop()
  print(1)
  pass()
  assert.deepEqual(told(), [])
})

test('of too many lines the latest are told, and how many are missing; of a long line its beginning', (context) => {
  const { watch, sent, told, print, pass } = start(context)
  watch.start()
  print(5 * MAX_LINES_TOLD)
  pass()
  assert.equal(sent[0]?.lines.at(-1)?.text, `line ${5 * MAX_LINES_TOLD - 1}`)
  assert.deepEqual(told(), [[false, MAX_LINES_TOLD, 4 * MAX_LINES_TOLD]])
  print(1, 'x'.repeat(2 * MAX_LINE_CHARACTERS))
  pass()
  assert.equal(sent[0]?.lines[0]?.text.length, MAX_LINE_CHARACTERS + 2)
})
