/** Answers `/api/v1`. Who may ask has been checked by then. */
import type * as Fastify from 'fastify'
import type { ErrorCode } from '../protocol/errors.js'
import { METRICS_PATH, OPENAPI_PATH, TASK_ACTIONS, TASK_VIEW, VIEWS, type Views } from './api.js'
import type { Metrics } from './metrics.js'
import { describeApi } from './openapi.js'
import type { Sessions } from './sessions.js'

export interface ApiOptions {
  readonly machine: Views
  readonly sessions: Pick<Sessions, 'nowMs' | 'operate' | 'connections' | 'relayedBytes'>
}

interface OfTask {
  readonly Params: { readonly key: string }
}

export function addApi(app: Fastify.FastifyInstance, { machine, sessions }: ApiOptions): void {
  for (const { path, read } of VIEWS) app.get(path, () => read(machine, sessions.nowMs))

  app.get<OfTask>(TASK_VIEW.path, ({ params: { key } }, reply) => {
    const details = machine.detailsOf(sessions.nowMs, key)
    if (details === undefined) answerUnknown(reply, key)
    else reply.send(details)
  })
  for (const { path, action } of TASK_ACTIONS) {
    app.post<OfTask>(path, async ({ params: { key } }, reply) => {
      const outcome = await sessions.operate(action, key)
      if (outcome === 'unknown') return answerUnknown(reply, key)
      if (outcome !== undefined) return await reply.send({ key, outcome })
      answerError(reply, 503, 'ERR_HEDDLE_CLOSED', 'The scheduler stops; ask the one that takes its place.')
    })
  }

  let metrics: Metrics | undefined
  app.get(METRICS_PATH, async (_request, reply) => {
    metrics ??= await loadMetrics({ machine, sessions })
    return await reply.type(metrics.contentType).send(await metrics.text())
  })

  const description = describeApi()
  app.get(OPENAPI_PATH, () => description)
}

/** Many a scheduler is never scraped. */
async function loadMetrics({ machine, sessions }: ApiOptions): Promise<Metrics> {
  const { Metrics: Loaded } = await import('./metrics.js')
  return new Loaded({
    status: () => machine.statusOf(sessions.nowMs),
    overview: () => machine.overviewOf(sessions.nowMs),
    get connections() {
      return sessions.connections
    },
    get relayedBytes() {
      return sessions.relayedBytes
    },
  })
}

function answerUnknown(reply: Fastify.FastifyReply, key: string): void {
  const message = `There is no task ${key}: it was never submitted, or nobody needs it any more.`
  answerError(reply, 404, 'ERR_HEDDLE_UNKNOWN_KEY', message)
}

export function answerError(reply: Fastify.FastifyReply, statusCode: number, code: ErrorCode, message: string): void {
  reply.code(statusCode).send({ code, message })
}
