/**
 * The order in which tasks are submitted, and so about the order in which they run: depth first, so that a result is used
 * up soon after it was made and few are held at a time. Inputs come before their users.
 *
 * - Of the inputs of a task, the one that needs most room while it is made comes first, when least else is held (Sethi and
 *   Ullman's rule for registers).
 * - A task that needs nothing more and is the last user of something comes at once, whatever it is for: it takes no more
 *   room than it frees.
 */
import type { Chains } from './fuse.js'
import type { NumberedGraph } from './numbered-graph.js'
import { STEP_SIZE, type Steps } from './slices.js'

/** Longer lists of inputs are left in their order: such are lists of equals, and sorting them can't be done in steps. */
const MAX_SORTED = 1_024
/** So many are sorted in place: a list of its own for each of a million tasks would be most of what sorting them costs. */
const FEW = 8

/** The numbers of the tasks, each the last node of its chain. Outputs come in the order of the graph's outputs. */
export function* orderTasks(graph: NumberedGraph, chains: Chains): Steps<Int32Array> {
  return yield* new Ordering(graph, chains, yield* sortInputs(graph, chains)).run()
}

/** How many results are held at most while a task is made, if none of what it needs is there. Sorts inputs by it. */
function* sortInputs({ nodes, inputs, outputs }: NumberedGraph, { firstOf }: Chains): Steps<Int32Array> {
  const sorted = new Int32Array(inputs.targets.length)
  const room = new Int32Array(nodes.length)
  const cursors = new Int32Array(nodes.length)
  const trail: number[] = []
  let steps = 0
  for (const output of outputs) {
    if (room[output] === 0) trail.push(output)
    for (let task = trail.at(-1); task !== undefined; task = trail.at(-1)) {
      if (++steps % STEP_SIZE === 0) yield
      const start = inputs.starts[firstOf[task]!]!
      const end = inputs.starts[firstOf[task]! + 1]!
      if (start + cursors[task]! < end) {
        const input = inputs.targets[start + cursors[task]!++]!
        if (room[input] === 0) trail.push(input)
        continue
      }
      trail.pop()
      if (room[task] !== 0) continue
      const count = end - start
      if (count <= FEW) insertSorted(inputs.targets, sorted, start, end, room)
      else {
        const list = inputs.targets.slice(start, end)
        if (count <= MAX_SORTED) list.sort((a, b) => room[b]! - room[a]!)
        sorted.set(list, start)
      }
      let most = count + 1
      for (let held = 0; held < count; held++) {
        most = Math.max(most, room[sorted[start + held]!]! + held)
        if (++steps % STEP_SIZE === 0) yield
      }
      room[task] = most
    }
  }
  return sorted
}

/** Copies `list[start..end]` to the same places of `sorted`, those with the most room first, and equals in their order. */
function insertSorted(list: Int32Array, sorted: Int32Array, start: number, end: number, room: Int32Array): void {
  for (let next = start; next < end; next++) {
    const input = list[next]!
    let place = next
    for (; place > start && room[sorted[place - 1]!]! < room[input]!; place--) sorted[place] = sorted[place - 1]!
    sorted[place] = input
  }
}

class Ordering {
  readonly #graph: NumberedGraph
  readonly #chains: Chains
  /** As the graph's inputs, those that come first in front. */
  readonly #inputs: Int32Array
  readonly #order: Int32Array
  #count = 0
  readonly #isDone: Uint8Array
  /** How many inputs of each task are not made yet. */
  readonly #missing: Int32Array
  /** How many users of each task are still to come. */
  readonly #users: Int32Array
  #steps = 0

  constructor(graph: NumberedGraph, chains: Chains, inputs: Int32Array) {
    const { length } = graph.nodes
    this.#graph = graph
    this.#chains = chains
    this.#inputs = inputs
    this.#order = new Int32Array(length)
    this.#isDone = new Uint8Array(length)
    this.#missing = new Int32Array(length)
    this.#users = new Int32Array(length)
  }

  *run(): Steps<Int32Array> {
    yield* this.#countEdges()
    const cursors = new Int32Array(this.#graph.nodes.length)
    const trail: number[] = []
    for (const output of this.#graph.outputs) {
      trail.push(output)
      for (let task = trail.at(-1); task !== undefined; task = trail.at(-1)) {
        if (this.#isStepOver()) yield
        const { start, end } = this.#inputsOf(task)
        const next = start + cursors[task]!
        if (this.#isDone[task] === 1) trail.pop()
        else if (next === end) yield* this.#addWithFollowers(task)
        else {
          cursors[task]! += 1
          if (this.#isDone[this.#inputs[next]!] === 0) trail.push(this.#inputs[next]!)
        }
      }
    }
    return this.#order.subarray(0, this.#count)
  }

  /** Adds a task, and those that can follow at no cost. */
  *#addWithFollowers(first: number): Steps<void> {
    const following = [first]
    for (let task = following.pop(); task !== undefined; task = following.pop()) {
      if (this.#isDone[task] === 1) continue
      this.#isDone[task] = 1
      this.#order[this.#count++] = task
      const { start, end } = this.#inputsOf(task)
      for (let at = start; at < end; at++) {
        const input = this.#inputs[at]!
        this.#users[input]! -= 1
        if (this.#users[input] === 1) yield* this.#addReadyUsers(input, following)
        if (this.#isStepOver()) yield
      }
      yield* this.#addReadyUsers(task, following, 1)
    }
  }

  /** Adds to `following` the users of a task that can follow now, after each of them has got `made` inputs more. */
  *#addReadyUsers(task: number, following: number[], made = 0): Steps<void> {
    const { dependants, isOutput } = this.#graph
    // The first of them comes next: the list is taken from its end.
    for (let at = dependants.starts[task + 1]! - 1; at >= dependants.starts[task]!; at--) {
      if (this.#isStepOver()) yield
      const user = this.#chains.lastOf[dependants.targets[at]!]!
      this.#missing[user]! -= made
      const canFollow = this.#missing[user] === 0 && this.#isDone[user] === 0 && isOutput[user] === 0
      if (canFollow && this.#freesSomething(user)) following.push(user)
    }
  }

  *#countEdges(): Steps<void> {
    for (const [number, last] of this.#chains.lastOf.entries()) {
      if (this.#isStepOver()) yield
      if (last !== number) continue
      const { start, end } = this.#inputsOf(number)
      this.#missing[number] = end - start
      const { starts } = this.#graph.dependants
      this.#users[number] = starts[number + 1]! - starts[number]!
    }
  }

  /** Is it the last user of one of its inputs, which nobody asked for? */
  #freesSomething(task: number): boolean {
    const { start, end } = this.#inputsOf(task)
    // A task with very many inputs is the last user of most of them, and need not be looked at for long.
    for (let at = start; at < Math.min(end, start + MAX_SORTED); at++) {
      const input = this.#inputs[at]!
      if (this.#users[input] === 1 && this.#graph.isOutput[input] === 0) return true
    }
    return false
  }

  #inputsOf(task: number): { readonly start: number; readonly end: number } {
    const first = this.#chains.firstOf[task]!
    const { starts } = this.#graph.inputs
    return { start: starts[first]!, end: starts[first + 1]! }
  }

  #isStepOver(): boolean {
    return ++this.#steps % STEP_SIZE === 0
  }
}
