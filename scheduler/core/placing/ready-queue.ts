/**
 * What could run now, the most urgent first: by priority; then clients in turn, so that one with a million tasks does
 * not shut out one with ten; then, within a client, tasks that use up results before tasks that only make new ones; then
 * in the order they came. Every operation is O(1) on average (O(priorities) for a new priority; O(clients) while roots are
 * held back).
 *
 * Entries are not searched for when a task is let go: whoever takes the next one skips what is not ready any more, and
 * the queue is swept when such entries outnumber the rest.
 */
import { Fifo } from '../../../common/fifo.js'
import { arrayOf, indexOf, type ClientId, type TaskId } from '../../../protocol/ids.js'
import { isWithheld, type ClientRecord } from '../clients/client-record.js'
import { expandWith, HELD, type Segment } from '../tasks/task-array.js'
import type { Task } from '../tasks/task.js'
import type { Template } from '../tasks/template.js'

interface ClientQueue {
  readonly client: ClientId
  /** Its tasks are children of tasks, which wait for them: their roots are never held back. */
  readonly isOfTasks: boolean
  /** Their inputs have come, or somebody waits for them: they must run again, or are the last that a task misses. */
  readonly tasks: Fifo<Task>
  /** Tasks that need nothing of others: those with a record, and arrays of the others, each with a cursor. */
  readonly roots: Fifo<Task | Segment>
}

interface Level {
  readonly priority: number
  /** In turn: the first is next. Only those with something in them. */
  readonly turn: Fifo<ClientQueue>
  readonly byClient: Map<ClientId, ClientQueue>
  /** What may not start now, of clients that are missing (see clients/missing.ts). */
  readonly withheld: Map<ClientId, ClientQueue>
}

export class ReadyQueue {
  /** Highest priority first. */
  readonly #levels: Level[] = []
  #entries = 0
  #stale = 0

  addTask(task: Task): void {
    const queue = this.#queueOf(task.template.priority, task.array.client, task)
    if (isRoot(task)) queue.roots.push(task)
    else queue.tasks.push(task)
    this.#entries++
  }

  /** A root that is in the queue comes before all others, which stand for it a second time. */
  hurry(root: Task): void {
    this.#queueOf(root.template.priority, root.array.client, root).tasks.push(root)
    this.#entries++
  }

  addSegment(segment: Segment): void {
    this.#queueOf(segment.priority, segment.array.client).roots.push(segment)
    this.#entries++
  }

  /** A queued task is not ready any more. */
  markStale(): void {
    this.#stale++
    if (this.#stale > 1_000 && this.#stale * 2 > this.#entries) this.#sweep()
  }

  /** What is in it of this client is not given out, until `resume`. */
  withhold(client: ClientId): void {
    for (const level of this.#levels) {
      const queue = level.byClient.get(client)
      if (queue === undefined) continue
      level.byClient.delete(client)
      level.turn.retain((other) => other !== queue)
      level.withheld.set(client, queue)
    }
  }

  resume(client: ClientId): void {
    for (const level of this.#levels) {
      const queue = level.withheld.get(client)
      if (queue === undefined) continue
      level.withheld.delete(client)
      const other = level.byClient.get(client)
      if (other === undefined) {
        level.byClient.set(client, queue)
        level.turn.push(queue)
        continue
      }
      // Some tasks stand in both, and are skipped the second time.
      for (const task of queue.tasks) other.tasks.push(task)
      for (const root of queue.roots) other.roots.push(root)
    }
  }

  /** The priority of the most urgent task; nothing when there is none. It may be too high where tasks were let go. */
  topPriority(mayTakeRoots = true): number | undefined {
    while (this.#levels[0] !== undefined && isEmpty(this.#levels[0])) this.#levels.shift()
    if (mayTakeRoots) return this.#levels.find(({ turn }) => turn.length > 0)?.priority
    return this.#levels.find(({ turn }) => [...turn].some(hasOthers))?.priority
  }

  /**
   * The template of the task that is next, if that is a root, nobody waits for its value, and no other client has anything of its
   * priority. It may be that of one that was let go.
   */
  nextRoot(mayTakeRoots = true): Template | undefined {
    for (const { turn } of this.#levels) {
      const queue = turn.peek()
      if (queue === undefined) continue
      if (turn.length > 1 || queue.tasks.length > 0 || !(mayTakeRoots || queue.isOfTasks)) return undefined
      const root = queue.roots.peek()
      if (root === undefined) return undefined
      const task = isSegment(root) ? root.array.tasks[root.first + root.cursor] : root
      if (task !== undefined && task.pendingDependants > 0) return undefined
      return isSegment(root) ? templateAt(root) : root.template
    }
    return undefined
  }

  /** Is a task in it that is ready? Looks for one, so this is for people who ask, and not for every decision. */
  hasTasks(): boolean {
    return this.#levels.some((level) => queuesOf(level).some(({ tasks, roots }) => [...tasks, ...roots].some(isLive)))
  }

  /**
   * About how many tasks come before one of this client: all that are more urgent, those before it in its client's queue, and
   * as many of each other client. `task` is its record, or its id when it has none. Looks at every entry, as `hasTasks` does.
   */
  countBefore(priority: number, client: ClientId, task: Task | TaskId): number {
    let more = 0
    for (const level of this.#levels) {
      if (level.priority < priority) break
      const own = level.priority > priority ? undefined : level.byClient.get(client)
      const before = own === undefined ? Infinity : countUpTo(own, task)
      for (const queue of level.byClient.values()) more += Math.min(before, queue === own ? before : countUpTo(queue))
    }
    return more
  }

  /** Takes the next task out of the queue; it has a record from here on. Roots may be left where they are. */
  next(mayTakeRoots = true): Task | undefined {
    for (let place = 0; place < this.#levels.length;) {
      const level = this.#levels[place]!
      for (let left = level.turn.length; left > 0; left--) {
        const queue = level.turn.shift()!
        const task = this.#takeFrom(queue, mayTakeRoots)
        if (queue.tasks.length + queue.roots.length > 0) level.turn.push(queue)
        else level.byClient.delete(queue.client)
        if (task !== undefined) return task
      }
      if (isEmpty(level)) this.#levels.splice(place, 1)
      else place++
    }
    return undefined
  }

  #takeFrom(queue: ClientQueue, mayTakeRoots: boolean): Task | undefined {
    for (let task = queue.tasks.shift(); task !== undefined; task = queue.tasks.shift()) {
      this.#entries--
      if (task.state.type === 'ready') return task
      this.#stale = Math.max(0, this.#stale - 1)
    }
    if (!mayTakeRoots && !queue.isOfTasks) return undefined
    for (let root = queue.roots.peek(); root !== undefined; root = queue.roots.peek()) {
      const task = isSegment(root) ? takeFromSegment(root) : root
      if (!isSegment(root) || root.cursor === root.count) {
        queue.roots.shift()
        this.#entries--
      }
      if (task?.state.type === 'ready') return task
      if (!isSegment(root)) this.#stale = Math.max(0, this.#stale - 1)
    }
    return undefined
  }

  #queueOf(priority: number, client: ClientRecord, task?: Task): ClientQueue {
    const level = this.#levelOf(priority)
    const queues = isWithheld(client, task) ? level.withheld : level.byClient
    let queue = queues.get(client.id)
    if (queue === undefined) {
      queue = { client: client.id, isOfTasks: client.tasksOf !== undefined, tasks: new Fifo(), roots: new Fifo() }
      queues.set(client.id, queue)
      if (queues === level.byClient) level.turn.push(queue)
    }
    return queue
  }

