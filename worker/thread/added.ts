/**
 * What is added to a batch while it runs. The thread looks for it when it has run all that it had, and else ends its batch; what was
 * added too late is never taken. So nobody has to know who was first: those tasks are unstarted, like others that were taken back.
 */
import type { BatchRequest } from './batch.js'

/**
 * Takes what was added behind these tasks from a queue that also has what came too late for batches that have ended. `next` takes the
 * oldest.
 */
export function takeAdded(next: () => BatchRequest | undefined, behind: BatchRequest): BatchRequest | undefined {
  for (let added = next(); added !== undefined; added = next()) if (isBehind(added, behind)) return added
  return undefined
}

/** Where something before it got lost it has no place either. */
function isBehind({ number, first }: BatchRequest, before: BatchRequest): boolean {
  return number === before.number && first === before.first + before.taskIds.length
}
