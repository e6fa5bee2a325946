/** How often a task may report: a few times at once, then now and then, and the latest always counts. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, taskId } from '../../protocol/ids.js'
import { MAX_NOTE_LENGTH, REPORT_BURST, REPORT_INTERVAL_MS } from '../../protocol/limits.js'
import { Reporter } from '../../worker/thread/reporter.js'
import type { ThreadMessage } from '../../worker/thread/thread-message.js'
import { eventually } from '../support/eventually.js'

type Report = Extract<ThreadMessage, { readonly type: 'report' }>

function reporter() {
  const told: Report[] = []
  const made = new Reporter({
    taskId: taskId(arrayId(1), 0),
    attempt: 2,
    tell: (message) => {
      if (message.type === 'report') told.push(message)
    },
  })
  return { told, made }
}

test('a loop that reports all the time is heard a few times, and its last word in the end', async () => {
  const { told, made } = reporter()
  const startedAtMs = performance.now()
  for (let i = 0; i < 100_000; i++) made.report(i / 100_000, `row ${i}`)
  const most = REPORT_BURST + (performance.now() - startedAtMs) / REPORT_INTERVAL_MS + 1
  assert.ok(told.length >= REPORT_BURST && told.length <= most, `${told.length} reports left`)
  assert.deepEqual(told[0], { type: 'report', task: told[0]!.task, attempt: 2, fraction: 0, note: 'row 0' })
  await eventually('the last report leaves', () => told.at(-1)!.note === 'row 99999')
})

test('what is no fraction is refused, and a long note is cut', () => {
  const { told, made } = reporter()
  for (const wrong of [-0.1, 1.1, NaN, '0.5', undefined]) {
    assert.throws(() => made.report(wrong, ''), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  }
  assert.throws(() => made.report(0.5, 5), { code: 'ERR_HEDDLE_INVALID_OPTION' })
  made.report(1, 'x'.repeat(MAX_NOTE_LENGTH * 2))
  assert.equal(told[0]!.note.length, MAX_NOTE_LENGTH)
})
