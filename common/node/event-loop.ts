/**
 * Drives a core: gathers the events of one turn of Node's event loop, applies them in order, then performs all the I/O
 * they ask for, so that what many events lead to leaves as one frame.
 */

/** A core bound to its state. */
export interface Machine<Event, Instruction> {
  handleEvent(event: Event): readonly Instruction[]
  /** Called once after the events of a turn, for work that many events share: placement, freeing. */
  endTurn(nowMs: number): readonly Instruction[]
  /** When the core wants a turn even if nothing happens, in the milliseconds of `nowMs`; `undefined` for never. */
  nextDeadlineMs?(): number | undefined
}

export interface EventLoopOptions<Event, Instruction> {
  readonly machine: Machine<Event, Instruction>
  readonly perform: (instruction: Instruction) => void
  /** Told of an error that a handler threw: a bug of ours. The loop is stopped by then. */
  readonly onCrash: (error: unknown) => void
}

export class EventLoop<Event, Instruction> {
  readonly #machine: Machine<Event, Instruction>
  readonly #perform: (instruction: Instruction) => void
  readonly #onCrash: (error: unknown) => void
  #pending: Event[] = []
  #scheduled = false
  #stopped = false
  #timer: NodeJS.Timeout | undefined
  #timerAtMs = Infinity

  constructor({ machine, perform, onCrash }: EventLoopOptions<Event, Instruction>) {
    this.#machine = machine
    this.#perform = perform
    this.#onCrash = onCrash
  }

  /** Milliseconds on a clock that never goes back; what `nowMs` of every event means. */
  get nowMs(): number {
    return performance.now()
  }

  submit(event: Event): void {
    this.#pending.push(event)
    this.#schedule()
  }

  /** Gives the core a turn though nothing happened: it may have been given a state that asks for one. */
  wake(): void {
    this.#schedule()
  }

  /** Forgets what is pending and does nothing more. */
  stop(): void {
    this.#stopped = true
    this.#pending = []
    clearTimeout(this.#timer)
  }

  #schedule(): void {
    if (this.#scheduled || this.#stopped) return
    this.#scheduled = true
    setImmediate(() => this.#runTurn())
  }

  #runTurn(): void {
    this.#scheduled = false
    if (this.#stopped) return
    const events = this.#pending
    this.#pending = []
    try {
      for (const event of events) for (const instruction of this.#machine.handleEvent(event)) this.#perform(instruction)
      for (const instruction of this.#machine.endTurn(this.nowMs)) this.#perform(instruction)
      this.#armTimer()
    } catch (error) {
      this.stop()
      this.#onCrash(error)
    }
  }

  #armTimer(): void {
    const deadlineMs = this.#machine.nextDeadlineMs?.() ?? Infinity
    if (deadlineMs === this.#timerAtMs) return
    clearTimeout(this.#timer)
    this.#timerAtMs = deadlineMs
    if (deadlineMs === Infinity) return
    this.#timer = setTimeout(
      () => {
        this.#timerAtMs = Infinity
        this.#schedule()
      },
      Math.max(0, deadlineMs - this.nowMs),
    )
    this.#timer.unref()
  }
}
