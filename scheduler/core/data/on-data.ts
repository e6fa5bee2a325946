/** What clients ask about data and workers as a whole. Answers that need time are given by those who do the work. */
import { unreachable } from '../../../common/assert.js'
import { arrayOf, indexOf, type TaskId } from '../../../protocol/ids.js'
import type { DataCall } from '../../../protocol/messages/data.js'
import type { ClientRecord } from '../clients/client-record.js'
import { onOpenDataset, onPublish, unpublish } from './datasets.js'
import { onRetireWorkers } from '../workers/leaving.js'
import { onRebalance } from './rebalance.js'
import { onRestart } from '../workers/restart.js'
import { outboxOf, type SchedulerState } from '../state.js'

/** Returns what is wrong with the message, or `undefined` when it was taken. */
export function onDataCall(state: SchedulerState, client: ClientRecord, message: DataCall): string | undefined {
  switch (message.type) {
    case 'who-has': {
      const workers = message.tasks.map((id) => namesOfHolders(state, id))
      outboxOf(state, client).add({ type: 'held-by', request: message.request, workers })
      break
    }
    case 'publish':
      onPublish(state, client, message)
      break
    case 'open-dataset':
      return onOpenDataset(state, client, message)
    case 'unpublish': {
      const wasThere = unpublish(state, message.name)
      outboxOf(state, client).add({ type: 'unpublished', request: message.request, wasThere })
      break
    }
    case 'list-datasets': {
      const names = [...state.datasets.keys()]
      outboxOf(state, client).add({ type: 'datasets', request: message.request, names })
      break
    }
    case 'rebalance':
      onRebalance(state, client, message.request)
      break
    case 'retire-workers':
      onRetireWorkers(state, client, message)
      break
    case 'restart':
      onRestart(state, client, message)
      break
    default:
      unreachable(message)
  }
  return undefined
}

/** The client is gone, and will not be answered. */
export function forgetDataCalls(state: SchedulerState, client: ClientRecord): void {
  for (const each of state.retirements) if (each.client === client) state.retirements.delete(each)
  for (const each of state.restarts) if (each.client === client) state.restarts.delete(each)
  if (state.rebalance === undefined) return
  const { relocation, askers } = state.rebalance
  state.rebalance = { relocation, askers: askers.filter((asker) => asker.client !== client) }
}

function namesOfHolders(state: SchedulerState, id: TaskId): string[] {
  const value = state.arrays.get(arrayOf(id))?.tasks[indexOf(id)]?.state
  return value?.type === 'in-memory' ? value.holders.map(({ join }) => join.name) : []
}
