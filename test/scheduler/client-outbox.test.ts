/** What a client is told in one message after another, of what happened in one turn. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { arrayId, taskId } from '../../protocol/ids.js'
import { ClientOutbox } from '../../scheduler/core/clients/client-outbox.js'
import { refusal } from '../../scheduler/core/tasks/outcome.js'

test('outcomes that were, in one turn, told, given up and asked for again are told in that order', () => {
  const outbox = new ClientOutbox()
  const [first, second] = [taskId(arrayId(1), 0), taskId(arrayId(1), 1)]
  outbox.addValue(first, Uint8Array.of(7), 0, 1)
  outbox.addFinished(second)
  for (const task of [first, second]) outbox.addFailed(task, refusal('ERR_HEDDLE_TASK_CANCELLED', 'restarted'))
  outbox.addRetried([first, second])
  outbox.addFinished(second)
  assert.ok(outbox.hasNews && !outbox.hasOnlyNews)
  assert.deepEqual(
    outbox.take().map(({ type }) => type),
    ['values', 'finished', 'failed', 'failed', 'retried', 'finished'],
  )
  assert.ok(!outbox.hasNews)
  assert.deepEqual(outbox.take(), [])
})
