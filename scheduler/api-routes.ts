/** Answers `/api/v1`. Who may ask has been checked by then. */
import type * as Fastify from 'fastify'
import { HeddleError, ProtocolError, type ErrorCode } from '../protocol/errors.js'
import type { ProfileOrder } from '../protocol/messages/profile.js'
import {
  ACTIONS,
  METRICS_PATH,
  OPENAPI_PATH,
  PROFILE,
  TASK_HISTORY,
  TASK_VIEW,
  UNKNOWN,
  VIEWS,
  type Action,
  type Views,
} from './api.js'
import { faultOfProfile, type Answer, type LookersQuestion } from './core/views/inquiry.js'
import type { Metrics, MetricsSource } from './metrics.js'
import { describeApi } from './openapi.js'
import { profileOf } from './profile.js'
import type { Sessions } from './sessions.js'
import { historyOf } from './task-history.js'

export interface ApiOptions {
  readonly machine: Views
  readonly sessions: Pick<Sessions, 'nowMs' | 'operate' | 'askWorkers' | 'connections' | 'relayedBytes'>
  readonly journal: MetricsSource['journal']
}

const UNKNOWN_CODES: Readonly<Record<Action['parameter'], ErrorCode>> = {
  key: 'ERR_HEDDLE_UNKNOWN_KEY',
  fingerprint: 'ERR_HEDDLE_INVALID_OPTION',
  name: 'ERR_HEDDLE_INVALID_OPTION',
}

/** A second at a thousand samples. */
const DEFAULT_PROFILE_MS = 1_000
const DEFAULT_INTERVAL_US = 1_000

interface OfTask {
  readonly Params: { readonly key: string }
}

export function addApi(app: Fastify.FastifyInstance, options: ApiOptions): void {
  const { machine, sessions } = options
  for (const { path, read } of VIEWS) app.get(path, () => read(machine, sessions.nowMs))

  app.get<OfTask>(TASK_VIEW.path, ({ params: { key } }, reply) => {
    const details = machine.detailsOf(sessions.nowMs, key)
    if (details === undefined) answerUnknown(reply, key)
    else reply.send(details)
  })
  /** `undefined`: it has its answer already. */
  const askWorkers = async (reply: Fastify.FastifyReply, question: LookersQuestion): Promise<Answer | undefined> => {
    try {
      const answer = await sessions.askWorkers(question)
      if (answer === undefined) answerStopped(reply)
      return answer
    } catch (error) {
      if (!(error instanceof HeddleError)) throw error
      answerError(reply, 503, error.code, error.message)
      return undefined
    }
  }
  app.get<OfTask>(TASK_HISTORY.path, async ({ params: { key } }, reply) => {
    const details = machine.detailsOf(sessions.nowMs, key)
    if (details === undefined) return answerUnknown(reply, key)
    const submittedAtMs = Date.now() - details.timings.submittedForMs
    const answer = await askWorkers(reply, { about: 'task', key })
    if (answer !== undefined) answerTold(reply, () => historyOf(key, submittedAtMs, answer))
    return reply
  })
  app.post<{ readonly Querystring: Readonly<Record<string, unknown>> }>(PROFILE.path, async ({ query }, reply) => {
    const { worker, durationMs = DEFAULT_PROFILE_MS, intervalMicros = DEFAULT_INTERVAL_US, ...others } = query
    const order = { durationMs: Number(durationMs), intervalMicros: Number(intervalMicros) }
    const stranger =
      Object.keys(others)[0] ?? (typeof worker === 'string' || worker === undefined ? undefined : 'worker')
    const fault = stranger === undefined ? faultOfOrder(order) : `${stranger} is unknown, or given twice`
    if (fault !== undefined) {
      const message = `No profile is taken: ${fault}; ${OPENAPI_PATH} says what may be asked for.`
      return answerError(reply, 400, 'ERR_HEDDLE_INVALID_OPTION', message)
    }
    const workers = typeof worker === 'string' ? [worker] : []
    const answer = await askWorkers(reply, { about: 'profile', workers, order })
    if (answer === undefined) return
    const [unknown] = answer.unknown
    if (unknown !== undefined) return answerError(reply, 404, UNKNOWN_CODES.name, UNKNOWN.name(unknown))
    answerTold(reply, () => profileOf(order.durationMs, answer))
    return reply
  })
  for (const { path, action, parameter } of ACTIONS) {
    app.post<{ readonly Params: Readonly<Record<string, string>> }>(path, async ({ params }, reply) => {
      const target = params[parameter] ?? ''
      const answer = await sessions.operate(action, target)
      if (answer === undefined) return answerStopped(reply)
      const { outcome, count } = answer
      if (outcome === 'unknown') return answerError(reply, 404, UNKNOWN_CODES[parameter], UNKNOWN[parameter](target))
      if (outcome === 'unwatched') {
        const message = `Worker ${target} has no nanny, so nobody would start it again; drain it, and start another.`
        return answerError(reply, 409, 'ERR_HEDDLE_INVALID_OPTION', message)
      }
      return await reply.send({ [parameter]: target, outcome, count })
    })
  }

  let metrics: Metrics | undefined
  app.get(METRICS_PATH, async (_request, reply) => {
    metrics ??= await loadMetrics(options)
    return await reply.type(metrics.contentType).send(await metrics.text())
  })

  const description = describeApi()
  app.get(OPENAPI_PATH, () => description)
}

function faultOfOrder(order: ProfileOrder): string | undefined {
  const { durationMs, intervalMicros } = order
  const isWhole = (value: number): boolean => Number.isInteger(value) && value > 0
  if (!isWhole(durationMs) || !isWhole(intervalMicros)) return 'durationMs and intervalMicros are whole numbers above 0'
  return faultOfProfile(order)
}

/** Many a scheduler is never scraped. */
async function loadMetrics({ machine, sessions, journal }: ApiOptions): Promise<Metrics> {
  const { Metrics: Loaded } = await import('./metrics.js')
  return new Loaded({
    status: () => machine.statusOf(sessions.nowMs),
    overview: () => machine.overviewOf(sessions.nowMs),
    journal,
    get connections() {
      return sessions.connections
    },
    get relayedBytes() {
      return sessions.relayedBytes
    },
  })
}

/** What workers told, put together; 502 when one of them told what makes no sense. */
function answerTold(reply: Fastify.FastifyReply, putTogether: () => object): void {
  let answer: object
  try {
    answer = putTogether()
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error
    return answerError(reply, 502, error.code, error.message)
  }
  reply.send(answer)
}

function answerStopped(reply: Fastify.FastifyReply): void {
  answerError(reply, 503, 'ERR_HEDDLE_CLOSED', 'The scheduler stops; ask the one that takes its place.')
}

function answerUnknown(reply: Fastify.FastifyReply, key: string): void {
  answerError(reply, 404, UNKNOWN_CODES.key, UNKNOWN.key(key))
}

export function answerError(reply: Fastify.FastifyReply, statusCode: number, code: ErrorCode, message: string): void {
  reply.code(statusCode).send({ code, message })
}
