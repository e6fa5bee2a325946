/**
 * What could run now, the most urgent first: by priority; then clients in turn, so that one with a million tasks does
 * not shut out one with ten; then, within a client, tasks that use up results before tasks that only make new ones; then
 * in the order they came. Every operation is O(1) on average (O(priorities) for a new priority).
 *
 * Entries are not searched for when a task is let go: whoever takes the next one skips what is not ready any more, and
 * the queue is swept when such entries outnumber the rest.
 */
import { Fifo } from '../../common/fifo.js'
import type { ClientId } from '../../protocol/ids.js'
import { expandWith, HELD, type Segment } from './task-array.js'
import type { Task } from './task.js'

interface ClientQueue {
  readonly client: ClientId
  /** Tasks with a record: their inputs have come, or they must run again. */
  readonly tasks: Fifo<Task>
  /** Arrays of tasks without inputs, each with a cursor. */
  readonly segments: Fifo<Segment>
}

interface Level {
  readonly priority: number
  /** In turn: the first is next. Only those with something in them. */
  readonly turn: Fifo<ClientQueue>
  readonly byClient: Map<ClientId, ClientQueue>
}

export class ReadyQueue {
  /** Highest priority first. */
  readonly #levels: Level[] = []
  #entries = 0
  #stale = 0

  addTask(task: Task): void {
    this.#queueOf(task.template.priority, task.array.client.id).tasks.push(task)
    this.#entries++
  }

  addSegment(segment: Segment): void {
    this.#queueOf(segment.priority, segment.array.client.id).segments.push(segment)
    this.#entries++
  }

  /** A queued task is not ready any more. */
  markStale(): void {
    this.#stale++
    if (this.#stale > 1_000 && this.#stale * 2 > this.#entries) this.#sweep()
  }

  /** The priority of the most urgent task; nothing when there is none. It may be too high where tasks were let go. */
  topPriority(): number | undefined {
    while (this.#levels[0]?.turn.length === 0) this.#levels.shift()
    return this.#levels[0]?.priority
  }

  /** Is a task in it that is ready? Looks for one, so this is for people who ask, and not for every decision. */
  hasTasks(): boolean {
    return this.#levels.some(({ byClient }) =>
      [...byClient.values()].some(({ tasks, segments }) => {
        for (const task of tasks) if (task.state.type === 'ready') return true
        for (const { array } of segments) if (array.live > 0) return true
        return false
      }),
    )
  }

  /** Takes the next task out of the queue; it has a record from here on. */
  next(): Task | undefined {
    for (;;) {
      const level = this.#levels[0]
      if (level === undefined) return undefined
      const queue = level.turn.shift()
      if (queue === undefined) {
        this.#levels.shift()
        continue
      }
      const task = this.#takeFrom(queue)
      if (queue.tasks.length + queue.segments.length > 0) level.turn.push(queue)
      else level.byClient.delete(queue.client)
      if (task !== undefined) return task
    }
  }

  #takeFrom(queue: ClientQueue): Task | undefined {
    for (let task = queue.tasks.shift(); task !== undefined; task = queue.tasks.shift()) {
      this.#entries--
      if (task.state.type === 'ready') return task
      this.#stale = Math.max(0, this.#stale - 1)
    }
    for (let segment = queue.segments.peek(); segment !== undefined; segment = queue.segments.peek()) {
      const task = takeFromSegment(segment)
      if (segment.cursor === segment.count) {
        queue.segments.shift()
        this.#entries--
      }
      if (task !== undefined) return task
    }
    return undefined
  }

  #queueOf(priority: number, client: ClientId): ClientQueue {
    const level = this.#levelOf(priority)
    let queue = level.byClient.get(client)
    if (queue === undefined) {
      queue = { client, tasks: new Fifo(), segments: new Fifo() }
      level.byClient.set(client, queue)
      level.turn.push(queue)
    }
    return queue
  }

  #levelOf(priority: number): Level {
    let place = 0
    while (place < this.#levels.length && this.#levels[place]!.priority > priority) place++
    const found = this.#levels[place]
    if (found?.priority === priority) return found
    const level = { priority, turn: new Fifo<ClientQueue>(), byClient: new Map<ClientId, ClientQueue>() }
    this.#levels.splice(place, 0, level)
    return level
  }

  #sweep(): void {
    this.#entries = 0
    this.#stale = 0
    for (const level of this.#levels) {
      for (const queue of level.byClient.values()) {
        queue.tasks.retain((task) => task.state.type === 'ready')
        queue.segments.retain((segment) => segment.array.live > 0)
        this.#entries += queue.tasks.length + queue.segments.length
      }
    }
  }
}

/** Moves the cursor to the next task that is ready, and past it. */
function takeFromSegment(segment: Segment): Task | undefined {
  const { array, first, count, runs } = segment
  if (array.live === 0) segment.cursor = count
  while (segment.cursor < count) {
    const place = segment.cursor++
    while (place >= runs[segment.run]!.end) segment.run++
    const index = first + place
    const existing = array.tasks[index]
    if (existing !== undefined) {
      if (existing.state.type === 'ready') return existing
      continue
    }
    if ((array.flags[index]! & HELD) !== 0) return expandWith(segment, place, runs[segment.run]!.template)
  }
  return undefined
}
