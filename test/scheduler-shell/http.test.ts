import assert from 'node:assert/strict'
import { EventEmitter, once } from 'node:events'
import { connect } from 'node:net'
import test from 'node:test'
import { HeddleError } from '../../protocol/errors.js'
import type { ClusterStatus } from '../../protocol/messages/status.js'
import type { ToViewer } from '../../protocol/messages/watch.js'
import { dial } from '../../protocol/transport/websocket.js'
import { ask, askForUpgrade } from './http-request.js'
import { startTestScheduler } from './test-scheduler.js'

const TOKEN = 'a-token-of-this-test'
const WATCH = '/api/v1/watch'
const BEARER = { Authorization: `Bearer ${TOKEN}` }

test('a scheduler on loopback answers health, status and its page without a token', async () => {
  await using scheduler = await startTestScheduler()
  const { port } = scheduler
  assert.equal(scheduler.address, `ws://127.0.0.1:${port}`)
  assert.equal(scheduler.statusPage, `http://127.0.0.1:${port}/`)
  assert.equal(scheduler.newToken, undefined)

  const health = await ask({ port, path: '/health' })
  assert.deepEqual([health.statusCode, JSON.parse(health.body)], [200, { status: 'ok' }])

  const status = await ask({ port, path: '/api/v1/status' })
  assert.equal(status.statusCode, 200)
  const { workers, clients, tasks } = JSON.parse(status.body) as ClusterStatus
  assert.deepEqual({ workers, clients, waiting: tasks.waiting }, { workers: [], clients: 0, waiting: 0 })

  const page = await ask({ port, path: '/' })
  assert.equal(page.statusCode, 200)
  assert.match(page.headers['content-type'] ?? '', /^text\/html/)
  for (const path of page.body.matchAll(/(?:src|href)="(\/[^"]+)"/g)) {
    assert.equal((await ask({ port, path: path[1]! })).statusCode, 200, `${path[1]} is there`)
  }
})

