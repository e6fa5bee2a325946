/** A call that will be a task: what graphs are made of, on this side of planning. */
import { captureFunction } from './capture/function.js'
import { saysRules } from './failure-options.js'
import type { GraphNode } from './graph/node.js'
import { remoteTargetOf } from './remote-module.js'
import type { AnyTaskOptions } from './task-options.js'
import type { TaskFunction } from './templates.js'

interface CallParts {
  readonly fn: TaskFunction
  readonly args: readonly unknown[]
  /** The calls whose results are among the arguments, each once, in the order of their first places. */
  readonly inputs: readonly GraphCall[]
  readonly link: number
  readonly options: AnyTaskOptions
}

let lastSerial = 0

export class GraphCall implements GraphNode {
  readonly serial = (lastSerial += 1)
  readonly fn: TaskFunction
  readonly args: readonly unknown[]
  readonly inputs: readonly GraphCall[]
  readonly link: number
  readonly options: AnyTaskOptions

  constructor({ fn, args, inputs, link, options }: CallParts) {
    this.fn = fn
    this.args = args
    this.inputs = inputs
    this.link = link
    this.options = options
  }

  get name(): string {
    return this.options.name ?? nameOf(this.fn)
  }
}

/** What the tasks of a function are called. */
function nameOf(fn: TaskFunction): string {
  const remote = remoteTargetOf(fn)
  return remote === undefined ? captureFunction(fn).name : `${remote.source.name}.${remote.exportName}`
}

/** @throws {FunctionNotPortableError} when the function can't travel as it is. */
export function checkPortable(fn: TaskFunction): void {
  if (remoteTargetOf(fn) === undefined) captureFunction(fn)
}

/** Larger functions stay pieces of code of their own, which are sent once however many chains they are in. */
const MAX_FUSED_SOURCE_BYTES = 64 * 1024

/**
 * Inline functions that are submitted with the same options may run as one task; but not if a time-out, or what becomes of
 * failures, is said of each of them.
 */
export function mayFuse(one: GraphCall, other: GraphCall): boolean {
  if (saysRules(one.options) || !areSame(one.options, other.options)) return false
  return isSmallAndInline(one) && isSmallAndInline(other)
}

function isSmallAndInline({ fn }: GraphCall): boolean {
  return remoteTargetOf(fn) === undefined && captureFunction(fn).source.length <= MAX_FUSED_SOURCE_BYTES
}

function areSame(one: AnyTaskOptions, other: AnyTaskOptions): boolean {
  if (one === other) return true
  const names = new Set([...Object.keys(one), ...Object.keys(other)]) as ReadonlySet<keyof AnyTaskOptions>
  return [...names].every((name) => one[name] === other[name])
}
