/** The description of the HTTP API in the form of OpenAPI 3.1, made of the declarations that the answers are made of. */
import { packageVersion } from '../common/node/package-version.js'
import { apiError } from '../protocol/messages/api.js'
import type { Field, Shape } from '../protocol/schema.js'
import { ACTIONS, METRICS_PATH, OPENAPI_PATH, PROFILE, TASK_HISTORY, TASK_VIEW, VIEWS, type Action } from './api.js'

const ERROR = { $ref: '#/components/schemas/Error' }
const UNAUTHORIZED = answer('No token, a wrong one, or one that has expired.', ERROR)
const FORBIDDEN = answer('A token for something else, or a page of another site.', ERROR)
const UNKNOWN = answer('There is no such task: it was never submitted, or nobody needs it any more.', ERROR)
const NONSENSE = answer('A worker told what makes no sense.', ERROR)
const KEY = parameterOf('key', 'As future.key and the log have it, URL-encoded.')

const PARAMETERS: Readonly<Record<Action['parameter'], Shape>> = {
  key: KEY,
  fingerprint: parameterOf('fingerprint', 'As /api/v1/errors has it.'),
  name: parameterOf('name', 'Of a worker, as /api/v1/workers has it, URL-encoded.'),
}

export function describeApi(): Shape {
  const paths: Record<string, unknown> = {
    '/health': {
      get: {
        summary: 'Says that the scheduler is up, to anybody.',
        security: [{}],
        responses: { 200: answer('It is up.', { type: 'object', properties: { status: { const: 'ok' } } }) },
      },
    },
  }
  for (const view of VIEWS) paths[view.path] = { get: operation(view.summary, { 200: fieldAnswer(view.answer) }) }
  paths[templateOf(TASK_VIEW.path)] = {
    parameters: [KEY],
    get: operation(TASK_VIEW.summary, { 200: fieldAnswer(TASK_VIEW.answer), 404: UNKNOWN }),
  }
  paths[templateOf(TASK_HISTORY.path)] = {
    parameters: [KEY],
    get: operation(TASK_HISTORY.summary, {
      200: fieldAnswer(TASK_HISTORY.answer),
      404: UNKNOWN,
      502: NONSENSE,
      503: answer('Too many such questions are open, or the scheduler stops.', ERROR),
    }),
  }
  for (const { path, summary, parameter, action, answer: shape } of ACTIONS) {
    const responses = {
      200: fieldAnswer(shape),
      404: parameter === 'key' ? UNKNOWN : answer('There is no such thing.', ERROR),
      ...(action === 'restart' && { 409: answer('The worker has no nanny, so nobody would start it again.', ERROR) }),
      503: answer('The scheduler stops.', ERROR),
    }
    paths[templateOf(path)] = {
      parameters: [PARAMETERS[parameter]],
      post: { ...operation(summary, responses), description: 'Takes the token of a client.' },
    }
  }
  paths[PROFILE.path] = {
    post: {
      ...operation(PROFILE.summary, {
        200: fieldAnswer(PROFILE.answer),
        400: answer('What is asked for makes no sense, or is too much.', ERROR),
        404: answer('There is no such worker.', ERROR),
        502: NONSENSE,
        503: answer('Too many such questions are open, or the scheduler stops.', ERROR),
      }),
      description: 'Takes the token of a client.',
      parameters: Object.entries(PROFILE.query).map(([name, description]) => {
        return { name, in: 'query', description, schema: { type: name === 'worker' ? 'string' : 'integer' } }
      }),
    },
  }
  paths[METRICS_PATH] = {
    get: operation('Figures for Prometheus; docs/metrics.md lists them.', {
      200: { description: 'The figures.', content: { 'text/plain': { schema: { type: 'string' } } } },
    }),
  }
  paths[OPENAPI_PATH] = {
    get: operation('This description.', { 200: answer('It.', { type: 'object' }) }),
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'heddle',
      version: packageVersion(),
      description:
        'What a heddle scheduler tells over HTTP, and does for whoever looks after a cluster. Within v1 fields are added and never taken away. See docs/http.md.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    security: [{ token: [] }],
    paths,
    components: {
      schemas: { Error: apiError.shape },
      securitySchemes: {
        token: {
          type: 'http',
          scheme: 'bearer',
          description: 'A token of the scheduler, of a client or, to look, of a viewer. None is needed on loopback.',
        },
      },
    },
  }
}

function parameterOf(name: string, description: string): Shape {
  return { name, in: 'path', required: true, description, schema: { type: 'string' } }
}

function operation(summary: string, responses: Readonly<Record<number, Shape>>): Shape {
  return { summary, responses: { ...responses, 401: UNAUTHORIZED, 403: FORBIDDEN } }
}

function fieldAnswer({ shape }: Field<unknown>): Shape {
  return answer('The answer.', shape ?? {})
}

function answer(description: string, schema: Shape): Shape {
  return { description, content: { 'application/json': { schema } } }
}

/** `/tasks/:key` is `/tasks/{key}`. */
function templateOf(path: string): string {
  return path.replace(/:(\w+)/g, '{$1}')
}
