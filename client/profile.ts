/** Where the time of the cluster's threads goes, by function: sampled on every worker, and laid over each other. */
import { writeFile } from 'node:fs/promises'
import { labelOf, nodesOf, totalsOf, type CallNode } from '../common/call-tree.js'
import { MAX_PROFILE_MS, MAX_PROFILE_SAMPLES, MIN_PROFILE_INTERVAL_US } from '../protocol/limits.js'
import { joinProfiles, workerProfile } from '../protocol/messages/profile.js'
import { readTold } from '../protocol/transport/told.js'
import { checkOptionNames, describe, invalidOption } from './options.js'
import { checkKnown } from './reports.js'
import type { Session } from './session.js'

/** Options of {@link Client.profile}. */
export interface ProfileOptions {
  /** Names of workers. Default: all that are there. */
  readonly workers?: readonly string[] | undefined
  /** How long samples are taken, up to a minute. Default: 1,000. */
  readonly durationMs?: number | undefined
  /** How far samples are apart, from 100 up. Default: 1,000. */
  readonly intervalMicros?: number | undefined
  /** Writes the profile to this file, as Chrome's developer tools, Edge and speedscope open it: call it `….cpuprofile`. */
  readonly path?: string | undefined
}

/** One function in the tree of a {@link Profile}: as it was called from those above it. */
export interface ProfileNode {
  /** `(anonymous)` for a function without one; in round brackets what is no function, as `(garbage collector)`. */
  readonly name: string
  /** Where its source is; empty for what is not JavaScript. */
  readonly url: string
  /** The line there, from 1; 0 when there is none. */
  readonly line: number
  /** Time in the function itself. */
  readonly selfMs: number
  /** And in what it called. */
  readonly totalMs: number
  /** What it called, what took longest first. */
  readonly children: readonly ProfileNode[]
}

/** One function of a {@link Profile}, wherever it was called from. */
export interface ProfiledFunction {
  /** As of a {@link ProfileNode}. */
  readonly name: string
  /** As of a {@link ProfileNode}. */
  readonly url: string
  /** As of a {@link ProfileNode}. */
  readonly line: number
  /** Time in the function itself. */
  readonly selfMs: number
}

/** A thread that was sampled for a {@link Profile}. */
export interface ProfiledThread {
  /** The name of the worker. */
  readonly worker: string
  /** Which of its threads, as `thread 1`; `io thread 1` has the tasks that take none. */
  readonly thread: string
  /** How long it was sampled. */
  readonly durationMs: number
  /** Of that, how long it had nothing to do. */
  readonly idleMs: number
  /** How many samples were taken. */
  readonly samples: number
}

/** What {@link Client.profile} gives. Times of all threads add up. */
export interface Profile {
  /** A tree for a flame graph. Its root has the time in which threads were busy; the time without work is left out. */
  readonly root: ProfileNode
  /** The same by function, what took longest itself first. */
  readonly functions: readonly ProfiledFunction[]
  /** The threads that were sampled. */
  readonly threads: readonly ProfiledThread[]
  /** Threads that were not sampled, and why: native code held them, or they were just starting. */
  readonly missing: readonly { readonly worker: string; readonly thread: string; readonly reason: string }[]
}

const DEFAULT_DURATION_MS = 1_000
const DEFAULT_INTERVAL_US = 1_000

export async function profile(session: Session, options: ProfileOptions): Promise<Profile> {
  checkOptionNames('client.profile()', options, ['workers', 'durationMs', 'intervalMicros', 'path'])
  const { workers = [], durationMs = DEFAULT_DURATION_MS, intervalMicros = DEFAULT_INTERVAL_US, path } = options
  check({ workers, durationMs, intervalMicros, path })
  const question = (request: number) => ({ type: 'ask-profile', request, workers, durationMs, intervalMicros }) as const
  const told = await session.question(question, 'workers-told')
  checkKnown(told.unknown)
  const { tree, threads, missing } = joinProfiles(readTold(told, workerProfile))
  if (path !== undefined) await writeFile(path, JSON.stringify(cpuProfileOf(tree, intervalMicros)))
  return {
    root: nodeOf(tree),
    functions: functionsOf(tree),
    threads,
    missing,
  }
}

