/** What a stranger finds who tries everything at a scheduler: with no token, with a viewer's, from a page of another site. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { networkInterfaces } from 'node:os'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { startSchedulerCommand, run, Command } from '../cli/command.js'
import { ask, askForUpgrade, type HttpQuestion } from '../scheduler-shell/http-request.js'
import { eventually } from '../support/eventually.js'
import { listeningPortsOf } from '../support/listening-ports.js'
import { ROUTES } from '../../scheduler/pages.js'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'PURGE'] as const
/** What is there, and what somebody might hope to find. */
const PATHS = [
  ...ROUTES.map(({ url }) => url.replace(/:\w+/, 'f-1')),
  '/metrics/',
  '/api',
  '/api/v2/cluster',
  '/health/',
  '/health?x=1',
  '/HEALTH',
  '//health',
  '/./health',
  '/health/..%2fapi%2fv1%2fstatus',
  '/api/v1/../../health',
  '/index.html',
  '/.env',
  '/status.js?token=',
  '/?token=',
  '/?token=wrong',
  '/?x=/?token=',
  '*',
]

/** An address of this machine that others can reach, if it has one. */
function outerAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  return addresses.find(({ internal, family }) => !internal && family === 'IPv4')?.address ?? '127.0.0.1'
}

async function startOnNetwork(): Promise<
  { readonly host: string; readonly port: number; readonly token: string; readonly command: Command } & AsyncDisposable
> {
  const scheduler = await startSchedulerCommand(['--host', '0.0.0.0', '--log-level', 'debug'])
  const { command, port } = scheduler
  await eventually('the token', () => command.stdout.includes('\n'))
  const [, token = ''] = /^HEDDLE_TOKEN=(\S+)/.exec(command.stdout) ?? []
  const host = outerAddress()
  return { host, port, token, command, [Symbol.asyncDispose]: () => scheduler[Symbol.asyncDispose]() }
}

async function tokenFor(role: string, own: string): Promise<string> {
  const { stdout } = await run(['token', 'create', '--role', role], { env: { HEDDLE_TOKEN: own } })
  return stdout.trim()
}

test('without a token nothing answers at a scheduler on the network but its health', async () => {
  await using scheduler = await startOnNetwork()
  const { host, port, command } = scheduler
  if (process.platform === 'linux') assert.deepEqual(listeningPortsOf(command.pid), [port], 'there is one port')
  const strangers = [
    {},
    { Authorization: 'Bearer wrong' },
    { Authorization: 'Basic Og==' },
    { Cookie: `heddle_${port}=client.zzzzzzz.wrong` },
    { 'X-Forwarded-For': '127.0.0.1', 'X-Original-URL': '/health', 'X-HTTP-Method-Override': 'GET' },
  ]
  const opened: string[] = []
  for (const headers of strangers) {
    for (const path of PATHS) {
      for (const method of METHODS) {
        const { statusCode } = await ask({ host, port, path, method, headers })
        if (statusCode !== 401) opened.push(`${method} ${path}: ${statusCode}`)
      }
    }
  }
  assert.deepEqual([...new Set(opened)], ['GET /health: 200', 'HEAD /health: 200'])
  const health = await ask({ host, port, path: '/health' })
  assert.deepEqual(JSON.parse(health.body), { status: 'ok' })

  for (const headers of [...strangers, { Upgrade: 'h2c' }, { 'Sec-WebSocket-Protocol': 'heddle' }]) {
    for (const path of PATHS) assert.equal(await askForUpgrade({ host, port, path, headers }), 401, path)
  }
})

test('what is no HTTP at all is cut off, and changes nothing', async () => {
  await using scheduler = await startOnNetwork()
  const { host, port } = scheduler
  for (const bytes of [
    '\x16\x03\x01\x02\x00\x01\x00',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    '\0'.repeat(20_000),
    'CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n',
  ]) {
    const socket = connectTcp(port, host)
    socket.on('error', () => undefined)
    socket.write(bytes)
    socket.resume()
    await once(socket, 'close')
  }
  assert.equal((await ask({ host, port, path: '/health' })).statusCode, 200)
})

