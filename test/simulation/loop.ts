/** A process's event loop on virtual time: gathers the events of a turn, drives the core, and carries out what it asks. */
import type { Rng } from '../../common/rng.js'
import type { Agenda } from '../../testing/agenda.js'

export type Unstamped<E> = E extends unknown ? Omit<E, 'nowMs'> : never

interface Core<E, I> {
  handleEvent(event: E): readonly I[]
  endTurn(nowMs: number): readonly I[]
  nextDeadlineMs?(): number | undefined
  checkInvariants(): void
  /** How long a check takes, in about microseconds: large states are checked less often. */
  costOfCheck(): number
}

export interface LoopOptions<E, I extends { readonly type: string }> {
  readonly agenda: Agenda
  readonly rng: Rng
  readonly core: Core<E, I>
  readonly perform: (instruction: I) => void
  readonly flush: () => void
  /** Sees every event and instruction, of a seed that is looked into. */
  readonly trace: Trace | undefined
}

/** Hears what the core of a process is told and asks for. */
export type Trace = (direction: '<' | '>', what: { readonly type: string }) => void

/** After each event a check is due; of large states only so much of it is done. */
const CHECK_BUDGET_US = 40

export class Loop<E extends { readonly type: string; readonly nowMs: number }, I extends { readonly type: string }> {
  readonly #options: LoopOptions<E, I>
  #pending: E[] = []
  #isScheduled = false
  #isStopped = false
  #armedAtMs = Infinity
  #checkCredit = 0

  constructor(options: LoopOptions<E, I>) {
    this.#options = options
  }

  submit(event: Unstamped<E>): void {
    // An event is stamped here and nowhere else: with its time it is whole again, which the compiler can't see.
    this.#pending.push({ ...event, nowMs: this.#options.agenda.nowMs } as unknown as E)
    this.#schedule()
  }

  /** A turn is due, though nothing happened. */
  wake(): void {
    this.#schedule()
  }

  /** The process is gone. */
  stop(): void {
    this.#isStopped = true
    this.#pending = []
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isStopped) return
    this.#isScheduled = true
    const { agenda, rng } = this.#options
    // Mostly at once; sometimes the process is held up, and much gathers in one turn.
    agenda.in(rng.chance(0.05) ? rng.between(0, 20) : rng.between(0, 0.05), () => this.#runTurn())
  }

  #runTurn(): void {
    this.#isScheduled = false
    const { agenda, core, flush, trace } = this.#options
    const perform = (instruction: I): void => {
      trace?.('>', instruction)
      this.#options.perform(instruction)
    }
    const events = this.#pending
    this.#pending = []
    for (const event of events) {
      if (this.#isStopped) return
      trace?.('<', event)
      for (const instruction of core.handleEvent(event)) perform(instruction)
      this.#check()
    }
    if (this.#isStopped) return
    for (const instruction of core.endTurn(agenda.nowMs)) {
      if (this.#isStopped) return // It died as it carried out what came before.
      perform(instruction)
    }
    this.#check()
    flush()
    this.#armTimer()
  }

  #check(): void {
    const { core } = this.#options
    this.#checkCredit += CHECK_BUDGET_US
    const costUs = core.costOfCheck()
    if (this.#checkCredit < costUs) return
    this.#checkCredit = 0
    core.checkInvariants()
  }

  #armTimer(): void {
    const { agenda, core } = this.#options
    const deadlineMs = core.nextDeadlineMs?.() ?? Infinity
    if (deadlineMs === this.#armedAtMs || deadlineMs === Infinity) return
    this.#armedAtMs = deadlineMs
    agenda.in(deadlineMs - agenda.nowMs, () => {
      if (this.#armedAtMs !== deadlineMs) return
      this.#armedAtMs = Infinity
      this.#schedule()
    })
  }
}
