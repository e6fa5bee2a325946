/** Sockets that lead through a switch: the frames come in order, and no more than a socket may hold is on its way. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { workerId, type TaskId } from '../../protocol/ids.js'
import { MAX_RELAY_BYTES } from '../../protocol/limits.js'
import type { FromSwitch, ToSwitch } from '../../protocol/messages/relay.js'
import { RelayPort } from '../../protocol/transport/relay.js'
import { ValueFetcher } from '../../protocol/transport/value-fetcher.js'
import type { Socket } from '../../protocol/transport/socket.js'
import { answerWithValues } from '../support/answer-with-values.js'

/** Two ports with a switch between them that lets later payloads overtake earlier ones. */
class Crossing {
  readonly asker: RelayPort
  readonly holder: RelayPort
  /** The most that was on its way in one direction. */
  maxOnItsWayBytes = 0
  isClosed = false
  #request = 0
  #waiting: (() => void)[] = []
  #onItsWayBytes = 0

  constructor(accept: (socket: Socket) => void) {
    this.asker = new RelayPort({
      link: this.#link(
        (message) => this.#fromAsker(message),
        () => this.holder,
      ),
    })
    this.holder = new RelayPort({
      link: this.#link(
        (message) => this.#fromHolder(message),
        () => this.asker,
      ),
      onSocket: accept,
    })
    this.asker.open()
    this.holder.open()
  }

  #link(onMessage: (message: ToSwitch) => void, other: () => RelayPort) {
    return {
      send: (message: ToSwitch): void => void setImmediate(() => onMessage(message)),
      sendPayload: (message: ToSwitch, payload: Uint8Array): void => {
        assert.ok(message.type === 'relay-frame')
        this.#onItsWayBytes += payload.length
        this.maxOnItsWayBytes = Math.max(this.maxOnItsWayBytes, this.#onItsWayBytes)
        this.#waiting.push(() => other().onPayload(message, payload))
        setImmediate(() => {
          // The last of those that came in one turn goes first.
          this.#waiting.pop()?.()
        })
      },
    }
  }

  #fromAsker(message: ToSwitch): void {
    if (message.type === 'open-relay') {
      this.#request = message.request
      this.holder.onMessage({ type: 'relay-offered', relay: 7, from: 'asker' })
    } else this.#pass(message, this.holder)
  }

  #fromHolder(message: ToSwitch): void {
    if (message.type === 'accept-relay') {
      this.asker.onMessage({ type: 'relay-opened', request: this.#request, relay: 7 })
    } else this.#pass(message, this.asker)
  }

  #pass(message: ToSwitch, to: RelayPort): void {
    if (message.type === 'relay-taken') {
      this.#onItsWayBytes -= message.sizeBytes
      to.onMessage(message)
    } else if (message.type === 'close-relay') {
      this.isClosed = true
      const closed: FromSwitch = { type: 'relay-closed', request: 0, relay: 7, reason: 'The other end closed it.' }
      this.asker.onMessage(closed)
      this.holder.onMessage(closed)
    }
  }
}

test('values come through whole, whatever overtakes what, and within the bound', async () => {
  const values = new Map<TaskId, Uint8Array>()
  const large = new Uint8Array(20_000_000)
  for (let i = 0; i < large.length; i += 997) large[i] = i % 251
  values.set(1 as TaskId, large)
  for (let i = 2; i < 2_000; i++) values.set(i as TaskId, new Uint8Array(500).fill(i % 251))
  const crossing = new Crossing((socket) => answerWithValues(socket, (task) => values.get(task)))
  const fetcher = new ValueFetcher({
    hello: { role: 'peer', name: 'asker', secret: 's' },
    dial: (holder, signal) => crossing.asker.dial(workerId(Number(holder)), signal),
  })
  const found = new Map<TaskId, Uint8Array>()
  let messages = 0
  await new Promise<void>((resolve, reject) => {
    const check = (): void => {
      if (found.size === values.size) resolve()
    }
    fetcher.fetch('3', [...values.keys()], {
      onValues: (tasks, packed) => {
        messages++
        tasks.forEach((task, i) => {
          const start = i === 0 ? 0 : packed.ends[i - 1]!
          found.set(task, packed.bytes.slice(start, packed.ends[i]))
        })
        check()
      },
      onLargeValue: (task, value) => {
        found.set(task, value)
        check()
      },
      onGone: (tasks) => reject(new Error(`gone: ${tasks.length}`)),
      onUnreachable: (_tasks, reason) => reject(new Error(reason)),
    })
  })
  assert.deepEqual(found.get(1 as TaskId), large)
  for (const [task, value] of values) assert.deepEqual(found.get(task)?.length, value.length)
  assert.ok(messages < 10, `${messages} messages`)
  assert.ok(crossing.maxOnItsWayBytes <= MAX_RELAY_BYTES, `${crossing.maxOnItsWayBytes} bytes were on their way`)
  fetcher.close()
  await new Promise<void>((resolve) => {
    const look = (): void => void (crossing.isClosed ? resolve() : setImmediate(look))
    look()
  })
})

test('a dial ends with the link, or when the scheduler says no', async () => {
  const sent: ToSwitch[] = []
  const port = new RelayPort({ link: { send: (message) => sent.push(message), sendPayload: () => undefined } })
  port.open()
  const signal = new AbortController().signal
  const refused = port.dial(workerId(1), signal)
  port.onMessage({ type: 'relay-closed', request: 1, relay: 0, reason: 'There is no worker 1.' })
  await assert.rejects(refused, /no worker 1/)
  const lost = port.dial(workerId(1), signal)
  port.close('The scheduler is gone.')
  await assert.rejects(lost, { code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE' })
  // Who does not serve values declines.
  port.onMessage({ type: 'relay-offered', relay: 3, from: 'w' })
  assert.deepEqual(sent.at(-1), { type: 'close-relay', relay: 3 })
})

test('a dial without a link is refused at once, and its place is free again; with the next link it goes', async () => {
  const sent: ToSwitch[] = []
  const port = new RelayPort({ link: { send: (message) => sent.push(message), sendPayload: () => undefined } })
  const fetcher = new ValueFetcher({
    hello: { role: 'peer', name: 'asker', secret: 's' },
    dial: (holder, signal) => port.dial(workerId(Number(holder)), signal),
    maxConnections: 1,
  })
  const fetch = (holder: string): Promise<string> =>
    new Promise((resolve) => {
      fetcher.fetch(holder, [1 as TaskId], {
        onValues: () => resolve('values'),
        onLargeValue: () => resolve('a value'),
        onGone: () => resolve('gone'),
        onUnreachable: (_tasks, reason) => resolve(reason),
      })
    })
  assert.match(await fetch('1'), /no connection to the scheduler yet/)
  port.open()
  port.close('The connection to the scheduler is gone.')
  assert.match(await fetch('1'), /is gone/)
  assert.match(await fetch('2'), /is gone/)
  assert.equal(fetcher.connectionCount, 0)
  assert.equal(sent.length, 0)

  port.open()
  const asked = fetch('3')
  const open = sent.find(({ type }) => type === 'open-relay')
  assert.ok(open?.type === 'open-relay' && open.holder === 3)
  port.onMessage({ type: 'relay-closed', request: open.request, relay: 0, reason: 'There is no worker 3.' })
  assert.match(await asked, /no worker 3/)
  fetcher.close()
})
