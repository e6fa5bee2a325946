/** What each token opens: over HTTP, and as a connection. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { askScheduler } from '../../deploy/ask-scheduler.js'
import { AuthenticationError, type HeddleError } from '../../protocol/errors.js'
import { clientToScheduler, schedulerToClient } from '../../protocol/messages/client.js'
import type { ClientToScheduler, SchedulerToClient } from '../../protocol/messages/client.js'
import { schedulerToWorker, workerToScheduler } from '../../protocol/messages/worker.js'
import type { SchedulerToWorker, WorkerToScheduler } from '../../protocol/messages/worker.js'
import type { CloseReason } from '../../protocol/transport/connection.js'
import { connectTo } from '../../protocol/transport/handshake.js'
import { dial } from '../../protocol/transport/websocket.js'
import { createRoleToken, newToken, type TokenRole } from '../../scheduler/role-token.js'
import { ask, askForUpgrade } from './http-request.js'
import { startTestScheduler } from './test-scheduler.js'

const OWN = newToken()
const tokenFor = (role: TokenRole, expiresAtS = 0): string => createRoleToken(OWN, { role, expiresAtS })
const bearer = (token: string): { readonly Authorization: string } => ({ Authorization: `Bearer ${token}` })

/** Connects with a token in a role, and gives the error that this comes to, if it does. */
async function connectAs(role: TokenRole | 'task', address: string, token: string): Promise<HeddleError | undefined> {
  const socket = await dial(address, { token })
  const shared = { socket, hello: { role, name: 'test' } } as const
  const handlers = { onMessages: () => undefined, onClose: () => undefined }
  try {
    const connection =
      role === 'worker'
        ? await connectTo<SchedulerToWorker, WorkerToScheduler>({
            ...shared,
            incoming: schedulerToWorker,
            outgoing: workerToScheduler,
            handlers: () => handlers,
          })
        : await connectTo<SchedulerToClient, ClientToScheduler>({
            ...shared,
            incoming: schedulerToClient,
            outgoing: clientToScheduler,
            handlers: () => handlers,
          })
    connection.close()
    return undefined
  } catch (error) {
    return error as HeddleError
  }
}

test('a token connects in its own role, and a client may look on too', async () => {
  await using scheduler = await startTestScheduler({ token: OWN })
  const roles = ['client', 'worker', 'viewer'] as const
  const opened: string[] = []
  for (const given of roles) {
    for (const role of roles) {
      const error = await connectAs(role, scheduler.address, tokenFor(given))
      if (error === undefined) opened.push(`${given} as ${role}`)
      else {
        assert.ok(error instanceof AuthenticationError)
        assert.equal(
          error.message,
          `This token is for a ${given}, and not for a ${role}; "heddle token create --role ${role}" makes one that is.`,
        )
      }
    }
  }
  assert.deepEqual(opened, ['client as client', 'client as viewer', 'worker as worker', 'viewer as viewer'])
  for (const role of roles) assert.equal(await connectAs(role, scheduler.address, OWN), undefined)
  // What tasks submit is for whoever runs them.
  assert.equal(await connectAs('task', scheduler.address, tokenFor('worker')), undefined)
  for (const given of ['client', 'viewer'] as const) {
    assert.ok((await connectAs('task', scheduler.address, tokenFor(given))) instanceof AuthenticationError)
  }
})

test('over HTTP a viewer and a client look, and a worker does not', async () => {
  await using scheduler = await startTestScheduler({ token: OWN })
  const { port } = scheduler
  for (const [role, statusCode] of [
    ['client', 200],
    ['viewer', 200],
    ['worker', 403],
  ] as const) {
    for (const path of ['/', '/api/v1/status', '/status.js']) {
      assert.equal((await ask({ port, path, headers: bearer(tokenFor(role)) })).statusCode, statusCode, role + path)
    }
  }
  const { body } = await ask({ port, path: '/api/v1/status', headers: bearer(tokenFor('worker')) })
  assert.deepEqual(JSON.parse(body), {
    code: 'ERR_HEDDLE_AUTHENTICATION',
    message: 'This token is not for that; "heddle token create --role" makes others: client for all, viewer to look.',
  })
})

