/** Who may exchange values through the scheduler, and when. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { clientId, workerId, type ClientId } from '../../protocol/ids.js'
import { MAX_RELAYS, MAX_RELAYS_PER_MEMBER } from '../../protocol/limits.js'
import { SchedulerHarness, type TestWorker } from '../support/scheduler-harness.js'

test('a relay is there once its holder has accepted it, and gone for both when one end closes it', () => {
  const scheduler = new SchedulerHarness()
  const holder = scheduler.worker()
  const asker = scheduler.worker()
  asker.send({ type: 'open-relay', request: 5, holder: holder.id })
  const offered = holder.take('relay-offered')
  assert.equal(offered.from, 'w2')
  assert.ok(!asker.unread.includes('relay-opened'))
  assert.deepEqual(scheduler.takeOrder('connect-relay'), {
    type: 'connect-relay',
    relay: offered.relay,
    asker: { type: 'worker', id: asker.id },
    holder: holder.id,
  })

  holder.send({ type: 'accept-relay', relay: offered.relay })
  assert.deepEqual(asker.take('relay-opened'), { type: 'relay-opened', request: 5, relay: offered.relay })

  asker.send({ type: 'close-relay', relay: offered.relay })
  assert.equal(holder.take('relay-closed').relay, offered.relay)
  assert.equal(asker.take('relay-closed').relay, offered.relay)
  assert.equal(scheduler.takeOrder('cut-relay').relay, offered.relay)
  assert.equal(scheduler.state.relays.size, 0)
})

test('a relay to a worker that is gone is refused, and one whose holder goes is closed', () => {
  const scheduler = new SchedulerHarness()
  const holder = scheduler.worker()
  const client = scheduler.client()
  client.send({ type: 'open-relay', request: 1, holder: workerId(99) })
  assert.match(client.take('relay-closed').reason, /no worker 99/)

  client.send({ type: 'open-relay', request: 2, holder: holder.id })
  holder.leave()
  const { request, relay } = client.take('relay-closed')
  assert.deepEqual([request, relay], [2, 0])
  assert.equal(scheduler.state.relays.size, 0)
})

test('a client takes its relays along', () => {
  const scheduler = new SchedulerHarness()
  const holder = scheduler.worker()
  const client = scheduler.client()
  client.send({ type: 'open-relay', request: 1, holder: holder.id })
  client.leave()
  assert.equal(holder.take('relay-closed').relay, holder.take('relay-offered').relay)
  assert.equal(scheduler.state.relays.size, 0)
})

for (const isSeen of [true, false]) {
  test(`a client that comes back has as many relays as before${isSeen ? '' : ', though its old connection was not seen to end'}`, () => {
    const scheduler = new SchedulerHarness({ keepsState: true })
    const holder = scheduler.worker()
    const client = scheduler.client('client')
    const open = (id: ClientId, request: number): void => {
      scheduler.turn({
        type: 'client-message',
        client: id,
        message: { type: 'open-relay', request, holder: holder.id },
      })
    }
    for (let request = 1; request <= MAX_RELAYS_PER_MEMBER; request++) open(client.id, request)
    for (let i = 0; i < MAX_RELAYS_PER_MEMBER; i++) holder.take('relay-offered')

    if (isSeen) scheduler.turn({ type: 'client-left', client: client.id, isFinal: false })
    const again = clientId(50)
    scheduler.turn({ type: 'client-joined', client: again, name: 'client', session: 'session of client' })
    for (let i = 0; i < MAX_RELAYS_PER_MEMBER; i++) holder.take('relay-closed')

    for (let request = 11; request <= 10 + MAX_RELAYS_PER_MEMBER; request++) {
      open(again, request)
      const { relay } = holder.take('relay-offered')
      holder.send({ type: 'accept-relay', relay })
      assert.deepEqual(scheduler.takeFor(again, 'relay-opened'), { type: 'relay-opened', request, relay })
    }
  })
}

test('nobody closes or accepts the relays of others', () => {
  const scheduler = new SchedulerHarness()
  const holder = scheduler.worker()
  const asker = scheduler.worker()
  const stranger = scheduler.worker()
  asker.send({ type: 'open-relay', request: 1, holder: holder.id })
  const { relay } = holder.take('relay-offered')
  scheduler.skip()
  stranger.send({ type: 'accept-relay', relay }, { type: 'close-relay', relay })
  asker.send({ type: 'accept-relay', relay })
  scheduler.expectSilence()
})

test('only so many relays are open at once: the others wait their turn', () => {
  const scheduler = new SchedulerHarness()
  const holder = scheduler.worker()
  const askers: TestWorker[] = []
  for (let i = 0; i * MAX_RELAYS_PER_MEMBER <= MAX_RELAYS; i++) askers.push(scheduler.worker())
  for (const asker of askers) {
    for (let request = 1; request <= MAX_RELAYS_PER_MEMBER; request++) {
      asker.send({ type: 'open-relay', request, holder: holder.id })
    }
  }
  const offers = holder.unread.filter((type) => type === 'relay-offered').length
  assert.equal(offers, MAX_RELAYS)
  assert.equal(scheduler.state.waitingRelays.size, MAX_RELAYS_PER_MEMBER)

  const { relay } = holder.take('relay-offered')
  scheduler.skip()
  askers[0]!.send({ type: 'close-relay', relay })
  assert.equal(holder.take('relay-offered').from, askers.at(-1)!.join.name)
  assert.equal(scheduler.state.waitingRelays.size, MAX_RELAYS_PER_MEMBER - 1)
})

test('a member that asks for one too many waits until another of its relays has ended; there is a limit to that too', () => {
  const scheduler = new SchedulerHarness()
  const holder = scheduler.worker()
  const asker = scheduler.worker()
  for (let request = 1; request <= 2 * MAX_RELAYS_PER_MEMBER; request++) {
    asker.send({ type: 'open-relay', request, holder: holder.id })
  }
  const offers = (): number => holder.unread.filter((type) => type === 'relay-offered').length
  assert.equal(offers(), MAX_RELAYS_PER_MEMBER)
  assert.deepEqual(
    asker.unread.filter((type) => type === 'relay-closed'),
    [],
  )
  asker.send({ type: 'open-relay', request: 9, holder: holder.id })
  const refused = asker.take('relay-closed')
  assert.deepEqual([refused.request, refused.relay], [9, 0])
  assert.match(refused.reason, /which is the limit/)

  // The others of the cluster are not kept waiting by that.
  const other = scheduler.worker()
  other.send({ type: 'open-relay', request: 1, holder: holder.id })
  assert.equal(offers(), MAX_RELAYS_PER_MEMBER + 1)

  const { relay } = holder.take('relay-offered')
  holder.send({ type: 'accept-relay', relay }, { type: 'close-relay', relay })
  assert.equal(offers(), MAX_RELAYS_PER_MEMBER + 1)
  asker.leave()
  assert.equal(scheduler.state.relays.size, 1)
})
