/**
 * Finds the names that a function takes from its surroundings. Every node is visited once, with the scope that it
 * stands in; names are looked up only after all were declared, so hoisting needs no rules and the order of visits does
 * not matter. That allows a work list, which no deep expression can overflow.
 *
 * What is bound like a name is treated as one: `this`, `super`, `arguments`, `new.target`, `import.meta` and `#private`.
 */
import type { AnyNode, ArrowFunctionExpression, Class, Function as FunctionNode, Node, Pattern } from 'acorn'
import { Scope } from './scope.js'

export interface FreeName {
  readonly name: string
  /** The member that is read of it, as in `name.member`. */
  readonly member: string | undefined
  /** It stands in `(0, name.member)(…)`, which compilers write for the call of an imported function. */
  readonly isCallOfImport: boolean
}

/** `import('…')` with a plain text, or what a compiler made of it. */
export interface DynamicImport {
  /** `import`, or the free name of the function that is called instead. */
  readonly by: string
  readonly specifier: string
}

export interface Surroundings {
  /** In the order of the source, each name and member once. */
  readonly names: readonly FreeName[]
  readonly imports: readonly DynamicImport[]
}

/** Reads what `root`, an expression of strict code, takes from its surroundings. */
export function findSurroundings(root: AnyNode): Surroundings {
  const reading = new Reading()
  reading.visit(root, Scope.root())
  return reading.finish()
}

interface Reference extends FreeName {
  readonly scope: Scope
  readonly start: number
}

/**
 * Compilers for old targets call these with `this` and the function's body, of which it becomes the `this`. They pass it
 * whether the body uses it or not, so only the body tells.
 */
const RUNS_BODY = new Set(['__awaiter', '__async', '__asyncGenerator'])
/** Functions that stand for `import()` in the output of compilers and test runners. */
const IMPORTS = new Set(['require', '__require', '__vite_ssr_dynamic_import__'])

class Reading {
  readonly #work: { readonly node: AnyNode; readonly scope: Scope }[] = []
  readonly #references: Reference[] = []
  readonly #imports: (DynamicImport & { readonly scope: Scope })[] = []

  visit(node: Node | null | undefined, scope: Scope): void {
    if (node) this.#work.push({ node: node as AnyNode, scope })
  }

  finish(): Surroundings {
    for (let next = this.#work.pop(); next !== undefined; next = this.#work.pop()) this.#read(next.node, next.scope)
    const names = new Map<string, FreeName>()
    for (const { name, member, isCallOfImport, scope } of this.#references.sort((a, b) => a.start - b.start)) {
      if (!scope.has(name)) names.set(`${name}.${member ?? ''}`, { name, member, isCallOfImport })
    }
    return { names: [...names.values()], imports: this.#imports.filter(({ by, scope }) => !scope.has(by)) }
  }

  #read(node: AnyNode, scope: Scope): void {
    switch (node.type) {
      case 'Identifier':
        return this.#refer(node.name, node, scope)
      case 'ThisExpression':
        return this.#refer('this', node, scope)
      case 'Super':
        return this.#refer('super', node, scope)
      case 'PrivateIdentifier':
        return this.#refer(`#${node.name}`, node, scope)
      case 'MetaProperty':
        return this.#refer(`${node.meta.name}.${node.property.name}`, node, scope)
      case 'UnaryExpression':
        // `typeof name` is how code asks whether a name is there at all.
        if (node.operator === 'typeof' && node.argument.type === 'Identifier') return
        return this.visit(node.argument, scope)
      case 'MemberExpression':
        if (node.computed || node.property.type === 'PrivateIdentifier') this.visit(node.property, scope)
        if (node.object.type !== 'Identifier') return this.visit(node.object, scope)
        return this.#refer(node.object.name, node, scope, nameOfMember(node))
      case 'CallExpression':
        return this.#readCall(node, scope)
      case 'ImportExpression':
        this.#noteImport('import', node.source, scope)
        return this.#visitChildren(node, scope)
      case 'Property':
        if (node.computed) this.visit(node.key, scope)
        if (node.method || node.kind !== 'init') return this.visit(node.value, scope.block().declare('super'))
        return this.visit(node.value, scope)
      case 'FunctionDeclaration':
        if (node.id) scope.declare(node.id.name)
        return this.#readFunction(node, scope, 'own this')
      case 'FunctionExpression':
        return this.#readFunction(node, node.id ? scope.block().declare(node.id.name) : scope, 'own this')
      case 'ArrowFunctionExpression':
        return this.#readFunction(node, scope, 'outer this')
      case 'ClassDeclaration':
        if (node.id) scope.declare(node.id.name)
        return this.#readClass(node, scope)
      case 'ClassExpression':
        return this.#readClass(node, scope)
      case 'VariableDeclaration':
        for (const { id, init } of node.declarations) {
          this.#declare(id, node.kind === 'var' ? scope.forVar : scope, scope)
          this.visit(init, scope)
        }
        return
      case 'CatchClause': {
        const inner = scope.block()
        if (node.param) this.#declare(node.param, inner, inner)
        return this.visit(node.body, inner)
      }
      case 'SwitchStatement': {
        this.visit(node.discriminant, scope)
        const inner = scope.block()
        for (const branch of node.cases) this.visit(branch, inner)
        return
      }
      case 'BlockStatement':
      case 'ForStatement':
      case 'ForInStatement':
      case 'ForOfStatement':
        return this.#visitChildren(node, scope.block())
      case 'LabeledStatement':
        return this.visit(node.body, scope)
      case 'BreakStatement':
      case 'ContinueStatement':
        return
      default:
        return this.#visitChildren(node, scope)
    }
  }

  #readCall(node: AnyNode & { type: 'CallExpression' }, scope: Scope): void {
    const { callee, arguments: given } = node
    const [first, ...rest] = given
    if (callee.type === 'Identifier' && IMPORTS.has(callee.name)) this.#noteImport(callee.name, first, scope)

    const [zero, imported, ...others] = callee.type === 'SequenceExpression' ? callee.expressions : []
    const isCallOfImport = zero?.type === 'Literal' && imported?.type === 'MemberExpression' && others.length === 0
    if (isCallOfImport && imported.object.type === 'Identifier' && !imported.computed) {
      this.#refer(imported.object.name, imported, scope, nameOfMember(imported), true)
    } else {
      this.visit(callee, scope)
    }

    const called = callee.type === 'MemberExpression' ? callee.property : callee
    const runsBody = called.type === 'Identifier' && RUNS_BODY.has(called.name) && first?.type === 'ThisExpression'
    for (const argument of runsBody ? rest : given) {
      if (runsBody && argument.type === 'FunctionExpression') this.#readFunction(argument, scope, 'outer this')
      else this.visit(argument, scope)
    }
  }

