/** Where names are declared while a function's source is read. */

export class Scope {
  readonly #parent: Scope | undefined
  readonly #names = new Set<string>()
  /** The scope that a `var` in this one belongs to. */
  readonly forVar: Scope

  private constructor(parent: Scope | undefined, forVar: Scope | undefined) {
    this.#parent = parent
    this.forVar = forVar ?? this
  }

  static root(): Scope {
    return new Scope(undefined, undefined)
  }

  /** What `let`, `const`, `class` and, in strict code, `function` belong to. */
  block(): Scope {
    return new Scope(this, this.forVar)
  }

  /** What `var` belongs to as well: the parameters of a function, its body, a static block. */
  function(): Scope {
    return new Scope(this, undefined)
  }

  declare(...names: readonly string[]): this {
    for (const name of names) this.#names.add(name)
    return this
  }

  /** Asked once everything is declared: names are hoisted. */
  has(name: string): boolean {
    return this.#names.has(name) || (this.#parent?.has(name) ?? false)
  }
}
