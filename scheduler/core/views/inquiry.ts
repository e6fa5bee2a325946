/** Questions that the scheduler passes on to workers. It does not read what they answer. */
import { ownBytes, Packer, type Packed } from '../../../common/packed.js'
import { taskId } from '../../../protocol/ids.js'
import {
  MAX_EXPLAINED,
  MAX_PROFILE_MS,
  MAX_PROFILE_SAMPLES,
  MIN_PROFILE_INTERVAL_US,
} from '../../../protocol/limits.js'
import type { AskProfile, ProfileOrder } from '../../../protocol/messages/profile.js'
import type { ReportCall, Subject, Told } from '../../../protocol/messages/report.js'
import type { SchedulerToWorker } from '../../../protocol/messages/worker.js'
import type { ClientRecord } from '../clients/client-record.js'
import { findByKey } from './explain.js'
import { outboxOf, workerOutboxOf, type SchedulerState } from '../state.js'
import type { WorkerRecord } from '../workers/worker-record.js'

/** What somebody asks who only looks: of these workers, or of all if there are none; or about one task. */
export type LookersQuestion =
  | { readonly about: Subject; readonly workers: readonly string[] }
  | { readonly about: 'task'; readonly key: string }
  | { readonly about: 'profile'; readonly workers: readonly string[]; readonly order: ProfileOrder }

/** `unknown` are names that no worker has: then nobody was asked. */
export interface Answer {
  readonly unknown: readonly string[]
  readonly workers: readonly string[]
  readonly reports: Packed
}

/** A question of a client, or of somebody who only looks, until all workers have answered that are still there. */
export interface Inquiry {
  readonly client: ClientRecord | undefined
  readonly request: number
  readonly open: Set<WorkerRecord>
  readonly reports: { readonly worker: string; readonly report: Uint8Array }[]
}

type Asker = Pick<Inquiry, 'client' | 'request'>
type Ask = (question: number) => SchedulerToWorker & { readonly type: 'tell' | 'tell-of-task' | 'take-profile' }

export function onAskWorkers(
  state: SchedulerState,
  client: ClientRecord,
  { request, subject, workers }: Extract<ReportCall, { readonly type: 'ask-workers' }>,
): void {
  askByName(state, { client, request }, workers, (question) => ({ type: 'tell', question, subject }))
}

/** Returns what is wrong with the message, or `undefined` when it was passed on. */
export function onAskProfile(
  state: SchedulerState,
  client: ClientRecord,
  { request, workers, durationMs, intervalMicros }: AskProfile,
): string | undefined {
  const order = { durationMs, intervalMicros }
  const fault = faultOfProfile(order)
  if (fault === undefined) askForProfile(state, { client, request }, workers, order)
  return fault
}

export function faultOfProfile({ durationMs, intervalMicros }: ProfileOrder): string | undefined {
  if (durationMs > MAX_PROFILE_MS || intervalMicros < MIN_PROFILE_INTERVAL_US) return 'its profile takes too much'
  if (durationMs * 1_000 > intervalMicros * MAX_PROFILE_SAMPLES) return 'its profile has too many samples'
  return undefined
}

function askForProfile(state: SchedulerState, asker: Asker, workers: readonly string[], order: ProfileOrder): void {
  askByName(state, asker, workers, (question) => ({ type: 'take-profile', question, ...order }))
}

export function onLookerAsked(state: SchedulerState, request: number, question: LookersQuestion): void {
  const asker = { client: undefined, request }
  if (question.about === 'task') askAboutTask(state, asker, question.key)
  else if (question.about === 'profile') askForProfile(state, asker, question.workers, question.order)
  else {
    const { about: subject, workers } = question
    askByName(state, asker, workers, (number) => ({ type: 'tell', question: number, subject }))
  }
}

function askByName(state: SchedulerState, asker: Asker, names: readonly string[], questionOf: Ask): void {
  const unknown = names.filter((name) => !state.workersByName.has(name))
  const asked = names.length === 0 ? [...state.workers.values()] : names.map((name) => state.workersByName.get(name))
  const open = unknown.length > 0 ? [] : asked.filter((worker) => worker !== undefined)
  ask(state, asker, unknown, open, questionOf)
}

/** Any worker may have had it, once. */
function askAboutTask(state: SchedulerState, asker: Asker, key: string): void {
  const place = findByKey(state, key)
  if (place === undefined) {
    answer(state, { ...asker, open: new Set(), reports: [] }, [])
    return
  }
  const task = taskId(place.array.id, place.index)
  const inputs = place.task?.inputs.slice(0, MAX_EXPLAINED).map(({ id }) => id) ?? []
  const workers = [...state.workers.values()]
  ask(state, asker, [], workers, (question) => ({ type: 'tell-of-task', question, task, key, inputs }))
}

function ask(
  state: SchedulerState,
  asker: Asker,
  unknown: readonly string[],
  workers: readonly WorkerRecord[],
  questionOf: Ask,
): void {
  const inquiry = { ...asker, open: new Set(workers), reports: [] }
  if (inquiry.open.size === 0) {
    answer(state, inquiry, unknown)
    return
  }
  const question = state.nextInquiry++
  state.inquiries.set(question, inquiry)
  for (const worker of inquiry.open) workerOutboxOf(state, worker).add(questionOf(question))
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

function answerIfDone(state: SchedulerState, question: number, inquiry: Inquiry): void {
  if (inquiry.open.size > 0) return
  state.inquiries.delete(question)
  answer(state, inquiry, [])
}

function answer(state: SchedulerState, { client, request, reports }: Inquiry, unknown: readonly string[]): void {
  const packer = new Packer()
  for (const { report } of reports) packer.add(report)
  const told: Answer = { unknown, workers: reports.map(({ worker }) => worker), reports: packer.take() }
  if (client === undefined) state.orders.push({ type: 'answer-looker', request, answer: told })
  else outboxOf(state, client).add({ type: 'workers-told', request, ...told })
}
