/** Connections that only look: each question has its answer at once, and whatever would change something is refused. */
import type { ClientToScheduler, SchedulerToClient } from '../protocol/messages/client.js'
import type { Connection } from '../protocol/transport/connection.js'
import type { SchedulerMachine } from './core/machine.js'

export function answerViewer(
  machine: Pick<SchedulerMachine, 'statusOf' | 'explain'>,
  nowMs: number,
  connection: Connection<SchedulerToClient>,
  message: ClientToScheduler,
): void {
  switch (message.type) {
    case 'ask-status':
      connection.send({ type: 'status', request: message.request, status: machine.statusOf(nowMs) })
      break
    case 'ask-explanation': {
      const { request, task, key } = message
      connection.send({ type: 'explained', request, explanation: machine.explain(nowMs, task, key) })
      break
    }
    default: {
      const reason = `A viewer may only look, and said "${message.type}"; connect as a client to do that.`
      connection.close({ code: 'ERR_HEDDLE_AUTHENTICATION', message: reason })
    }
  }
}
