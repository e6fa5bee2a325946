import assert from 'node:assert/strict'
import test from 'node:test'
import { newToken, readRoleToken } from '../../scheduler/role-token.js'
import { run } from './command.js'

const OWN = newToken()
const ENV = { env: { HEDDLE_TOKEN: OWN } }

test('a token is made for a scheduler, and from it others for a role', async () => {
  const own = await run(['token', 'create'])
  assert.deepEqual([own.code, own.stderr], [0, ''])
  assert.match(own.stdout, /^[\w-]{32}\n$/)

  const viewer = await run(['token', 'create', '--role', 'viewer'], ENV)
  const nowS = Math.floor(Date.now() / 1_000)
  assert.deepEqual(readRoleToken(OWN, viewer.stdout.trim(), nowS), { role: 'viewer', expiresAtS: 0 })

  const json = await run(['token', 'create', '--role', 'worker', '--expires', '1h', '--json'], ENV)
  const { role, token, expiresAtMs } = JSON.parse(json.stdout) as { role: string; token: string; expiresAtMs: number }
  assert.equal(role, 'worker')
  assert.ok(Math.abs(expiresAtMs / 1_000 - nowS - 3_600) < 60)
  assert.equal(readRoleToken(OWN, token, nowS)?.expiresAtS, expiresAtMs / 1_000)
  assert.equal(readRoleToken(OWN, token, expiresAtMs / 1_000), undefined)
})

test('what makes no sense for a token is wrong usage', async () => {
  const wrong: readonly [readonly string[], Parameters<typeof run>[1], string][] = [
    [
      ['--role', 'admin'],
      ENV,
      `option '--role <role>' argument 'admin' is invalid. Allowed choices are client, worker, viewer; see "heddle token create --help".`,
    ],
    [['--role', 'viewer'], {}, "The scheduler's own token is missing; give it by --token-file or HEDDLE_TOKEN."],
    [
      ['--expires', '1h'],
      {},
      'A token without --role is a new one for a scheduler: it is made from no other, and does not expire.',
    ],
    [
      ['--role', 'viewer', '--expires', 'soon'],
      ENV,
      `option '--expires <duration>' argument 'soon' is invalid. Write it like "30s"; see "heddle token create --help".`,
    ],
  ]
  const ends = await Promise.all(wrong.map(([args, options]) => run(['token', 'create', ...args], options)))
  ends.forEach((end, i) => assert.deepEqual(end, { code: 2, stdout: '', stderr: `heddle: ${wrong[i]![2]}\n` }))
})
