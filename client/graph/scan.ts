/** Finds the calls among the arguments of a call: at any depth of arrays, plain objects, Maps and Sets, as futures are found. */
import type { GraphNode } from './node.js'

/** Something that is in the cluster already, such as what a future stands for. */
export const IN_CLUSTER = Symbol('in the cluster')

/** What an object among arguments stands for: the result of a call, what is in the cluster, or itself. */
export type Lookup<N> = (object: object) => N | typeof IN_CLUSTER | undefined

export interface Found<N> {
  readonly inputs: readonly N[]
  /** As in {@link GraphNode}. */
  readonly link: GraphNode['link']
}

/** `lookup` says what an object is. */
export function findInputs<N>(args: readonly unknown[], lookup: Lookup<N>): Found<N> {
  const inputs = new Set<N>()
  let places = 0
  let link = -1
  // Containers still to be looked into: a list, so that no nesting is too deep. A container may hold itself.
  const containers: object[] = [args]
  let met: Set<object> | undefined
  const visit = (value: unknown, place: number): void => {
    if (typeof value !== 'object' || value === null) return
    const found = lookup(value)
    if (found !== undefined) {
      places += 1
      if (found !== IN_CLUSTER) inputs.add(found)
      link = found === IN_CLUSTER ? -1 : place
    } else if (isContainer(value)) {
      met ??= new Set()
      if (met.has(value)) return
      met.add(value)
      containers.push(value)
    }
  }
  for (let at = 0; at < containers.length; at++) {
    const container = containers[at]!
    if (Array.isArray(container)) {
      for (let i = 0; i < container.length; i++) visit(container[i], at === 0 ? i : -1)
    } else if (container instanceof Map) {
      for (const [key, value] of container) {
        visit(key, -1)
        visit(value, -1)
      }
    } else if (container instanceof Set) for (const item of container) visit(item, -1)
    else for (const value of Object.values(container)) visit(value, -1)
  }
  return { inputs: [...inputs], link: places === 1 ? link : -1 }
}

function isContainer(object: object): boolean {
  if (Array.isArray(object) || object instanceof Map || object instanceof Set) return true
  const prototype: unknown = Object.getPrototypeOf(object)
  return prototype === Object.prototype || prototype === null
}
