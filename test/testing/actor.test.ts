/** Who runs in a simulation: processes, and threads of theirs that come and go. */
import assert from 'node:assert/strict'
import inspector from 'node:inspector'
import test from 'node:test'
import { locate } from '../../client/capture/inspector.js'
import { Rng } from '../../common/rng.js'
import { Actor, type World } from '../../testing/actor.js'
import { Agenda } from '../../testing/agenda.js'
import { realTurn, useVirtualGlobals } from '../../testing/virtual-globals.js'

function newWorld(): World {
  return {
    agenda: new Agenda(),
    seed: 1,
    rng: new Rng(1),
    areDelayed: false,
    onUncaught: (error) => {
      throw error
    },
  }
}

/** Counts who wants to hear of its death. */
class CountingActor extends Actor {
  watchers = 0

  override onDeath(hear: () => void): () => void {
    this.watchers++
    const forget = super.onDeath(hear)
    return () => {
      this.watchers--
      forget()
    }
  }
}

test('a process forgets its threads when they end, and ends those that it has', () => {
  const world = newWorld()
  const process = new CountingActor('worker', world)
  const threads = Array.from({ length: 3 }, (_, i) => new Actor(`thread ${i}`, world, process))
  for (const thread of threads.slice(0, 2)) thread.kill()
  assert.equal(process.watchers, 1)
  let heard = 0
  threads[2]!.onDeath(() => heard++)
  process.kill()
  assert.deepEqual([threads[2]!.isDead, heard], [true, 1])
})

test('what one is to do does not happen once it is dead', () => {
  const world = newWorld()
  const [one, other] = [new Actor('one', world), new Actor('other', world)]
  const done: string[] = []
  for (const actor of [one, other]) actor.in(1, () => done.push(actor.name))
  one.kill()
  world.agenda.runToEnd(10)
  assert.deepEqual(done, ['other'])
})

test('what V8 is asked with is closed though who asked has died', async (t) => {
  using _virtual = useVirtualGlobals()
  await realTurn()
  const connected = t.mock.method(inspector.Session.prototype, 'connect')
  const disconnected = t.mock.method(inspector.Session.prototype, 'disconnect')
  const actor = new Actor('one', newWorld())
  assert.ok(actor.run(() => locate(() => 1)))
  actor.kill()
  await realTurn()
  assert.deepEqual([connected.mock.callCount(), disconnected.mock.callCount()], [1, 1])
})
