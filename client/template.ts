/** What many tasks of a client share: a function, constants, a name, a priority, needs. The scheduler is told of each once. */
import type { ResolvedRules } from './failure-options.js'
import type { Failure } from './failure.js'
import { templateId, type CodeHash, type TaskId, type TemplateId } from '../protocol/ids.js'
import type { SourceMap } from '../protocol/messages/common.js'
import { NO_NEEDS, type Needs } from '../protocol/messages/needs.js'
import { NO_RULES } from '../protocol/messages/rules.js'

/** How many places of a task array each task takes: with outputs, one for itself, which has no future, and one for each. */
export function placesOf({ outputs }: Pick<Template, 'outputs'>): number {
  return 1 + outputs
}

/** Code that can be sent. */
export interface Code {
  readonly code: CodeHash
  readonly kind: 'function' | 'module' | 'preloaded'
  readonly source: Uint8Array
  /** Of a function's source. */
  readonly sourceMap: SourceMap | undefined
}

/** Code that is there, or will be: modules are bundled while the program goes on. */
export interface CodeSource {
  /** What its functions are called on the status page, before their own name. */
  readonly name: string
  readonly state:
    | { readonly type: 'bundling' }
    | { readonly type: 'ready'; readonly code: Code }
    | { readonly type: 'failed'; readonly error: unknown }
}

/** The arguments that all tasks of one `map` share. */
export interface Constants {
  /** An encoded array; empty for none. */
  readonly bytes: Uint8Array
  readonly inputs: readonly TaskId[]
  /** Why the tasks fail that get them: a future among them failed without the scheduler's knowledge. */
  readonly failure: Failure | undefined
}

export const NO_CONSTANTS: Constants = Object.freeze({
  bytes: new Uint8Array(0),
  inputs: Object.freeze([]),
  failure: undefined,
})

export interface Template {
  readonly id: TemplateId
  readonly name: string
  readonly source: CodeSource
  readonly exportName: string
  readonly priority: number
  /** How many tasks submit each other down to its tasks. */
  readonly depth: number
  readonly needs: Needs
  readonly rules: ResolvedRules
  readonly constants: Constants
  /** How many outputs each task has, each with a future of its own; 0 when the task itself has one. */
  readonly outputs: number
  /** Of pure tasks, what their keys begin with: the function's own name, whatever the tasks are called. */
  readonly pureName: string | undefined
  /** What the scheduler knows of it. A forgotten one goes from there once its last task is gone. */
  standing: 'new' | 'defined' | 'forgotten'
  /** Submissions that name it and have not left yet. */
  unsent: number
  /** No further submission will name it. */
  isClosed: boolean
}

/** Lends tasks the name in their keys. The scheduler never hears of it. */
export function nameOnly(name: string): Template {
  return {
    id: templateId(0),
    name,
    source: { name, state: { type: 'bundling' } },
    exportName: '',
    priority: 0,
    depth: 0,
    needs: NO_NEEDS,
    rules: NO_RULES,
    constants: NO_CONSTANTS,
    outputs: 0,
    pureName: undefined,
    standing: 'new',
    unsent: 0,
    isClosed: true,
  }
}
