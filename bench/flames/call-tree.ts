/** A tree of calls with the time under each, made of the samples of a profile. */
import type { Profiler } from 'node:inspector'

export interface Call {
  readonly name: string
  /** File and line, without the way to it; empty for what the engine itself does. */
  readonly place: string
  /** With everything it called. */
  totalUs: number
  readonly calls: Map<string, Call>
}

/** The engine's own names for time in which the process did not run. */
const NOT_RUNNING = new Set(['(idle)'])

export function callTreeOf({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Call {
  const root = newCall('all', '')
  const nodeById = new Map(nodes.map((node) => [node.id, node]))
  const parents = new Map<number, Profiler.ProfileNode>()
  for (const node of nodes) for (const child of node.children ?? []) parents.set(child, node)
  // Many samples are of the same node: its way to the root is walked once for all of them.
  const selfUs = new Map<number, number>()
  for (const [i, id] of samples.entries()) selfUs.set(id, (selfUs.get(id) ?? 0) + Math.max(0, timeDeltas[i] ?? 0))
  for (const [id, us] of selfUs) {
    const stack: Profiler.ProfileNode[] = []
    for (let node = nodeById.get(id); node !== undefined; node = parents.get(node.id)) stack.push(node)
    if (!NOT_RUNNING.has(stack[0]?.callFrame.functionName ?? '')) addStack(root, stack, us)
  }
  return root
}

/** `stack` begins with the innermost call and ends with the profile's own root. */
function addStack(root: Call, stack: readonly Profiler.ProfileNode[], us: number): void {
  let call = root
  call.totalUs += us
  for (const { callFrame } of stack.slice(0, -1).reverse()) {
    const name = callFrame.functionName === '' ? '(anonymous)' : callFrame.functionName
    const place = placeOf(callFrame)
    const key = `${name} ${place}`
    let inner = call.calls.get(key)
    if (inner === undefined) {
      inner = newCall(name, place)
      call.calls.set(key, inner)
    }
    inner.totalUs += us
    call = inner
  }
}

function newCall(name: string, place: string): Call {
  return { name, place, totalUs: 0, calls: new Map() }
}

function placeOf({ url, lineNumber }: Profiler.ProfileNode['callFrame']): string {
  if (url === '') return ''
  const short = url.replace(/^.*\/(?:dist|node_modules)\//, '')
  return `${short}:${lineNumber + 1}`
}
