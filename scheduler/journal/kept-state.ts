/**
 * A scheduler's core whose state outlives its process: what the core says must be kept goes into a journal, and what is in
 * the journal makes the core.
 */
import type { Log } from '../../common/node/log.js'
import { HeddleError } from '../../protocol/errors.js'
import { arrayId } from '../../protocol/ids.js'
import type { JournalView } from '../../protocol/messages/watch.js'
import { list } from '../../protocol/schema.js'
import { decodeList, encode } from '../../protocol/transport/codec.js'
import { journalRecord, type JournalRecord } from '../core/durable/journal-record.js'
import { createSchedulerMachine, type SchedulerMachine } from '../core/machine.js'
import type { SchedulerConfig } from '../core/state.js'
import type { Journal } from './journal.js'

const records = list(journalRecord)
/** Of a snapshot so many records make a frame. */
const RECORDS_IN_FRAME = 64

/** Where what must be kept goes, and is found again. */
export type StateJournal = Pick<
  Journal,
  'directory' | 'view' | 'isOvergrown' | 'replay' | 'replaceBy' | 'goOn' | 'append' | 'close'
>

export interface KeptStateOptions {
  readonly journal: StateJournal
  readonly log: Log
  /** What a core begins with that finds nothing. */
  readonly config: SchedulerConfig
}

export class KeptState {
  readonly machine: SchedulerMachine
  /** The highest number of a client or a worker before: those that come have higher ones. */
  readonly lastMember: number
  readonly #journal: StateJournal
  readonly #log: Log

  /**
   * Reads what is there, and takes the journal along: it is closed with this, and when this fails.
   *
   * @throws {HeddleError} `ERR_HEDDLE_STATE_DAMAGED`, `ERR_HEDDLE_INVALID_OPTION`.
   */
  constructor({ config, journal, log }: KeptStateOptions) {
    this.#log = log
    this.#journal = journal
    try {
      const { machine, lastMember } = this.#replay(config)
      this.machine = machine
      this.lastMember = lastMember
      this.#beginFile()
    } catch (error) {
      this.#journal.close()
      throw error
    }
  }

  /** Calls back once these can't be lost any more. */
  keep(added: readonly JournalRecord[], onKept: () => void): void {
    this.#journal.append(encode(records, added, 0), onKept)
    if (!this.#journal.isOvergrown) return
    const startedAtMs = performance.now()
    if (!this.#journal.replaceBy(this.#snapshot())) return
    this.#log.debug(
      { ms: Math.round(performance.now() - startedAtMs) },
      'the journal was replaced by what is left of it',
    )
  }

  get journal(): JournalView {
    return this.#journal.view
  }

  close(): void {
    this.#journal.close()
  }

  #replay(config: SchedulerConfig): { readonly machine: SchedulerMachine; readonly lastMember: number } {
    let machine: SchedulerMachine | undefined
    let lastMember = 0
    this.#journal.replay((payload) => {
      for (const record of this.#decode(payload)) {
        if (record.type === 'begun') {
          const { peerSecret, nextArray } = record
          machine = createSchedulerMachine({ ...config, peerSecret, firstArray: arrayId(nextArray) })
        }
        if (record.type === 'client-came') lastMember = Math.max(lastMember, record.client)
        if (record.type === 'worker-came') lastMember = Math.max(lastMember, record.worker)
        machine?.replay(record)
      }
    })
    machine ??= createSchedulerMachine(config)
    machine.endReplay(performance.now())
    return { machine, lastMember }
  }

  #decode(payload: Uint8Array): JournalRecord[] {
    try {
      return decodeList(journalRecord, payload)
    } catch (cause) {
      const message =
        `The journal in ${this.#journal.directory} has records that this version of heddle does not know; start the version ` +
        'that wrote them, or choose another directory with --state-dir.'
      throw new HeddleError('ERR_HEDDLE_STATE_DAMAGED', message, { cause })
    }
  }

  #beginFile(): void {
    if (this.#journal.replaceBy(this.#snapshot()) || this.#journal.goOn()) return
    const message = `The state directory ${this.#journal.directory} has no room; make some, or choose another with --state-dir, or none.`
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', message)
  }

  *#snapshot(): Generator<Uint8Array> {
    let frame: JournalRecord[] = []
    for (const record of this.machine.snapshot()) {
      frame.push(record)
      if (frame.length < RECORDS_IN_FRAME) continue
      yield encode(records, frame, 0)
      frame = []
    }
    if (frame.length > 0) yield encode(records, frame, 0)
  }
}
