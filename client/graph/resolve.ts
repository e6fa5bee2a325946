/** From a graph with keys in the place of values to calls: what the keys asked for need, found depth first. */
import { GraphError } from '../../protocol/errors.js'
import { KeyTable } from './key-table.js'
import { STEP_SIZE, type Steps } from './slices.js'

export interface KeyedGraph<N> {
  /** The keys among the arguments of the call under a key. @throws when the key is not there, or what is there is no call. */
  readonly inputsOf: (key: string) => readonly string[]
  readonly has: (key: string) => boolean
  /** Makes the call under a key; those that it needs are given, in the order of `inputsOf`. */
  readonly make: (key: string, inputs: readonly N[]) => N
}

interface Visit {
  readonly key: string
  readonly inputs: readonly string[]
  next: number
}

/**
 * Makes the calls, each once, inputs first.
 *
 * @throws {GraphError} when a key is missing, or calls need each other; the message names the way there.
 */
export function* resolveKeys<N>(graph: KeyedGraph<N>, keys: readonly string[]): Steps<KeyTable<N>> {
  const made = new KeyTable<N>()
  const open = new KeyTable<boolean>()
  const trail: Visit[] = []
  const enter = (key: string): void => {
    if (open.get(key) === true) throw cycle(trail, key)
    if (!graph.has(key)) throw missing(trail, key)
    open.set(key, true)
    trail.push({ key, inputs: graph.inputsOf(key), next: 0 })
  }
  let steps = 0
  for (const key of keys) {
    if (made.get(key) === undefined) enter(key)
    for (let here = trail.at(-1); here !== undefined; here = trail.at(-1)) {
      if (++steps % STEP_SIZE === 0) yield
      const input = here.inputs[here.next]
      if (input !== undefined) {
        here.next += 1
        if (made.get(input) === undefined) enter(input)
        continue
      }
      const inputs = here.inputs.map((each) => made.get(each)!)
      made.set(here.key, graph.make(here.key, inputs))
      open.set(here.key, false)
      trail.pop()
    }
  }
  return made
}

/** How many keys of a way an error names: its ends tell most. */
const MAX_NAMED = 20

function cycle(trail: readonly Visit[], key: string): GraphError {
  const place = trail.findIndex((visit) => visit.key === key)
  const way = nameWay([...trail.slice(place).map((visit) => visit.key), key])
  return new GraphError(`The graph has a cycle: ${way}; each needs the next one, so none can be the first to run.`)
}

function missing(trail: readonly Visit[], key: string): GraphError {
  if (trail.length === 0)
    return new GraphError(`"${key}" is asked for and not in the graph; add it, or ask for another key.`)
  const way = nameWay([...trail.map((visit) => visit.key), key])
  return new GraphError(`The graph has no "${key}", which is needed: ${way}; add it, or correct the ref() to it.`)
}

function nameWay(keys: readonly string[]): string {
  const quoted = keys.map((key) => `"${key}"`)
  const half = MAX_NAMED / 2
  if (quoted.length > MAX_NAMED) quoted.splice(half, quoted.length - MAX_NAMED, `… ${quoted.length - MAX_NAMED} more …`)
  return quoted.join(' → ')
}
