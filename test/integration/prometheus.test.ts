/** A real Prometheus scrapes a scheduler that wants a token, as docs/metrics.md tells it to. */
import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import test from 'node:test'
import { connect } from '../../client/connect.js'
import { codeBlocksOf, readPage } from '../docs/markdown.js'
import { createRoleToken, newToken } from '../../scheduler/role-token.js'
import { ask } from '../scheduler-shell/http-request.js'
import { startTestScheduler } from '../scheduler-shell/test-scheduler.js'
import { eventually } from '../support/eventually.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

function noPrometheus(): string | false {
  if (process.env['HEDDLE_REAL_SERVERS'] !== '1') return 'real servers are part of npm run test:all'
  if (spawnSync('prometheus', ['--version']).status === 0 || process.env['CI'] === 'true') return false
  return 'Prometheus is not installed'
}

interface Answer {
  readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] }
}

test(
  'Prometheus scrapes a scheduler by the configuration that the documentation shows',
  { skip: noPrometheus() },
  async () => {
    const token = newToken()
    await using scheduler = await startTestScheduler({ token })
    await using client = await connect(scheduler.address, { token })
    const waits = client.submit((x: number) => x, 1)
    await using folder = await TemporaryFolder.create('heddle-prometheus')
    const file = (name: string): string => `${folder.path}/${name}`
    writeFileSync(file('token'), createRoleToken(token, { role: 'viewer', expiresAtS: 0 }))
    const shown = codeBlocksOf(readPage('docs/metrics.md')).find(({ language }) => language === 'yaml')
    assert.ok(shown !== undefined)
    const configuration = shown.text
      .replace('10.0.0.5:8786', `127.0.0.1:${scheduler.port}`)
      .replace('/etc/prometheus/heddle.token', file('token'))
    writeFileSync(file('prometheus.yml'), `global: { scrape_interval: 1s, scrape_timeout: 1s }\n${configuration}`)
    const port = await freePort()
    const server = spawn(
      'prometheus',
      [
        `--config.file=${file('prometheus.yml')}`,
        `--storage.tsdb.path=${file('data')}`,
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: 'ignore' },
    )
    try {
      const valueOf = async (query: string): Promise<string | undefined> => {
        const path = `/api/v1/query?query=${encodeURIComponent(query)}`
        const { body, statusCode } = await ask({ port, path }).catch(() => ({ body: '', statusCode: 0 }))
        if (statusCode !== 200) return undefined
        return (JSON.parse(body) as Answer).data.result[0]?.value[1]
      }
      await eventually('it is scraped', async () => (await valueOf('up{job="heddle"}')) === '1')
      await eventually('it has our figures', async () => (await valueOf('heddle_tasks{state="ready"}')) === '1')
      assert.equal(waits.status, 'pending')
      assert.equal(await valueOf('heddle_tasks_submitted_total'), '1')
      for (const [, query = ''] of readPage('docs/metrics.md').text.matchAll(/^- `(.+?)`:/gm)) {
        const path = `/api/v1/query?query=${encodeURIComponent(query)}`
        assert.equal((await ask({ port, path })).statusCode, 200, query)
      }
    } finally {
      const ended = once(server, 'exit')
      server.kill()
      await ended
    }
  },
)

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
