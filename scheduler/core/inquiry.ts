/** Questions that the scheduler passes on to workers. It does not read what they answer. */
import { ownBytes, Packer } from '../../common/packed.js'
import { MAX_PROFILE_MS, MAX_PROFILE_SAMPLES, MIN_PROFILE_INTERVAL_US } from '../../protocol/limits.js'
import type { AskProfile, TakeProfile } from '../../protocol/messages/profile.js'
import type { ReportCall, Tell, Told } from '../../protocol/messages/report.js'
import type { ClientRecord } from './client-record.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from './state.js'
import type { WorkerRecord } from './worker-record.js'

/** A client's question, until all workers have answered that are still there. */
export interface Inquiry {
  readonly client: ClientRecord
  readonly request: number
  readonly open: Set<WorkerRecord>
  readonly reports: { readonly worker: string; readonly report: Uint8Array }[]
}

export function onAskWorkers(
  state: SchedulerState,
  client: ClientRecord,
  { request, subject, workers }: Extract<ReportCall, { readonly type: 'ask-workers' }>,
): void {
  ask(state, client, { request, workers }, (question) => ({ type: 'tell', question, subject }))
}

/** Returns what is wrong with the message, or `undefined` when it was passed on. */
export function onAskProfile(
  state: SchedulerState,
  client: ClientRecord,
  { request, workers, durationMs, intervalMicros }: AskProfile,
): string | undefined {
  if (durationMs > MAX_PROFILE_MS || intervalMicros < MIN_PROFILE_INTERVAL_US) return 'its profile takes too much'
  if (durationMs * 1_000 > intervalMicros * MAX_PROFILE_SAMPLES) return 'its profile has too many samples'
  const order = { durationMs, intervalMicros }
  ask(state, client, { request, workers }, (question) => ({ type: 'take-profile', question, ...order }))
  return undefined
}

function ask(
  state: SchedulerState,
  client: ClientRecord,
  { request, workers: names }: { readonly request: number; readonly workers: readonly string[] },
  messageOf: (question: number) => Tell | TakeProfile,
): void {
  const unknown = names.filter((name) => !state.workersByName.has(name))
  const asked = names.length === 0 ? [...state.workers.values()] : names.map((name) => state.workersByName.get(name))
  const open = new Set(asked.filter((worker) => worker !== undefined))
  if (unknown.length > 0 || open.size === 0) {
    const reports = new Packer().take()
    outboxOf(state, client).add({ type: 'workers-told', request, unknown, workers: [], reports })
    return
  }
  const question = state.nextInquiry++
  state.inquiries.set(question, { client, request, open, reports: [] })
  for (const worker of open) workerOutboxOf(state, worker).add(messageOf(question))
}

export function onTold(state: SchedulerState, worker: WorkerRecord, { question, report }: Told): void {
  const inquiry = state.inquiries.get(question)
  if (inquiry?.open.delete(worker) !== true) return
  inquiry.reports.push({ worker: worker.join.name, report: ownBytes(report) })
  answerIfDone(state, question, inquiry)
}

/** The worker is gone: what it would have answered is left out. */
export function endInquiriesOf(state: SchedulerState, worker: WorkerRecord): void {
  for (const [question, inquiry] of state.inquiries) {
    if (inquiry.open.delete(worker)) answerIfDone(state, question, inquiry)
  }
}

/** The client is gone. */
export function forgetInquiries(state: SchedulerState, client: ClientRecord): void {
  for (const [question, inquiry] of state.inquiries) if (inquiry.client === client) state.inquiries.delete(question)
}

function answerIfDone(state: SchedulerState, question: number, { client, request, open, reports }: Inquiry): void {
  if (open.size > 0) return
  state.inquiries.delete(question)
  const packer = new Packer()
  for (const { report } of reports) packer.add(report)
  const workers = reports.map(({ worker }) => worker)
  outboxOf(state, client).add({ type: 'workers-told', request, unknown: [], workers, reports: packer.take() })
}