test('the page may run and load nothing but its own files', async () => {
  await using scheduler = await startTestScheduler()
  const { headers, body } = await ask({ port: scheduler.port, path: '/' })
  const policy = String(headers['content-security-policy'])
  assert.match(policy, /default-src 'none'/)
  assert.match(policy, /script-src 'self'(;|$)/)
  assert.match(policy, /frame-ancestors 'none'/)
  assert.doesNotMatch(policy, /unsafe/)
  assert.doesNotMatch(body, /<script>|<style|\son\w+=|style="/, 'nothing inline, which the policy would forbid')
  assert.equal(headers['x-content-type-options'], 'nosniff')
  assert.equal(headers['referrer-policy'], 'no-referrer')
})

test('a browser is told what changes, and the scheduler can close meanwhile', async () => {
  const scheduler = await startTestScheduler()
  const socket = await dial(`${scheduler.address}/api/v1/watch`)
  const types: string[] = []
  const heard = new EventEmitter()
  socket.handle({
    onFrame: (frame) => {
      types.push((JSON.parse(Buffer.from(frame).toString()) as ToViewer).type)
      if (types.length === 3) heard.emit('three')
    },
    onDrain: () => undefined,
    onClose: () => heard.emit('closed'),
  })
  await once(heard, 'three')
  assert.deepEqual(types.slice(0, 3), ['whole', 'changes', 'changes'])
  await Promise.all([once(heard, 'closed'), scheduler.close()])
})

test('a page of another site is refused, whatever it asks for', async () => {
  await using scheduler = await startTestScheduler()
  const { port } = scheduler
  const foreign = { Origin: 'http://example.com' }
  assert.equal((await ask({ port, path: '/api/v1/status', headers: foreign })).statusCode, 403)
  assert.equal((await ask({ port, path: '/api/v1/status', headers: { Origin: 'null' } })).statusCode, 403)
  assert.equal(
    (await ask({ port, path: '/api/v1/status', headers: { Origin: `http://127.0.0.1:${port + 1}` } })).statusCode,
    403,
  )
  assert.equal(await askForUpgrade({ port, headers: foreign }), 403)
  assert.equal(
    (await ask({ port, path: '/api/v1/status', headers: { Origin: `http://127.0.0.1:${port}` } })).statusCode,
    200,
  )
})

test('without a token, a name that was made to point to loopback is refused', async () => {
  await using scheduler = await startTestScheduler()
  const { port } = scheduler
  const rebound = { Host: `example.com:${port}` }
  assert.equal((await ask({ port, path: '/', headers: rebound })).statusCode, 403)
  assert.equal((await ask({ port, path: '/health', headers: rebound })).statusCode, 403)
  assert.equal(await askForUpgrade({ port, headers: rebound }), 403)
  assert.equal(await askForUpgrade({ port, headers: { Host: '127.0.0.1' } }), 403, 'the port belongs to it')
  for (const name of ['localhost', '127.0.0.1', '[::1]', 'LOCALHOST']) {
    assert.equal((await ask({ port, path: '/health', headers: { Host: `${name}:${port}` } })).statusCode, 200)
  }
  assert.equal(await askForUpgrade({ port }), 101)
})

test('with a token, nothing but health answers without it, under any host name', async () => {
  await using scheduler = await startTestScheduler({ token: TOKEN })
  const { port } = scheduler
  const host = { Host: 'cluster.example:80' }
  assert.equal((await ask({ port, path: '/health', headers: host })).statusCode, 200)
  for (const path of ['/', '/api/v1/status', '/status.js', '/status.css', '/nothing', '//']) {
    for (const headers of [
      host,
      { ...host, Authorization: 'Bearer wrong' },
      { ...host, Cookie: `heddle_${port}=wrong` },
    ]) {
      const { statusCode, body, headers: answered } = await ask({ port, path, headers })
      assert.equal(statusCode, 401, path)
      assert.equal(answered['www-authenticate'], 'Bearer')
      assert.ok(!body.includes(TOKEN))
    }
  }
  assert.equal((await ask({ port, path: '/api/v1/status', headers: { ...host, ...BEARER } })).statusCode, 200)
  assert.equal((await ask({ port, path: '/nothing', headers: { ...host, ...BEARER } })).statusCode, 404)
  assert.equal(await askForUpgrade({ port }), 401)
  assert.equal(await askForUpgrade({ port, headers: { Authorization: `Bearer ${TOKEN}x` } }), 401)
  assert.equal(await askForUpgrade({ port, headers: { ...host, ...BEARER } }), 101)
})

test('a browser that shows the token gets a cookie, which opens the pages and no connection but theirs', async () => {
  await using scheduler = await startTestScheduler({ token: TOKEN })
  const { port } = scheduler
  const form = await ask({ port, path: '/' })
  assert.equal(form.statusCode, 401)
  assert.match(form.body, /<form method="post"/)
  assert.match(String(form.headers['content-security-policy']), /style-src 'sha256-[\w+/]+=*'/)

  assert.equal(await askForUpgrade({ port, path: WATCH }), 401)
  const wrong = await ask({ port, path: '/?token=wrong' })
  assert.deepEqual([wrong.statusCode, wrong.headers['set-cookie']], [401, undefined])

  const byAddress = await ask({ port, path: `/?token=${TOKEN}` })
  const contentType = { 'Content-Type': 'application/x-www-form-urlencoded', Origin: `http://127.0.0.1:${port}` }
  const byForm = await ask({ port, path: '/', method: 'POST', headers: contentType, body: `token=${TOKEN}` })
  for (const { statusCode, headers } of [byAddress, byForm]) {
    assert.equal(statusCode, 303)
    assert.equal(headers.location, '/')
    const [cookie = ''] = headers['set-cookie'] ?? []
    assert.match(cookie, /; HttpOnly; SameSite=Strict/)
    assert.ok(!cookie.includes(TOKEN))
    const shown = { Cookie: `other=1; ${cookie.split(';')[0]}` }
    assert.equal((await ask({ port, path: '/', headers: shown })).statusCode, 200)
    assert.equal(await askForUpgrade({ port, headers: shown }), 401)
    assert.equal(await askForUpgrade({ port, path: WATCH, headers: shown }), 101)
    const foreign = { ...shown, Origin: 'http://example.com' }
    assert.equal(await askForUpgrade({ port, path: WATCH, headers: foreign }), 403)
  }
  const foreignForm = await ask({
    port,
    path: '/',
    method: 'POST',
    headers: { ...contentType, Origin: 'http://example.com' },
    body: `token=${TOKEN}`,
  })
  assert.equal(foreignForm.statusCode, 403)
})

test('what is malformed or too large is refused, and the next request is answered', async () => {
  await using scheduler = await startTestScheduler()
  const { port } = scheduler
  const headers = { 'Content-Type': 'application/x-www-form-urlencoded' }
  assert.equal(
    (await ask({ port, path: '/', method: 'POST', headers, body: `token=${'x'.repeat(10_000)}` })).statusCode,
    413,
  )
  assert.equal((await ask({ port, path: '/health', headers: { 'X-Large': 'x'.repeat(20_000) } })).statusCode, 431)
  const socket = connect(port, '127.0.0.1')
  socket.end('nonsense\r\n\r\n')
  const [answered] = (await once(socket, 'data')) as [Buffer]
  assert.match(answered.toString(), /^HTTP\/1\.1 400 /)
  assert.equal((await ask({ port, path: '/health' })).statusCode, 200)
})

test('a scheduler off loopback makes a token of its own', async () => {
  await using scheduler = await startTestScheduler({ host: '0.0.0.0' })
  const { port, newToken = '' } = scheduler
  assert.match(newToken, /^[\w-]{32}$/)
  assert.ok(!scheduler.address.includes('0.0.0.0'), 'nobody could dial that')
  assert.equal((await ask({ port, path: '/api/v1/status' })).statusCode, 401)
  assert.equal(
    (await ask({ port, path: '/api/v1/status', headers: { Authorization: `Bearer ${newToken}` } })).statusCode,
    200,
  )
  await using another = await startTestScheduler({ host: '0.0.0.0' })
  assert.notEqual(another.newToken, newToken)
})

test('a port in use is an error that says what to do', async () => {
  await using scheduler = await startTestScheduler()
  await assert.rejects(startTestScheduler({ port: scheduler.port }), (error) => {
    assert.ok(error instanceof HeddleError)
    assert.equal(error.code, 'ERR_HEDDLE_PORT_IN_USE')
    assert.equal(
      error.message,
      `Port ${scheduler.port} on 127.0.0.1 is in use; stop what listens there, or choose another port with --port.`,
    )
    return true
  })
})

test('options that cannot be are refused by name', async () => {
  const refused: readonly [Parameters<typeof startTestScheduler>[0], RegExp][] = [
    [{ port: 70_000 }, /70000 is no port/],
    [{ port: 1.5 }, /1.5 is no port/],
    [{ host: '' }, /"" is no host/],
    [{ host: 'no such host' }, /is no host/],
    [{ host: '203.0.113.7', token: 'x' }, /203\.0\.113\.7 is no address of this machine/],
    [{ token: 'two words' }, /^The token is empty or has characters/],
  ]
  for (const [options, message] of refused) {
    await assert.rejects(startTestScheduler(options), { code: 'ERR_HEDDLE_INVALID_OPTION', message })
  }
})
