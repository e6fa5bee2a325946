/** Which values a client fetches from workers at once, and which wait. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { LocatedValues } from '../../client/located-values.js'
import { arrayId, indexOf, taskId, type TaskId } from '../../protocol/ids.js'
import { fromHolder, toHolder, type FromHolder, type ToHolder } from '../../protocol/messages/peer.js'
import type { Connection, Handlers } from '../../protocol/transport/connection.js'
import { answer } from '../../protocol/transport/handshake.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import type { Socket } from '../../protocol/transport/socket.js'

const MIB = 2 ** 20
const task = (index: number): TaskId => taskId(arrayId(1), index)

/** Workers, named by a letter, that answer when the test says so. */
class Scene {
  readonly located = new LocatedValues(
    {
      name: 'test',
      dialHolder: (address) => Promise.resolve(this.#dial(address)),
      dialByRelay: () => Promise.reject(new Error('There are no relays here.')),
      isAwaited: (id) => !this.released.has(indexOf(id)),
      onValue: (id) => this.heard.push(`value ${indexOf(id)}`),
      onMissing: (id, holder) => this.heard.push(`${indexOf(id)} is not at ${holder}`),
      onNotPut: () => assert.fail('nothing is put'),
    },
    'secret',
  )
  readonly heard: string[] = []
  readonly released = new Set<number>()
  /** The places of tasks that were asked for and not answered, and how to answer them. */
  readonly owed = new Map<number, (isHeld: boolean) => void>()

  fetch(index: number, mib: number, worker: string): void {
    const where = { holders: [worker], workers: [worker.charCodeAt(0)] }
    this.located.fetch({ task: task(index), heldAs: task(index), sizeBytes: mib * MIB, ...where })
  }

  /** What workers were asked for and did not answer yet, once nothing goes on by itself any more. */
  async underWay(): Promise<number[]> {
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
    return [...this.owed.keys()]
  }

  answer(index: number, isHeld = true): void {
    this.owed.get(index)!(isHeld)
    this.owed.delete(index)
  }

  #dial(worker: string): Socket {
    const { left, right } = memoryPair({ left: 'client', right: worker })
    const handlers = (connection: Connection<FromHolder>): Handlers<ToHolder> => ({
      onMessages: (messages) => messages.forEach((message) => this.#onMessage(connection, message)),
      onClose: () => undefined,
    })
    answer({ socket: right, self: 'worker', admit: () => ({ incoming: toHolder, outgoing: fromHolder, handlers }) })
    return left
  }

  #onMessage(connection: Connection<FromHolder>, message: ToHolder): void {
    assert.ok(message.type === 'get-values')
    const { request, tasks } = message
    for (const id of tasks) {
      this.owed.set(indexOf(id), (isHeld) => {
        if (isHeld) connection.sendPayload({ type: 'large-value', request, task: id }, Uint8Array.of(1))
        else connection.send({ type: 'gone', request, tasks: [id] })
      })
    }
  }
}

test('no more bytes are under way at once than may be, from however many workers', async () => {
  const scene = new Scene()
  for (const [index, worker] of ['a', 'b', 'c', 'a'].entries()) scene.fetch(index, 100, worker)
  assert.deepEqual(await scene.underWay(), [0, 1])
  scene.answer(1)
  assert.deepEqual(await scene.underWay(), [0, 2])
  scene.answer(0)
  assert.deepEqual(await scene.underWay(), [2, 3])
  scene.answer(2)
  scene.answer(3)
  assert.deepEqual(await scene.underWay(), [])
  assert.deepEqual(scene.heard.toSorted(), ['value 0', 'value 1', 'value 2', 'value 3'])
  scene.located.close()
})

test('a value that is larger than all may be comes alone, and those behind it wait', async () => {
  const scene = new Scene()
  scene.fetch(0, 1, 'a')
  scene.fetch(1, 1_000, 'a')
  scene.fetch(2, 1, 'b')
  assert.deepEqual(await scene.underWay(), [0])
  scene.answer(0)
  assert.deepEqual(await scene.underWay(), [1])
  scene.answer(1)
  assert.deepEqual(await scene.underWay(), [2])
  scene.located.close()
})

test('a value that is missing makes room, and one that nobody awaits any more is not fetched', async () => {
  const scene = new Scene()
  for (const index of [0, 1, 2]) scene.fetch(index, 200, 'a')
  assert.deepEqual(await scene.underWay(), [0])
  scene.released.add(1)
  scene.answer(0, false)
  assert.deepEqual(await scene.underWay(), [2])
  assert.deepEqual(scene.heard, ['0 is not at a'])
  scene.located.close()
})