function check({ workers, durationMs, intervalMicros, path }: Required<ProfileOptions>): void {
  const isWhole = (given: unknown): given is number => Number.isInteger(given)
  if (!Array.isArray(workers) || workers.some((name) => typeof name !== 'string')) {
    throw invalidOption(`workers is ${describe(workers)}; give a list of names of workers.`)
  }
  if (!isWhole(durationMs) || durationMs < 1 || durationMs > MAX_PROFILE_MS) {
    throw invalidOption(`durationMs is ${describe(durationMs)}; give whole milliseconds from 1 to ${MAX_PROFILE_MS}.`)
  }
  if (!isWhole(intervalMicros) || intervalMicros < MIN_PROFILE_INTERVAL_US || intervalMicros > durationMs * 1_000) {
    const most = `up to durationMs`
    throw invalidOption(
      `intervalMicros is ${describe(intervalMicros)}; give whole microseconds from ${MIN_PROFILE_INTERVAL_US} ${most}.`,
    )
  }
  const samples = (durationMs * 1_000) / intervalMicros
  if (samples > MAX_PROFILE_SAMPLES) {
    const least = Math.ceil((durationMs * 1_000) / MAX_PROFILE_SAMPLES)
    throw invalidOption(
      `${durationMs} ms have ${Math.round(samples)} samples; make intervalMicros ${least} or more, or durationMs shorter.`,
    )
  }
  if (path !== undefined && (typeof path !== 'string' || path === '')) {
    throw invalidOption(`path is ${describe(path)}; give the name of a file.`)
  }
}

function nodeOf(tree: CallNode): ProfileNode {
  const totals = totalsOf(tree)
  const made = new Map<CallNode, ProfileNode>()
  // Those that are called come before their callers.
  for (const node of nodesOf(tree).toReversed()) {
    const children = node.children.map((child) => made.get(child)!).sort((a, b) => b.totalMs - a.totalMs)
    const times = { selfMs: node.selfUs / 1_000, totalMs: totals.get(node)! / 1_000 }
    made.set(node, { name: nameOf(node), url: node.url, line: node.line, ...times, children })
  }
  return made.get(tree)!
}

function functionsOf(tree: CallNode): ProfiledFunction[] {
  const byLabel = new Map<string, { node: CallNode; selfUs: number }>()
  for (const node of nodesOf(tree)) {
    if (node.selfUs === 0) continue
    const known = byLabel.get(labelOf(node))
    if (known === undefined) byLabel.set(labelOf(node), { node, selfUs: node.selfUs })
    else known.selfUs += node.selfUs
  }
  const sorted = [...byLabel.values()].sort((a, b) => b.selfUs - a.selfUs)
  return sorted.map(({ node, selfUs }) => {
    return { name: nameOf(node), url: node.url, line: node.line, selfMs: selfUs / 1_000 }
  })
}

function nameOf({ name }: CallNode): string {
  return name === '' ? '(anonymous)' : name
}

/** Each function is one sample as long as its time, one after the other: so a viewer shows the flame graph as its chart. */
function cpuProfileOf(tree: CallNode, intervalMicros: number): object {
  const nodes = nodesOf(tree)
  const ids = new Map(nodes.map((node, place) => [node, place + 1]))
  const samples: number[] = []
  const timeDeltas: number[] = []
  let before = 0
  const work = [tree]
  for (let node = work.pop(); node !== undefined; node = work.pop()) {
    if (node.selfUs > 0) {
      samples.push(ids.get(node)!)
      timeDeltas.push(before)
      before = Math.round(node.selfUs)
    }
    work.push(...node.children.toReversed())
  }
  const endTime = timeDeltas.reduce((sum, delta) => sum + delta, 0) + before
  return {
    nodes: nodes.map((node) => ({
      id: ids.get(node)!,
      callFrame: {
        functionName: node.name,
        scriptId: '0',
        url: node.url,
        lineNumber: node.line - 1,
        columnNumber: node.column - 1,
      },
      hitCount: Math.round(node.selfUs / intervalMicros),
      children: node.children.map((child) => ids.get(child)!),
    })),
    startTime: 0,
    endTime,
    samples,
    timeDeltas,
  }
}