  /** Parameters have a scope of their own, around the body's: a default does not see what the body declares. */
  #readFunction(node: FunctionNode | ArrowFunctionExpression, scope: Scope, binds: 'own this' | 'outer this'): void {
    const parameters = scope.function()
    if (binds === 'own this') parameters.declare('this', 'arguments', 'new.target')
    for (const parameter of node.params) this.#declare(parameter, parameters, parameters)
    if (node.body.type !== 'BlockStatement') return this.visit(node.body, parameters)
    const body = parameters.function()
    for (const statement of node.body.body) this.visit(statement, body)
  }

  #readClass(node: Class, scope: Scope): void {
    const inner = node.id ? scope.block().declare(node.id.name) : scope.block()
    this.visit(node.superClass, inner)
    for (const member of node.body.body) {
      const memberScope = inner.function().declare('super')
      if (member.type === 'StaticBlock') {
        memberScope.declare('this')
        for (const statement of member.body) this.visit(statement, memberScope)
        continue
      }
      if (member.key.type === 'PrivateIdentifier') inner.declare(`#${member.key.name}`)
      if (member.computed) this.visit(member.key, inner)
      if (member.type === 'PropertyDefinition') memberScope.declare('this')
      this.visit(member.value, memberScope)
    }
  }

  /** Declares what `pattern` binds; defaults and computed keys inside it are expressions of `scope`. */
  #declare(pattern: Pattern, into: Scope, scope: Scope): void {
    const patterns: (Pattern | null)[] = [pattern]
    for (let next = patterns.pop(); next !== undefined; next = patterns.pop()) {
      switch (next?.type) {
        case 'Identifier':
          into.declare(next.name)
          break
        case 'ArrayPattern':
          patterns.push(...next.elements)
          break
        case 'RestElement':
          patterns.push(next.argument)
          break
        case 'AssignmentPattern':
          patterns.push(next.left)
          this.visit(next.right, scope)
          break
        case 'ObjectPattern':
          for (const property of next.properties) {
            if (property.type === 'Property' && property.computed) this.visit(property.key, scope)
            patterns.push(property.type === 'Property' ? property.value : property)
          }
          break
        default: // A hole in an array pattern. A member is no declaration.
      }
    }
  }

  #refer(name: string, { start }: Node, scope: Scope, member?: string, isCallOfImport = false): void {
    this.#references.push({ name, member, isCallOfImport, scope, start })
  }

  #noteImport(by: string, specifier: AnyNode | undefined, scope: Scope): void {
    if (specifier?.type !== 'Literal' || typeof specifier.value !== 'string') return
    this.#imports.push({ by, specifier: specifier.value, scope })
  }

  #visitChildren(node: AnyNode, scope: Scope): void {
    for (const child of Object.values(node).flat() as unknown[]) if (isNode(child)) this.visit(child, scope)
  }
}

function nameOfMember(node: AnyNode & { type: 'MemberExpression' }): string | undefined {
  return !node.computed && node.property.type === 'Identifier' ? node.property.name : undefined
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}
