/**
 * Tasks that could run now: by priority, then in the order they became ready; those that a thread gave back unstarted
 * come before the others of their priority. Every operation is O(1) on average (O(priorities) for a new priority).
 *
 * A task that is let go is not searched for: whoever takes the next one skips it, and the queue is swept when such
 * entries outnumber the rest.
 */
import { Fifo } from '../../common/fifo.js'
import type { Task } from './task.js'

interface Level {
  readonly priority: number
  /** Given back, the next one last. */
  readonly front: Task[]
  readonly rest: Fifo<Task>
}

export class ReadyQueue {
  /** Highest priority first. */
  #levels: Level[] = []
  #length = 0
  #stale = 0

  /** How many tasks are ready. */
  get length(): number {
    return this.#length
  }

  /** How many tasks are more urgent, and some more if such were let go that nobody has skipped yet. */
  countAbove(priority: number): number {
    let count = 0
    for (const level of this.#levels) {
      if (level.priority <= priority) break
      count += level.front.length + level.rest.length
    }
    return count
  }

  push(task: Task): void {
    this.#levelOf(task.priority).rest.push(task)
    this.#length++
  }

  /** Puts tasks back before the others of their priorities, in the order given. */
  pushFront(tasks: readonly Task[]): void {
    for (let i = tasks.length - 1; i >= 0; i--) this.#levelOf(tasks[i]!.priority).front.push(tasks[i]!)
    this.#length += tasks.length
  }

  /** The next task, which stays in the queue. */
  peek(): Task | undefined {
    for (let level = this.#levels[0]; level !== undefined; level = this.#levels[0]) {
      const { front, rest } = level
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
      this.#levels.shift()
    }
    return undefined
  }

  /** Takes the next task out of the queue. */
  next(): Task | undefined {
    const task = this.peek()
    if (task === undefined) return undefined
    const { front, rest } = this.#levels[0]!
    if (front.length > 0) front.pop()
    else rest.shift()
    this.#length--
    return task
  }

  /** One of the queued tasks is not ready any more. */
  markStale(): void {
    this.#length--
    this.#stale++
    if (this.#stale > 1_000 && this.#stale > this.#length) this.#sweep()
  }

  #levelOf(priority: number): Level {
    let place = 0
    while (place < this.#levels.length && this.#levels[place]!.priority > priority) place++
    const found = this.#levels[place]
    if (found?.priority === priority) return found
    const level = { priority, front: [], rest: new Fifo<Task>() }
    this.#levels.splice(place, 0, level)
    return level
  }

  #sweep(): void {
    const swept: Level[] = []
    for (const { priority, front, rest } of this.#levels) {
      rest.retain((task) => task.state.type === 'ready')
      swept.push({ priority, front: front.filter((task) => task.state.type === 'ready'), rest })
    }
    this.#levels = swept
    this.#stale = 0
  }
}
