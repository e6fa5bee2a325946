/** Connections that only look: each question has its answer at once, and whatever would change something is refused. */
import type { HeddleError } from '../protocol/errors.js'
import type { ClientToScheduler, SchedulerToClient } from '../protocol/messages/client.js'
import type { Connection } from '../protocol/transport/connection.js'
import type { SchedulerMachine } from './core/machine.js'
import type { Sessions } from './sessions.js'

export function answerViewer(
  machine: Pick<SchedulerMachine, 'statusOf' | 'explain'>,
  sessions: Pick<Sessions, 'nowMs' | 'askWorkers'>,
  connection: Connection<SchedulerToClient>,
  message: ClientToScheduler,
): void {
  const { nowMs } = sessions
  switch (message.type) {
    case 'ask-status':
      connection.send({ type: 'status', request: message.request, status: machine.statusOf(nowMs) })
      break
    case 'ask-explanation': {
      const { request, task, key } = message
      connection.send({ type: 'explained', request, explanation: machine.explain(nowMs, task, key) })
      break
    }
    case 'ask-workers': {
      const { request, subject, workers } = message
      sessions.askWorkers({ about: subject, workers }).then(
        (told) => {
          if (told !== undefined) connection.send({ type: 'workers-told', request, ...told })
        },
        (error: unknown) => {
          const { code, message: reason } = error as HeddleError
          connection.close({ code, message: reason })
        },
      )
      break
    }
    default: {
      const reason = `A viewer may only look, and said "${message.type}"; connect as a client to do that.`
      connection.close({ code: 'ERR_HEDDLE_AUTHENTICATION', message: reason })
    }
  }
}
