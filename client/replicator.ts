/** Asks the scheduler for copies of values: of as many at once as it takes from one client. The others wait here. */
import { Fifo } from '../common/fifo.js'
import type { TaskId } from '../protocol/ids.js'
import { MAX_REPLICATED_VALUES } from '../protocol/limits.js'

/** Values in one question: all of them are answered together. */
const VALUES_PER_QUESTION = 1_024

interface Waiting {
  readonly count: number
  go(): void
}

export class Replicator {
  /** Asks for copies of few values, and says how many could not be copied often enough. */
  readonly #ask: (tasks: readonly TaskId[], copies: number) => Promise<number>
  readonly #waiting = new Fifo<Waiting>()
  /** Values that were asked for and not answered. */
  #openValues = 0

  constructor(ask: (tasks: readonly TaskId[], copies: number) => Promise<number>) {
    this.#ask = ask
  }

  /** Returns how many values could not be copied often enough. */
  async replicate(tasks: readonly TaskId[], copies: number): Promise<number> {
    const questions: Promise<number>[] = []
    for (let start = 0; start < tasks.length; start += VALUES_PER_QUESTION) {
      questions.push(this.#askInTurn(tasks.slice(start, start + VALUES_PER_QUESTION), copies))
    }
    const missing = await Promise.all(questions)
    return missing.reduce((total, count) => total + count, 0)
  }

  async #askInTurn(tasks: readonly TaskId[], copies: number): Promise<number> {
    const hasRoom = this.#waiting.length === 0 && this.#openValues + tasks.length <= MAX_REPLICATED_VALUES
    if (hasRoom) this.#openValues += tasks.length
    else await new Promise<void>((resolve) => this.#waiting.push({ count: tasks.length, go: resolve }))
    try {
      return await this.#ask(tasks, copies)
    } finally {
      this.#openValues -= tasks.length
      this.#letNextGo()
    }
  }

  #letNextGo(): void {
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (this.#openValues + next.count > MAX_REPLICATED_VALUES) return
      this.#openValues += next.count
      this.#waiting.shift()
      next.go()
    }
  }
}