test('a token that has expired is as good as none', async () => {
  await using scheduler = await startTestScheduler({ token: OWN })
  const { port, address } = scheduler
  const old = tokenFor('client', 1)
  assert.equal((await ask({ port, path: '/api/v1/status', headers: bearer(old) })).statusCode, 401)
  assert.equal(await askForUpgrade({ port, headers: bearer(old) }), 401)
  await assert.rejects(dial(address, { token: old }), AuthenticationError)
})

test('a viewer gets answers, and loses its connection when it asks for a change', async () => {
  await using scheduler = await startTestScheduler({ token: OWN })
  const token = tokenFor('viewer')
  const about = { name: 'test', token, timeoutMs: 60_000, role: 'viewer' } as const
  const { status } = await askScheduler(scheduler.address, {
    ...about,
    question: { type: 'ask-status', request: 7 },
    answer: 'status',
  })
  assert.equal(status.clients, 0, 'a viewer is no client')
  const { explanation } = await askScheduler(scheduler.address, {
    ...about,
    question: { type: 'ask-explanation', request: 8, task: 0 as never, key: 'f-1' },
    answer: 'explained',
  })
  assert.equal(explanation.state, 'unknown')

  const told = await askScheduler(scheduler.address, {
    ...about,
    question: { type: 'ask-workers', request: 9, subject: 'logs', workers: ['absent'] },
    answer: 'workers-told',
  })
  assert.deepEqual([told.request, told.unknown], [9, ['absent']])

  const changes: readonly ClientToScheduler[] = [
    { type: 'ask-lease' },
    { type: 'declare-limit', limit: { name: 'x', kind: 'semaphore', units: 1, perSecond: 0, burst: 0 } as never },
    { type: 'cancel', request: 1, tasks: [], graceMs: 0, error: new Uint8Array(0) },
    { type: 'await-workers', request: 1, count: 0 },
  ]
  for (const question of changes) {
    await assert.rejects(askScheduler(scheduler.address, { ...about, question, answer: 'lease' }), {
      code: 'ERR_HEDDLE_AUTHENTICATION',
      message: `A viewer may only look, and said "${question.type}"; connect as a client to do that.`,
    })
  }
})

test('the cookie of a browser is for what its token was for, and no longer', async () => {
  await using scheduler = await startTestScheduler({ token: OWN })
  const { port } = scheduler
  const inAnHourS = Math.floor(Date.now() / 1_000) + 3_600
  const [viewer = ''] = (await ask({ port, path: `/?token=${tokenFor('viewer', inAnHourS)}` })).headers['set-cookie']!
  const maxAgeS = Number(/Max-Age=(\d+)/.exec(viewer)?.[1])
  assert.ok(maxAgeS > 3_500 && maxAgeS <= 3_600, viewer)
  const shown = { Cookie: viewer.split(';')[0]! }
  assert.equal((await ask({ port, path: '/api/v1/status', headers: shown })).statusCode, 200)
  const forged = { Cookie: shown.Cookie.replace('viewer', 'client') }
  assert.equal((await ask({ port, path: '/api/v1/status', headers: forged })).statusCode, 401)
  const worker = await ask({ port, path: `/?token=${tokenFor('worker')}` })
  assert.deepEqual([worker.statusCode, worker.headers['set-cookie']], [401, undefined])
})

test('a connection is told why it ends', async () => {
  await using scheduler = await startTestScheduler({ token: OWN })
  const socket = await dial(scheduler.address, { token: tokenFor('viewer') })
  let onClose: (reason: CloseReason) => void
  const closed = new Promise<CloseReason>((resolve) => (onClose = resolve))
  const connection = await connectTo<SchedulerToClient, ClientToScheduler>({
    socket,
    hello: { role: 'viewer', name: 'test' },
    incoming: schedulerToClient,
    outgoing: clientToScheduler,
    handlers: () => ({ onMessages: () => undefined, onClose: (reason) => onClose(reason) }),
  })
  connection.send({ type: 'ask-lease' })
  assert.equal((await closed).code, 'ERR_HEDDLE_AUTHENTICATION')
})