  #levelOf(priority: number): Level {
    let place = 0
    while (place < this.#levels.length && this.#levels[place]!.priority > priority) place++
    const found = this.#levels[place]
    if (found?.priority === priority) return found
    const byClient = new Map<ClientId, ClientQueue>()
    const level = { priority, turn: new Fifo<ClientQueue>(), byClient, withheld: new Map<ClientId, ClientQueue>() }
    this.#levels.splice(place, 0, level)
    return level
  }

  #sweep(): void {
    this.#entries = 0
    this.#stale = 0
    for (const level of this.#levels) {
      for (const queue of queuesOf(level)) {
        queue.tasks.retain(isLive)
        queue.roots.retain(isLive)
        this.#entries += queue.tasks.length + queue.roots.length
      }
    }
  }
}

/** Has it no inputs, and never run? Then nobody misses it but those who wait for it in any case. */
export function isRoot({ inputs, attempt }: Task): boolean {
  return inputs.length === 0 && attempt === 0
}

/** Is there something in it beside roots that may be held back? */
function hasOthers({ isOfTasks, tasks, roots }: ClientQueue): boolean {
  return tasks.length > 0 || (isOfTasks && roots.length > 0)
}

function isEmpty({ turn, withheld }: Level): boolean {
  return turn.length === 0 && withheld.size === 0
}

function queuesOf({ byClient, withheld }: Level): ClientQueue[] {
  return [...byClient.values(), ...withheld.values()]
}

function isSegment(entry: Task | Segment): entry is Segment {
  return 'cursor' in entry
}

function isLive(entry: Task | Segment): boolean {
  return isSegment(entry) ? entry.array.live > 0 : entry.state.type === 'ready'
}

/** How many live tasks of the queue come before this one, or are there at all. */
function countUpTo({ tasks, roots }: ClientQueue, task?: Task | TaskId): number {
  let before = 0
  for (const entry of [...tasks, ...roots]) {
    if (entry === task) break
    if (!isSegment(entry)) {
      if (isLive(entry)) before++
      continue
    }
    const { array, first, count, cursor } = entry
    const id = typeof task === 'object' ? task.id : task
    const end = id !== undefined && arrayOf(id) === array.id ? indexOf(id) - first : count
    for (let place = cursor; place < Math.min(count, end); place++) {
      const record = array.tasks[first + place]
      if (record === undefined ? (array.flags[first + place]! & HELD) !== 0 : record.state.type === 'ready') before++
    }
    if (end >= 0 && end < count) break
  }
  return before
}

/** Of the place that the cursor is at; the cursor may just have left the run that it was in. */
function templateAt({ runs, run, cursor }: Segment): Template | undefined {
  const at = runs[run]
  return (at !== undefined && cursor < at.end ? at : runs[run + 1])?.template
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
