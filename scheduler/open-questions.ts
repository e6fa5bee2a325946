/** Questions to the core that it has not answered yet. */
export class OpenQuestions<Answer> {
  readonly #open = new Map<number, (answer: Answer | undefined) => void>()
  #last = 0

  get size(): number {
    return this.#open.size
  }

  /** A new question, by its number; `undefined` is the answer when the scheduler stops before there is one. */
  ask(): { readonly request: number; readonly answer: Promise<Answer | undefined> } {
    const request = ++this.#last
    return { request, answer: new Promise((resolve) => this.#open.set(request, resolve)) }
  }

  settle(request: number, answer: Answer): void {
    this.#open.get(request)?.(answer)
    this.#open.delete(request)
  }

  close(): void {
    for (const tell of this.#open.values()) tell(undefined)
    this.#open.clear()
  }
}
