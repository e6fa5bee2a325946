/** Where the walk stands in a value, kept so cheaply that every step can afford it, and made into a text on refusal. */

/** How a container names what is in it. */
export type StepKind = 'property' | 'index' | 'map-key' | 'map-value' | 'set-item' | 'encoded'

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u

/** A longer path is cut. */
const SHOWN_STEPS = 30

export class Path {
  #root = ''
  readonly #kinds: StepKind[] = []
  readonly #keys: unknown[] = []

  begin(root: string): void {
    this.#root = root
  }

  /** Says that the walk is at `key` of a container at this depth, whose own containers are at lower depths. */
  set(depth: number, kind: StepKind, key: unknown): void {
    this.#kinds[depth] = kind
    this.#keys[depth] = key
  }

  /** The path to what the walk is at, as in `args[1].rows[0].parser`; `depth` counts the containers around it. */
  render(depth: number): string {
    let text = this.#root
    for (let i = 0; i < Math.min(depth, SHOWN_STEPS); i++) text += renderStep(this.#kinds[i]!, this.#keys[i])
    return depth > SHOWN_STEPS ? `${text}…` : text
  }
}

function renderStep(kind: StepKind, key: unknown): string {
  switch (kind) {
    case 'index':
      return `[${String(key)}]`
    case 'map-key':
      return `.keys()[${String(key)}]`
    case 'set-item':
      return `.values()[${String(key)}]`
    case 'map-value':
      return typeof key === 'object' ? '.get(…)' : `.get(${renderKey(key)})`
    case 'property':
      return typeof key === 'string' && IDENTIFIER.test(key) ? `.${key}` : `[${renderKey(key)}]`
    case 'encoded':
      return '.encode()'
  }
}

const renderKey = (key: unknown): string => (typeof key === 'string' ? JSON.stringify(key) : String(key))
