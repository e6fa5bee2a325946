/** The templates of a client: one for each function with the same options, however often it is submitted. */
import { FunctionNotPortableError } from '../protocol/errors.js'
import { templateId, type CodeHash } from '../protocol/ids.js'
import { NO_NEEDS, type Needs } from '../protocol/messages/needs.js'
import { NO_RULES } from '../protocol/messages/rules.js'
import { captureFunction } from './capture/function.js'
import { labelOfRules, type ResolvedRules } from './failure-options.js'
import { describe } from './options.js'
import type { TaskParent } from './parent.js'
import { preloadedFunction } from './preloaded.js'
import { remoteTargetOf } from './remote-module.js'
import { labelOf } from './needs.js'
import { NO_CONSTANTS, type CodeSource, type Constants, type Template } from './template.js'

/** Beyond these, the template that was not used for longest is given up: a program may make functions without end. */
const MAX_TEMPLATES = 1_000

export interface Naming {
  readonly name: string | undefined
  readonly priority: number
  readonly outputs: number
  readonly needs: Needs
  readonly pure: boolean
  readonly rules: ResolvedRules
  /** The task that submits, if one does. */
  readonly parent?: TaskParent | undefined
}

interface Target {
  readonly source: CodeSource
  readonly exportName: string
  readonly name: string
  /** Equal for functions that are the same to a worker. */
  readonly identity: string | CodeSource
}

/** Is nothing said of the tasks but their function? */
function isUsual({ name, priority, outputs, needs, rules, pure }: Naming): boolean {
  if (name !== undefined || pure) return false
  return priority === 0 && outputs === 0 && needs === NO_NEEDS && rules === NO_RULES
}

/** Any function that may become a task. */
export type TaskFunction = (...args: never[]) => unknown

export class Templates {
  readonly #onClosed: (template: Template) => void
  readonly #onFunction: ((code: CodeHash, fn: TaskFunction) => void) | undefined
  /** Those without a name or priority of their own, which is nearly all. */
  readonly #byFunction = new WeakMap<TaskFunction, Template>()
  readonly #byIdentity = new Map<string | CodeSource, Map<string, Template>>()
  /** In the order of their last use, and how each is forgotten. */
  readonly #open = new Map<Template, () => void>()
  #lastUsed: Template | undefined
  #made = 0

  /** `onClosed` hears of templates that nothing new will use; `onFunction` of the functions that are there as source. */
  constructor(
    onClosed: (template: Template) => void,
    onFunction: ((code: CodeHash, fn: TaskFunction) => void) | undefined,
  ) {
    this.#onClosed = onClosed
    this.#onFunction = onFunction
  }

  /** @throws {FunctionNotPortableError} */
  of(fn: TaskFunction, naming: Naming): Template {
    const isPlain = isUsual(naming)
    const isFunction = typeof fn === 'function'
    const known = isPlain && isFunction ? this.#byFunction.get(fn) : undefined
    if (known !== undefined && !known.isClosed) {
      this.#use(known)
      return known
    }

    const target = this.#targetOf(fn)
    const name = naming.name ?? target.name
    const { priority, outputs, needs, rules, pure } = naming
    const label = `${depthOf(naming)} ${priority} ${outputs} ${pure} ${labelOf(needs)} ${labelOfRules(rules)} ${target.exportName} ${name}`
    const siblings = this.#byIdentity.get(target.identity)
    let template = siblings?.get(label)
    if (template === undefined) {
      template = this.#make(target, { ...naming, name }, NO_CONSTANTS)
      this.#remember(template, target.identity, label)
    } else this.#use(template)
    if (isPlain && isFunction) this.#byFunction.set(fn, template)
    return template
  }

  /** A template for one `map` only, which closes it when its tasks have been made. */
  forOneMap(fn: TaskFunction, naming: Naming, constants: Constants): Template {
    const target = this.#targetOf(fn)
    return this.#make(target, { ...naming, name: naming.name ?? target.name }, constants)
  }

  close(template: Template): void {
    template.isClosed = true
    this.#onClosed(template)
  }

  #make(
    { source, exportName, name: ownName }: Target,
    naming: Naming & { name: string },
    constants: Constants,
  ): Template {
    const id = templateId((this.#made += 1))
    const { name, priority, outputs, needs, rules, pure } = naming
    const fresh = { standing: 'new', unsent: 0, isClosed: false } as const
    const pureName = pure ? ownName : undefined
    const depth = depthOf(naming)
    return { id, name, source, exportName, priority, depth, outputs, needs, rules, constants, pureName, ...fresh }
  }

  #remember(template: Template, identity: string | CodeSource, label: string): void {
    const siblings = this.#byIdentity.get(identity) ?? new Map<string, Template>()
    siblings.set(label, template)
    this.#byIdentity.set(identity, siblings)
    this.#open.set(template, () => {
      siblings.delete(label)
      if (siblings.size === 0 && this.#byIdentity.get(identity) === siblings) this.#byIdentity.delete(identity)
    })
    this.#lastUsed = template
    if (this.#open.size <= MAX_TEMPLATES) return
    const [oldest, forget] = this.#open.entries().next().value!
    this.#open.delete(oldest)
    forget()
    this.close(oldest)
  }

  /** Puts it behind all others. Most calls use the same as the one before; and while there is room, order is of no account. */
  #use(template: Template): void {
    if (template === this.#lastUsed || this.#open.size < MAX_TEMPLATES / 2) return
    const forget = this.#open.get(template)
    if (forget === undefined) return
    this.#open.delete(template)
    this.#open.set(template, forget)
    this.#lastUsed = template
  }

  #targetOf(fn: TaskFunction): Target {
    // The public signatures take names of preloaded functions too.
    const given: unknown = fn
    if (typeof given === 'string' && given.includes('.')) {
      const { code, exportName } = preloadedFunction(given)
      const source = { name: given, state: { type: 'ready' as const, code } }
      return { source, exportName, name: given, identity: code.code }
    }
    if (typeof fn !== 'function') {
      throw new FunctionNotPortableError(
        `A task is made of a function, and not of ${describe(fn)}; give a function first.`,
      )
    }
    const remote = remoteTargetOf(fn)
    if (remote !== undefined) {
      const { source, exportName } = remote
      return { source, exportName, name: `${source.name}.${exportName}`, identity: source }
    }
    const captured = captureFunction(fn)
    const { name, exportName, code } = captured
    this.#onFunction?.(code, fn)
    return { source: { name, state: { type: 'ready', code: captured } }, exportName, name, identity: code }
  }
}

function depthOf({ parent }: Pick<Naming, 'parent'>): number {
  return parent?.depth ?? 0
}
