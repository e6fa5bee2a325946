/** The client of the tasks of a thread loses its scheduler: those whose children it has begin again, and nobody else. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { TaskClients } from '../../client/in-task.js'
import type { TaskParent } from '../../client/parent.js'
import { arrayId, attempt, taskId } from '../../protocol/ids.js'
import { clientToScheduler, schedulerToClient, type SchedulerToClient } from '../../protocol/messages/client.js'
import type { Connection } from '../../protocol/transport/connection.js'
import { answer } from '../../protocol/transport/handshake.js'
import type { LinkContract } from '../../protocol/transport/link.js'
import { memoryPair } from '../../protocol/transport/memory.js'

/** Notes what becomes of it. */
class Parent implements TaskParent {
  readonly task = taskId(arrayId(1), 0)
  readonly attempt = attempt(1)
  readonly depth = 1
  readonly priority = 0
  isOver = false
  waits = 0
  orphanedAt: number | undefined
  #calls = 0

  takeCalls(count: number): number {
    return (this.#calls += count) - count
  }

  beginWait(): void {
    this.waits++
  }

  endWait(): void {
    this.waits--
  }

  orphan(): void {
    assert.equal(this.orphanedAt, undefined, 'once')
    this.orphanedAt = this.waits
  }
}

/** Clients of a scheduler that takes what is said, and the connections that they opened. */
function clientsOf(): { readonly clients: TaskClients; readonly opened: Promise<Connection<SchedulerToClient>>[] } {
  const opened: Promise<Connection<SchedulerToClient>>[] = []
  let nextArray = 1_000
  const clients = new TaskClients({
    address: 'ws://fake:1',
    token: undefined,
    tls: undefined,
    worker: 'w1',
    takeArrayIds: () => ({ first: arrayId((nextArray += 10)), count: 10 }),
    dialScheduler: () => {
      const pair = memoryPair({ left: 'task', right: 'scheduler' })
      opened.push(
        new Promise((resolve) => {
          const handlers = (connection: Connection<SchedulerToClient>) => {
            resolve(connection)
            return { onMessages: () => undefined, onClose: () => undefined }
          }
          const contract = { incoming: clientToScheduler, outgoing: schedulerToClient, handlers }
          answer({ socket: pair.right, self: 'scheduler', admit: () => contract as LinkContract<unknown, unknown> })
        }),
      )
      return Promise.resolve(pair.left)
    },
  })
  return { clients, opened }
}

test('a lost connection has parents begin again before they hear of it; the next one gets another', async () => {
  const { clients, opened } = clientsOf()
  const [waiting, idle] = [new Parent(), new Parent()]
  const child = clients.clientOf(waiting).submit((x: number) => x, 1)
  clients.clientOf(idle)
  const failed = assert.rejects(Promise.resolve(child), { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE' })
  const [first] = await Promise.all(opened)
  assert.equal(waiting.waits, 1)
  first!.close({ code: 'ERR_HEDDLE_CLOSED', message: 'The scheduler was stopped.' })
  await failed
  assert.deepEqual([waiting.orphanedAt, waiting.waits], [1, 0])
  assert.equal(idle.orphanedAt, 0)

  const later = new Parent()
  clients.clientOf(later)
  assert.equal(opened.length, 2)
  assert.equal(later.orphanedAt, undefined)
  const second = await opened[1]!
  second.close({ code: 'closed', message: 'The test is over.' })
  await second.closed
})

test('what the scheduler refuses is for the task to hear: it would be refused again', async () => {
  const { clients, opened } = clientsOf()
  const parent = new Parent()
  const child = clients.clientOf(parent).submit((x: number) => x, 1)
  const failed = assert.rejects(Promise.resolve(child), { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE' })
  const [connection] = await Promise.all(opened)
  connection!.close({ code: 'ERR_HEDDLE_PROTOCOL', message: 'It makes no sense.' })
  await failed
  assert.deepEqual([parent.orphanedAt, parent.waits], [undefined, 0])
})
