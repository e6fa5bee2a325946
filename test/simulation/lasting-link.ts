/**
 * A simulated client's connection, which comes back when it is lost, as client/lasting-connection.ts does it: what must not be
 * lost is said again until it is acknowledged. Where nothing is kept, or before the client was let in, the first is the last.
 */
import assert from 'node:assert/strict'
import type { Rng } from '../../common/rng.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { isKept } from '../../protocol/messages/kept.js'
import { Unacknowledged } from '../../client/unacknowledged.js'
import type { Connection } from './simulated-scheduler.js'
import type { World } from './world.js'

export type Lease = SchedulerToClient & { readonly type: 'lease' }

export interface LastingLinkOptions {
  readonly world: World
  readonly rng: Rng
  readonly name: string
  readonly onMessage: (message: SchedulerToClient) => void
  /** The connection is gone, and is being had again. */
  readonly onLost: () => void
  /** It is there again, and what must not be lost has been said. */
  readonly onReturned: () => void
}

export class LastingLink {
  readonly #options: LastingLinkOptions
  readonly #unacknowledged = new Unacknowledged()
  #connection: Connection<ClientToScheduler> | undefined
  /** Does the scheduler wait for this client? */
  #isLasting = false
  #isEnded = false
  #sessions = 0
  #session = ''
  /** How much was said that must not be lost, and how much of that the scheduler acknowledged. */
  #saidCount = 0
  #acknowledgedCount = 0
  /** It may not have been let in yet. */
  #latest: Connection<ClientToScheduler> | undefined

  constructor(options: LastingLinkOptions) {
    this.#options = options
    this.#dial()
  }

  send(message: ClientToScheduler): void {
    this.#options.world.program?.note(storyOf(message))
    if (this.#isLasting && isKept(message)) {
      this.#unacknowledged.add(message)
      this.#saidCount++
    }
    this.#connection?.send(message)
  }

  /** The number of what was said last, of all that must not be lost. */
  get saidCount(): number {
    return this.#saidCount
  }

  /** Up to this number it was acknowledged, by whichever scheduler. */
  get acknowledgedCount(): number {
    return this.#acknowledgedCount
  }

  /** How much it may have to say again. */
  get unacknowledgedCount(): number {
    return [...this.#unacknowledged].length
  }

  flush(): void {
    this.#connection?.flush()
  }

  /** The connection breaks, and is had again. */
  disconnect(): void {
    if (this.#isLasting) this.#connection?.cut('broken')
  }

  /** The client goes. */
  end(): void {
    this.#isEnded = true
    this.#latest?.cut('closed')
  }

  #dial(): void {
    if (this.#isEnded) return
    const { world, name, rng } = this.#options
    // Who was never let in comes as another: nothing of it is lost.
    if (!this.#isLasting) this.#session = `${name}, ${++this.#sessions}`
    let hasBegun = false
    const early: SchedulerToClient[] = []
    const connection = world.scheduler.connectClient(name, this.#session, {
      receive: (messages) => {
        for (const message of messages) {
          if (this.#isEnded || this.#latest !== connection) return
          if (hasBegun) this.#receive(message)
          else if (message.type !== 'lease') early.push(message)
          else {
            hasBegun = true
            this.#begin(connection, message)
            for (const each of early) this.#receive(each)
          }
        }
      },
      connectionLost: () => {
        if (this.#latest !== connection || this.#isEnded) return
        if (this.#connection === connection) {
          this.#connection = undefined
          world.counts.cuts++
          this.#options.onLost()
        }
        world.agenda.in(rng.between(0, 100), () => this.#dial())
      },
    })
    this.#latest = connection
  }

  #begin(connection: Connection<ClientToScheduler>, lease: Lease): void {
    this.#connection = connection
    if (!this.#isLasting) {
      this.#isLasting = lease.graceMs > 0
      this.#options.onMessage(lease)
      return
    }
    if (!lease.isResumed) throw new Error('the scheduler does not know a client any more that it was to wait for')
    this.#options.world.counts.resumed++
    const { saidCount } = lease
    assert(
      saidCount >= this.#acknowledgedCount,
      `${saidCount} are known, and ${this.#acknowledgedCount} were acknowledged`,
    )
    assert(saidCount <= this.#saidCount, `${saidCount} are known, and only ${this.#saidCount} were said`)
    this.#unacknowledged.acknowledge(lease.saidCount)
    for (const message of this.#unacknowledged) connection.send(message)
    this.#options.onReturned()
    connection.flush()
  }

  #receive(message: SchedulerToClient): void {
    if (message.type === 'accepted') {
      this.#unacknowledged.acknowledge(message.count)
      this.#acknowledgedCount = Math.max(this.#acknowledgedCount, message.count)
    }
    this.#options.onMessage(message)
  }
}

/** What it says, in a few words. */
function storyOf(message: ClientToScheduler): string {
  switch (message.type) {
    case 'define-template':
      return `defines ${message.name} as ${message.template}`
    case 'submit': {
      const templates = message.runs.filter((_, i) => i % 2 === 0)
      return `submits ${message.args.ends.length} of ${templates.join(' and ')} with ${message.inputs.length} inputs`
    }
    case 'want':
    case 'release':
    case 'cancel':
    case 'retry':
    case 'detach':
    case 'replicate':
      return `${message.type} ${message.tasks.length}`
    default:
      return message.type
  }
}
