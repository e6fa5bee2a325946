import assert from 'node:assert/strict'
import test from 'node:test'
import { statSync } from 'node:fs'
import { resolveSchedulerOptions } from '../../scheduler/options.js'
import { keepToken, readKeptToken } from '../../scheduler/kept-token.js'
import { NO_LOG } from '../../common/node/log.js'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { Access } from '../../scheduler/access.js'
import { createRoleToken, isSame, newToken, readRoleToken, TOKEN_ROLES } from '../../scheduler/role-token.js'

const OWN = newToken()
const NOW_S = 1_800_000_000

test('a token made from that of a scheduler says its role, to that scheduler only', () => {
  for (const role of TOKEN_ROLES) {
    const token = createRoleToken(OWN, { role, expiresAtS: 0 })
    assert.match(token, /^[\w.-]+$/, 'any header, variable or file takes it')
    assert.deepEqual(readRoleToken(OWN, token, NOW_S), { role, expiresAtS: 0 })
    assert.equal(readRoleToken(newToken(), token, NOW_S), undefined)
    assert.notEqual(createRoleToken(OWN, { role, expiresAtS: 0 }), token)
    assert.ok(!token.includes(OWN))
  }
})

test('whatever is changed in such a token makes it worthless', () => {
  const token = createRoleToken(OWN, { role: 'viewer', expiresAtS: NOW_S + 1 })
  assert.equal(readRoleToken(OWN, token.replace('viewer', 'client'), NOW_S), undefined)
  assert.equal(readRoleToken(OWN, token.replace('viewer', 'all'), NOW_S), undefined)
  assert.equal(readRoleToken(OWN, token.replace(/\.[^.]+$/, ''), NOW_S), undefined)
  for (let i = 0; i < token.length; i++) {
    const changed = `${token.slice(0, i)}${token[i] === 'A' ? 'B' : 'A'}${token.slice(i + 1)}`
    assert.equal(readRoleToken(OWN, changed, NOW_S), undefined, changed)
  }
  for (const nonsense of ['', '.', '....', 'heddle.client.0.x.', OWN]) {
    assert.equal(readRoleToken(OWN, nonsense, NOW_S), undefined, nonsense)
  }
})

test('a token holds until it expires', () => {
  const token = createRoleToken(OWN, { role: 'client', expiresAtS: NOW_S })
  assert.equal(readRoleToken(OWN, token, NOW_S - 1)?.role, 'client')
  assert.equal(readRoleToken(OWN, token, NOW_S), undefined)
})

test('only a token of a scheduler makes others, and only one that nobody can find by trying', () => {
  const viewer = createRoleToken(OWN, { role: 'viewer', expiresAtS: 0 })
  const code = 'ERR_HEDDLE_INVALID_OPTION'
  const options = { role: 'client', expiresAtS: 0 } as const
  assert.throws(() => createRoleToken(viewer, options), { code, message: /was made from it/ })
  assert.throws(() => createRoleToken('letmein', options), { code, message: /fewer than 20 characters/ })
})

test('texts are compared whatever their lengths', () => {
  assert.ok(isSame('same', 'same'))
  assert.ok(!isSame('same', 'sane'))
  assert.ok(!isSame('', 'same'))
  assert.ok(!isSame('longer than it', 'same'))
})

test('a page is one of the scheduler itself, also behind a proxy that encrypts', () => {
  const access = new Access({ token: OWN, port: 8786, isEncrypted: false, hasCertificates: false })
  const host = 'cluster.example'
  assert.equal(access.refuseAddress({ host }), undefined)
  assert.equal(access.refuseAddress({ host, origin: 'https://cluster.example' }), undefined)
  assert.equal(access.refuseAddress({ host, origin: 'http://Cluster.example' }), undefined)
  for (const origin of ['null', 'http://cluster.example:81', 'http://example.com', 'http://cluster.example.com', '']) {
    assert.equal(access.refuseAddress({ host, origin }), 'foreign-origin', origin)
  }
})

test('what a page of somebody else embeds is told by what browsers say of it', () => {
  const access = new Access({ token: undefined, port: 8786, isEncrypted: false, hasCertificates: false })
  const host = 'localhost:8786'
  const asked = (site: string, mode: string, dest: string): unknown =>
    access.refuseAddress({ host, 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest })
  assert.equal(asked('cross-site', 'no-cors', 'image'), 'foreign-origin')
  assert.equal(asked('same-site', 'no-cors', 'script'), 'foreign-origin', 'another port of this machine')
  assert.equal(asked('cross-site', 'navigate', 'iframe'), 'foreign-origin')
  assert.equal(asked('cross-site', 'navigate', 'document'), undefined, 'a link leads to the page')
  assert.equal(asked('same-origin', 'cors', 'empty'), undefined)
  assert.equal(asked('none', 'navigate', 'document'), undefined)
})

test('a token that a scheduler made for itself is kept with its state, for its user only', async () => {
  await using folder = await TemporaryFolder.create('heddle-token')
  const given = { host: '0.0.0.0', stateDir: folder.path, log: NO_LOG, onCrash: () => undefined }
  assert.equal(readKeptToken(folder.path), undefined)
  const first = resolveSchedulerOptions(given)
  assert.ok(first.isTokenNew)
  keepToken(folder.path, first.token!)
  assert.equal(statSync(`${folder.path}/token`).mode & 0o777, 0o600)
  const second = resolveSchedulerOptions(given)
  assert.deepEqual([second.isTokenNew, second.token], [false, first.token])
  assert.equal(resolveSchedulerOptions({ ...given, token: OWN }).token, OWN)
  assert.equal(resolveSchedulerOptions({ ...given, host: '127.0.0.1' }).token, undefined)
})