test('with a viewer’s token everything can be read, and nothing changes', async () => {
  await using scheduler = await startOnNetwork()
  const { host, port, token } = scheduler
  const address = `ws://${host}:${port}`
  await using client = await connect(address, { token })
  const future = client.submit((x: number) => x, 1)
  const viewer = await tokenFor('viewer', token)
  const state = async (): Promise<unknown> => {
    const { upForMs: _, ...rest } = await client.info()
    return rest
  }
  await eventually('the task waits for a worker', async () => (await client.info()).tasks.ready === 1)
  const before = await state()

  const byHeader = { Authorization: `Bearer ${viewer}` }
  const entered = await ask({ host, port, path: `/?token=${viewer}` })
  const byCookie = { Cookie: entered.headers['set-cookie']![0]!.split(';')[0]! }
  for (const headers of [byHeader, byCookie]) {
    for (const { url, method } of ROUTES) {
      const path = url.replace(/:\w+/, encodeURIComponent(future.key))
      const isPost = method === 'POST'
      const question: HttpQuestion = {
        ...{ host, port, path, method },
        headers: { ...headers, ...(isPost && JSON_BODY.headers) },
        ...(isPost && { body: JSON_BODY.body }),
      }
      const { statusCode } = await ask(question)
      if (method === 'POST' && path !== '/') assert.equal(statusCode, 403, `${method} ${path}`)
      else assert.ok(statusCode === 200 || statusCode === 401, `${method} ${path}: ${statusCode}`)
    }
    for (const method of METHODS.filter((each) => !['GET', 'HEAD', 'OPTIONS'].includes(each))) {
      for (const path of PATHS.filter((each) => !each.startsWith('/?') && each !== '/')) {
        assert.equal(
          (await ask({ host, port, path, method, headers: { ...headers, ...JSON_BODY.headers } })).statusCode,
          403,
        )
      }
    }
  }
  await assert.rejects(connect(address, { token: viewer }), {
    code: 'ERR_HEDDLE_AUTHENTICATION',
    message: 'This token is for a viewer, and not for a client; "heddle token create --role client" makes one that is.',
  })
  const worker = await run(['worker', 'join', address], { env: { HEDDLE_TOKEN: viewer } })
  assert.equal(worker.code, 1)
  assert.match(worker.stderr, /This token is for a viewer, and not for a worker/)
  const status = await run(['status', address, '--json'], { env: { HEDDLE_TOKEN: viewer } })
  assert.equal(status.code, 0)
  assert.deepEqual(await state(), before)
})

const JSON_BODY = { headers: { 'Content-Type': 'application/json' }, body: '{}' } as const

test('a page of another site can’t talk to a scheduler on loopback, by any way that browsers have', async () => {
  await using scheduler = await startSchedulerCommand()
  const { port } = scheduler
  const rebound = { Host: `attacker.example:${port}` }
  const ways: readonly (readonly [string, Omit<HttpQuestion, 'port' | 'path'>])[] = [
    ['fetch', { headers: { Origin: 'https://attacker.example', 'Sec-Fetch-Site': 'cross-site' } }],
    ['fetch of a local page', { headers: { Origin: 'http://localhost:3000', 'Sec-Fetch-Site': 'same-site' } }],
    ['fetch of a sandboxed frame', { headers: { Origin: 'null' } }],
    ['image', { headers: { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' } }],
    ['form', { method: 'POST', headers: { Origin: 'https://attacker.example' }, body: 'x' }],
    ['a name that points here', { headers: rebound }],
    [
      'a name that points here, from its own page',
      { headers: { ...rebound, Origin: `http://attacker.example:${port}` } },
    ],
  ]
  for (const [way, question] of ways) {
    for (const { url } of ROUTES) {
      const { statusCode, headers } = await ask({ port, path: url, ...question })
      assert.equal(statusCode, 403, `${way}: ${url}`)
      assert.equal(headers['access-control-allow-origin'], undefined)
      assert.equal(headers['cross-origin-resource-policy'], 'same-origin')
    }
    if (way !== 'form') assert.equal(await askForUpgrade({ port, headers: question.headers ?? {} }), 403, way)
  }
})

test('no log has a token, whoever shows which', async () => {
  await using scheduler = await startOnNetwork()
  const { host, port, token, command } = scheduler
  const tokens = {
    own: token,
    worker: await tokenFor('worker', token),
    client: await tokenFor('client', token),
    wrong: 'wr0ng-token',
  }
  const address = `ws://${host}:${port}`
  await using worker = new Command(
    ['worker', 'join', address, '--threads', '1', '--log-level', 'debug', '--log-format', 'json'],
    {
      env: { HEDDLE_TOKEN: tokens.worker },
    },
  )
  await using client = await connect(address, { token: tokens.client })
  await client.waitForWorkers(1, { timeoutMs: 60_000 })
  const inTask = await client.submit(() => JSON.stringify(process.env))
  for (const shown of Object.values(tokens)) {
    await ask({ host, port, path: `/?token=${shown}` })
    await ask({ host, port, path: '/api/v1/status', headers: { Authorization: `Bearer ${shown}` } })
    await askForUpgrade({ host, port, headers: { Authorization: `Bearer ${shown}` } })
    await run(['status', address], { env: { HEDDLE_TOKEN: shown } })
  }
  for (const [name, shown] of Object.entries(tokens)) {
    assert.ok(!command.stderr.includes(shown), `the scheduler's log has ${name}`)
    assert.ok(!worker.stderr.includes(shown), `the worker's log has ${name}`)
    assert.ok(!inTask.includes(shown), `a task's environment has ${name}`)
  }
})
