/**
 * What happens in a simulation from outside: workers that come, what clients do, and faults, each by a name. A simulation may be
 * run with some of it only, which is how a failing one is made small; see shrink.ts.
 */
export interface ProgramOptions {
  /** Nothing but these happens. */
  readonly only?: ReadonlySet<string>
  /** A client submits no more tasks than these at once. */
  readonly mostTasks?: number
}

export interface ProgramEvent {
  readonly name: string
  readonly atMs: number
  /** What was said in it. */
  readonly said: string[]
}

export class Program {
  readonly mostTasks: number
  readonly #only: ReadonlySet<string> | undefined
  readonly #events: ProgramEvent[] = []
  #current: ProgramEvent | undefined

  constructor({ only, mostTasks = Infinity }: ProgramOptions = {}) {
    this.#only = only
    this.mostTasks = mostTasks
  }

  /** What has happened, in the order in which it did. */
  get events(): readonly ProgramEvent[] {
    return this.#events
  }

  /** Lets it happen, unless it is left out. */
  run(name: string, atMs: number, action: () => void): void {
    if (this.#only?.has(name) === false) return
    this.#current = { name, atMs, said: [] }
    this.#events.push(this.#current)
    action()
    this.#current = undefined
  }

  /** A client says this in the event that goes on, if one does. */
  note(said: string): void {
    this.#current?.said.push(said)
  }
}
