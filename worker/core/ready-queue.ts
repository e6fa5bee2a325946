/**
 * Tasks that could run now: by priority; among those of one priority, the ones that can wait behind the others, but for one of them
 * behind every 120 ms of others, so that they come to run, too; then in the order they became ready. Those that a thread gave back
 * unstarted come before others like them. Every operation is O(1) on average (O(priorities) for a new priority).
 *
 * A task that is let go is not searched for: whoever takes the next one skips it, and the queue is swept when such
 * entries outnumber the rest.
 */
import { Fifo } from '../../common/fifo.js'
import { shareOfBatchUs } from './estimates.js'
import { PATIENCE, rankOf, type Task } from './task.js'

/** Behind as much of others as this, in microseconds, comes one that can wait. */
const MAX_PASSED_US = 120_000

interface Level {
  /** Of `rankOf`. */
  readonly rank: number
  /** Given back, the next one last. */
  readonly front: Task[]
  readonly rest: Fifo<Task>
}

export class ReadyQueue {
  /** Highest rank first. */
  #levels: Level[] = []
  /** The level of the task that `peek` gave. */
  #next: Level | undefined
  /** What was taken before tasks of its priority that can wait, since one of these was, in microseconds. */
  #passedUs = 0
  #length = 0
  #stale = 0

  /** How many tasks are ready. */
  get length(): number {
    return this.#length
  }

  /** How many tasks are more urgent, and some more if such were let go that nobody has skipped yet. */
  countAbove(rank: number): number {
    let count = 0
    for (const level of this.#levels) {
      if (level.rank <= rank) break
      count += level.front.length + level.rest.length
    }
    return count
  }

  push(task: Task): void {
    this.#levelOf(rankOf(task)).rest.push(task)
    this.#length++
  }

  /** Puts tasks back before the others of their ranks, in the order given. */
  pushFront(tasks: readonly Task[]): void {
    for (let i = tasks.length - 1; i >= 0; i--) this.#levelOf(rankOf(tasks[i]!)).front.push(tasks[i]!)
    this.#length += tasks.length
  }

  /** The next task, which stays in the queue. */
  peek(): Task | undefined {
    for (let level = this.#levels[0]; level !== undefined; level = this.#levels[0]) {
      const task = this.#headOf(level)
      if (task !== undefined) {
        this.#next = level
        return this.#passedUs < MAX_PASSED_US ? task : (this.#patientBehind(level) ?? task)
      }
      this.#levels.shift()
    }
    return undefined
  }

  /** Takes the next task out of the queue. */
  next(): Task | undefined {
    const task = this.peek()
    if (task === undefined) return undefined
    const { front, rest } = this.#next!
    if (front.length > 0) front.pop()
    else rest.shift()
    this.#length--
    this.#passedUs = this.#hasPatientBehind(this.#next!) ? this.#passedUs + shareOfBatchUs(task.template) : 0
    return task
  }

  /** One of the queued tasks is not ready any more. */
  markStale(): void {
    this.#length--
    this.#stale++
    if (this.#stale > 1_000 && this.#stale > this.#length) this.#sweep()
  }

  /** The first that is ready still. */
  #headOf({ front, rest }: Level): Task | undefined {
    for (let task = front.at(-1); task !== undefined; task = front.at(-1)) {
      if (task.state.type === 'ready') return task
      front.pop()
      this.#stale--
    }
    for (let task = rest.peek(); task !== undefined; task = rest.peek()) {
      if (task.state.type === 'ready') return task
      rest.shift()
      this.#stale--
    }
    return undefined
  }

  /** The next of those that can wait behind the first level, which is next then. */
  #patientBehind(first: Level): Task | undefined {
    if (!this.#hasPatientBehind(first)) return undefined
    const level = this.#levels[1]!
    const task = this.#headOf(level)
    if (task === undefined) this.#levels.splice(1, 1)
    else this.#next = level
    return task
  }

  /** Not where the level itself is of such. */
  #hasPatientBehind({ rank }: Level): boolean {
    return this.#levels[1]?.rank === rank - PATIENCE && Number.isInteger(rank)
  }

  #levelOf(rank: number): Level {
    let place = 0
    while (place < this.#levels.length && this.#levels[place]!.rank > rank) place++
    const found = this.#levels[place]
    if (found?.rank === rank) return found
    const level = { rank, front: [], rest: new Fifo<Task>() }
    this.#levels.splice(place, 0, level)
    return level
  }

  #sweep(): void {
    const swept: Level[] = []
    for (const { rank, front, rest } of this.#levels) {
      rest.retain((task) => task.state.type === 'ready')
      swept.push({ rank, front: front.filter((task) => task.state.type === 'ready'), rest })
    }
    this.#levels = swept
    this.#stale = 0
  }
}
