/**
 * Where the boxes of a flame graph stand: the root on top, below each function what it called, as wide as the time that took.
 * What would be narrower than a pixel is left out, so that no more is drawn than there is room for.
 */
import type { ClusterProfile } from '../../protocol/messages/api.js'

export type CalledFunction = ClusterProfile['nodes'][number]

export interface Frame {
  /** Its place in the list of functions. */
  readonly node: number
  readonly depth: number
  /** Of the whole width: where it begins, and how much it takes. */
  readonly from: number
  readonly share: number
}

/** @param top - The function that takes the whole width; those that called it are above it, as wide. */
export function framesOf(nodes: readonly CalledFunction[], top: number, leastShare: number): readonly Frame[] {
  const callees = calleesOf(nodes)
  const callers: number[] = []
  for (let node = top; node !== 0;) callers.unshift((node = nodes[node]!.parent))
  const frames: Frame[] = callers.map((node, depth) => ({ node, depth, from: 0, share: 1 }))
  const whole = Math.max(nodes[top]?.totalMs ?? 0, 1e-9)
  const work: Frame[] = nodes.length === 0 ? [] : [{ node: top, depth: callers.length, from: 0, share: 1 }]
  for (let frame = work.pop(); frame !== undefined; frame = work.pop()) {
    frames.push(frame)
    let { from } = frame
    for (const node of callees[frame.node]!) {
      const share = nodes[node]!.totalMs / whole
      if (share >= leastShare) work.push({ node, depth: frame.depth + 1, from, share })
      from += share
    }
  }
  return frames
}

/** Of each function what it called, what took longest first. */
function calleesOf(nodes: readonly CalledFunction[]): readonly (readonly number[])[] {
  const callees: number[][] = nodes.map(() => [])
  nodes.forEach(({ parent }, node) => {
    if (node !== 0) callees[parent]!.push(node)
  })
  for (const each of callees) each.sort((a, b) => nodes[b]!.totalMs - nodes[a]!.totalMs)
  return callees
}

export interface FunctionTime {
  readonly name: string
  readonly url: string
  readonly line: number
  readonly selfMs: number
}

/** Each function once, wherever it was called from, what took longest itself first. */
export function byFunction(nodes: readonly CalledFunction[]): readonly FunctionTime[] {
  const functions = new Map<string, FunctionTime>()
  for (const { name, url, line, selfMs } of nodes) {
    if (selfMs === 0) continue
    const label = `${name} ${url}:${line}`
    functions.set(label, { name, url, line, selfMs: selfMs + (functions.get(label)?.selfMs ?? 0) })
  }
  return [...functions.values()].sort((a, b) => b.selfMs - a.selfMs)
}

/** A worker’s file of a function’s code is named by its hash. */
const SENT = /\/code\/[0-9a-f]{64}\.mjs$/

/** Where its source is, in short: `photos.js:12`. */
export function placeOf({ url, line }: { readonly url: string; readonly line: number }): string {
  if (url === '') return 'not JavaScript'
  if (SENT.test(url)) return `code that a client sent:${line}`
  return `${url.split('/').slice(-2).join('/')}:${line}`
}
