/** Encrypted connections, with certificates made as the documentation says. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { dial } from '../../protocol/transport/websocket.js'
import { Certificates, noOpenssl } from '../support/certificates.js'
import { startTestScheduler } from './test-scheduler.js'

const skip = noOpenssl()
const read = (file: string): string => readFileSync(file, 'utf8')

interface Asked {
  readonly port: number
  readonly path: string
  readonly ca: string
  readonly cert?: string
  readonly key?: string
}

function askTls(asked: Asked): Promise<{ readonly statusCode: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', agent: false, ...asked }, (response) => {
      text(response).then((body) => resolve({ statusCode: response.statusCode ?? 0, body }), reject)
    })
    sent.on('error', reject)
    sent.end()
  })
}

test('a scheduler with a certificate takes encrypted connections only, and tells who does not', { skip }, async () => {
  using made = new Certificates()
  using foreign = new Certificates()
  const own = made.make('scheduler')
  const tls = { cert: read(own.cert), key: read(own.key) }
  await using scheduler = await startTestScheduler({ host: '0.0.0.0', tls })
  const { port, newToken: token = '' } = scheduler
  assert.match(scheduler.address, /^wss:/)
  assert.match(scheduler.statusPage, /^https:/)
  assert.ok(token !== '', 'encryption alone says nothing of who connects')
  const address = `wss://127.0.0.1:${port}`
  const ca = read(made.ca)

  assert.equal((await askTls({ port, path: '/health', ca })).statusCode, 200)
  assert.equal((await askTls({ port, path: '/api/v1/status', ca })).statusCode, 401)
  await assert.rejects(dial(address, { tls: { ca } }), {
    code: 'ERR_HEDDLE_AUTHENTICATION',
    message: /refused the token/,
  })
  await using client = await connect(address, { token, tls: { ca: Buffer.from(ca) } })
  assert.deepEqual((await client.info()).workers, [])

  const code = 'ERR_HEDDLE_AUTHENTICATION'
  await assert.rejects(dial(address, { token }), { code, message: /^The certificate of wss:\S+ is not trusted \(/ })
  await assert.rejects(dial(address, { token, tls: { ca: read(foreign.ca) } }), { code, message: /is not trusted/ })
  await assert.rejects(dial(`ws://127.0.0.1:${port}`, { token }), {
    code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
    message: `No answer from ws://127.0.0.1:${port}, unless it encrypts: then write wss: for it; check that the scheduler runs there.`,
  })
  await using plain = await startTestScheduler()
  await assert.rejects(dial(`wss://127.0.0.1:${plain.port}`), {
    code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
    message: /, which does not encrypt: write ws: for it; check that the scheduler runs there\.$/,
  })
})

test('with an authority, whoever connects shows a certificate, and needs no token', { skip }, async () => {
  using made = new Certificates()
  using foreign = new Certificates()
  const files = { own: made.make('scheduler'), laptop: made.make('laptop'), stranger: foreign.make('laptop') }
  const ca = read(made.ca)
  const tls = { ca, cert: read(files.own.cert), key: read(files.own.key) }
  await using scheduler = await startTestScheduler({ host: '0.0.0.0', tls })
  const { port } = scheduler
  assert.equal(scheduler.newToken, undefined)
  const address = `wss://127.0.0.1:${port}`
  const shown = { ca, cert: read(files.laptop.cert), key: read(files.laptop.key) }
  await using client = await connect(address, { tls: shown })
  assert.deepEqual((await client.info()).workers, [])
  assert.equal((await askTls({ port, path: '/api/v1/status', ...shown })).statusCode, 200)

  await assert.rejects(askTls({ port, path: '/health', ca }))
  const refused = {
    code: 'ERR_HEDDLE_AUTHENTICATION',
    message: `${address} wants a certificate that it trusts; give yours, as tls.cert and tls.key or --tls-cert and --tls-key.`,
  }
  await assert.rejects(dial(address, { tls: { ca } }), refused)
  const strange = { ca, cert: read(files.stranger.cert), key: read(files.stranger.key) }
  await assert.rejects(dial(address, { tls: strange }), {
    code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
    message: `No answer from ${address}, or it did not trust our certificate; check that the scheduler runs there.`,
  })
})

test('certificates that cannot be are refused in a sentence', { skip }, async () => {
  using made = new Certificates()
  const { cert, key } = made.make('scheduler')
  const other = made.make('other')
  const code = 'ERR_HEDDLE_INVALID_OPTION'
  const ca = read(made.ca)
  await assert.rejects(startTestScheduler({ tls: { ca } }), { code, message: /give --tls-cert and --tls-key too/ })
  await assert.rejects(startTestScheduler({ tls: { cert: read(cert) } }), { code, message: /they go together/ })
  await assert.rejects(startTestScheduler({ tls: { cert, key } }), {
    code,
    message: /tls\.cert of the scheduler is no PEM/,
  })
  await assert.rejects(startTestScheduler({ tls: { cert: read(cert), key: read(other.key) } }), {
    code,
    message: /can't be used \(.*\); check that they belong together/,
  })
  await assert.rejects(connect('ws://127.0.0.1:1', { tls: { ca } }), { code, message: /like wss:/ })
  await assert.rejects(connect({ tls: { ca } }), { code, message: /like wss:/ })
  await assert.rejects(connect('wss://127.0.0.1:1', { tls: { pfx: ca } as object }), {
    code,
    message: /it has ca, cert and key/,
  })
  await assert.rejects(connect('wss://127.0.0.1:1', { tls: 'ca.crt' as never }), { code, message: /tls is "ca\.crt"/ })
})
