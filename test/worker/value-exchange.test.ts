/** A worker's exchange of values: what its core says of awaited ones goes to whoever asked. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { NO_LOG } from '../../common/node/log.js'
import { arrayId, taskId, workerId, type TaskId } from '../../protocol/ids.js'
import { memoryPair } from '../../protocol/transport/memory.js'
import { ValueFetcher } from '../../protocol/transport/value-fetcher.js'
import type { WorkerEvent } from '../../worker/core/events.js'
import { ValueExchange } from '../../worker/value-exchange.js'
import { ValueStore } from '../../worker/value-store.js'

const SECRET = 's3cret'
const id = (n: number): TaskId => taskId(arrayId(1), n)
const [a, b, c] = [id(1), id(2), id(3)]
const AWAITING = { worker: workerId(3), after: 7 }
const NOTHING = { settled: [], located: [], sizes: [] } as const

type Told = readonly [what: string, tasks: readonly TaskId[]]

/** Two questions of one peer: for `a` and `b`, and for `c`. */
class Asked {
  readonly store = new ValueStore()
  readonly events: WorkerEvent[] = []
  readonly told: Told[] = []
  readonly exchange = new ValueExchange({
    worker: 'w1',
    store: this.store,
    lookup: (task) => this.store.get(task),
    log: NO_LOG,
    dial: () => Promise.reject(new Error('nobody is dialled')),
    dialByRelay: () => Promise.reject(new Error('nobody is dialled')),
    submit: (event) => {
      this.events.push(event)
      this.#onNews()
    },
  })
  readonly fetcher = new ValueFetcher({
    hello: { role: 'peer', name: 'w2', secret: SECRET },
    dial: () => {
      const { left, right } = memoryPair({ left: 'w1', right: 'w2' })
      this.exchange.accept(left)
      return Promise.resolve(right)
    },
  })
  #onNews: () => void = () => undefined

  async open(): Promise<void> {
    this.exchange.useSecret(SECRET)
    this.#fetch([a, b])
    this.#fetch([c])
    await this.until(() => this.events.length === 2)
    assert.deepEqual(
      this.events.map((event) => event.type === 'values-awaited' && [event.question, event.tasks, event.worker]),
      [
        [1, [a, b], AWAITING.worker],
        [2, [c], AWAITING.worker],
      ],
    )
  }

  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => (this.#onNews = resolve))
  }

  /** What was told so far, once this question, which is answered behind it, was. */
  async toldBefore(asked: TaskId): Promise<readonly Told[]> {
    const count = this.told.length
    this.fetcher.fetch('w1', [asked], this.#sink())
    await this.until(() => this.told.slice(count).some(([, tasks]) => tasks.includes(asked)))
    return this.told
  }

  #fetch(tasks: readonly TaskId[]): void {
    this.fetcher.fetch('w1', tasks, this.#sink(), AWAITING)
  }

  #sink(): Parameters<ValueFetcher['fetch']>[2] {
    const tell = (what: string) => (tasks: readonly TaskId[]) => {
      this.told.push([what, tasks])
      this.#onNews()
    }
    const onLargeValue = (task: TaskId): void => tell('value')([task])
    return {
      onValues: tell('value'),
      onLargeValue,
      onGone: tell('gone'),
      onLocated: tell('located'),
      onUnreachable: tell('unreachable'),
    }
  }
}

test('a question is open until its last answer, and nothing that is said of it later is heard', async () => {
  const asked = new Asked()
  await asked.open()
  asked.store.put(b, Uint8Array.of(2))
  asked.exchange.answerAwait(1, { ...NOTHING, settled: [b], isLast: false })
  asked.exchange.answerAwait(1, { ...NOTHING, located: [a], sizes: [100_000], isLast: true })
  asked.exchange.answerAwait(1, { ...NOTHING, settled: [a], isLast: true })
  const told = await asked.toldBefore(id(9))
  assert.deepEqual(
    told.toSorted(([one], [other]) => (one < other ? -1 : 1)),
    [
      ['gone', [id(9)]],
      ['located', [a]],
      ['value', [b]],
    ],
  )
  asked.fetcher.close()
  asked.exchange.close()
})

test('a peer that leaves calls off what it was not answered, and nothing else', async () => {
  const asked = new Asked()
  await asked.open()
  asked.exchange.answerAwait(1, { ...NOTHING, settled: [a, b], isLast: true })
  await asked.toldBefore(id(9))
  asked.fetcher.close()
  await asked.until(() => asked.events.length > 2)
  assert.deepEqual(
    asked.events.slice(2).map((event) => event.type === 'await-ended' && event.question),
    [2],
  )
  assert.deepEqual(asked.told.at(-1), ['unreachable', [c]])
  asked.exchange.close()
})
