import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import test from 'node:test'
import { promisify } from 'node:util'
import { connect } from '../../client/connect.js'
import { withCluster } from '../../testing/index.js'
import { startTestScheduler } from '../scheduler-shell/test-scheduler.js'

const run = promisify(execFile)
const ENTRY = new URL('../../client/index.js', import.meta.url).href

/** Runs a script in a process of its own, and gives what it printed. */
async function runScript(source: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
  const script = `import { connect, LocalCluster } from ${JSON.stringify(ENTRY)}\n${source}`
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script], {
    env: { ...process.env, HEDDLE_ADDRESS: undefined, HEDDLE_TOKEN: undefined, ...env },
  })
  return stdout
}

test('withCluster runs a test on processes, and closes them', async () => {
  let client: unknown
  const result = await withCluster(
    async (given) => {
      client = given
      const { workers } = await given.info()
      assert.equal(workers.length, 1)
      const halves = given.map((x: number) => x / 2, [2, 4, 6])
      const sum = given.submit((xs: number[]) => xs.reduce((a, b) => a + b, 0), halves)
      const large = given.submit((n: number) => new Float64Array(n).fill(1), 100_000)
      assert.equal((await large).length, 100_000)
      return await sum
    },
    { workers: 1 },
  )
  assert.equal(result, 6)
  await assert.rejects((client as { info(): Promise<unknown> }).info(), { code: 'ERR_HEDDLE_CLOSED' })
})

test('withCluster in this thread calls the very functions of the caller', async () => {
  const calls: unknown[] = []
  ;(globalThis as { calls?: unknown[] }).calls = calls
  const answer = await withCluster(
    (client) => client.submit((x: number) => (globalThis as { calls?: unknown[] }).calls!.push(x), 5),
    {
      kind: 'inline',
    },
  )
  assert.equal(answer, 1)
  assert.deepEqual(calls, [5])
})

test('withCluster closes its cluster when the test fails', async () => {
  await assert.rejects(
    withCluster(() => assert.fail('as it should'), { kind: 'inline' }),
    { message: 'as it should' },
  )
  await assert.rejects(
    withCluster(() => 1, { kind: 'inline', workers: 2 }),
    { code: 'ERR_HEDDLE_INVALID_OPTION' },
  )
})

test('a script that closed its client ends by itself, with its own cluster', async () => {
  const printed = await runScript(
    `
    await using client = await connect()
    console.log(await client.submit((a, b) => a + b, 3, 4))
  `.replace('await using client', 'const client') + '\nawait client.close()',
  )
  assert.equal(printed, '7\n')
})

test('a client that was left open does not crash a script that ends otherwise', async () => {
  const printed = await runScript(`
    const client = await connect('inline:')
    client.submit(() => { throw new Error('nobody asks') })
    await client.submit(() => 1)
    console.log('done')
    process.exit(0)
  `)
  assert.equal(printed, 'done\n')
})

test('connect() without a target uses HEDDLE_ADDRESS and HEDDLE_TOKEN', async () => {
  const scheduler = await startTestScheduler({ token: 'secret' })
  try {
    const source = `
      const client = await connect({ name: 'by environment' })
      console.log((await client.info()).clients)
      await client.close()
    `
    const env = { HEDDLE_ADDRESS: `ws://127.0.0.1:${scheduler.port}`, HEDDLE_TOKEN: 'secret' }
    assert.equal(await runScript(source, env), '1\n')
    await assert.rejects(connect(env.HEDDLE_ADDRESS, { token: 'wrong' }), { code: 'ERR_HEDDLE_AUTHENTICATION' })
  } finally {
    await scheduler.close()
  }
})

test("a cluster's own token is shown before that of the environment, and a given one before both", async () => {
  const scheduler = await startTestScheduler({ token: 'secret' })
  const address = `ws://127.0.0.1:${scheduler.port}`
  const before = process.env['HEDDLE_TOKEN']
  try {
    process.env['HEDDLE_TOKEN'] = 'of another cluster'
    await (await connect({ address, token: 'secret' })).close()
    await (await connect({ address, token: 'wrong' }, { token: 'secret' })).close()
    await (await connect(address, { token: 'secret' })).close()
    await assert.rejects(connect({ address }), { code: 'ERR_HEDDLE_AUTHENTICATION' })
    process.env['HEDDLE_TOKEN'] = 'secret'
    await (await connect({ address })).close()
    await (await connect(address)).close()
  } finally {
    if (before === undefined) delete process.env['HEDDLE_TOKEN']
    else process.env['HEDDLE_TOKEN'] = before
    await scheduler.close()
  }
})

test('connect() gives up starting a cluster, and leaves none of its processes', async () => {
  const printed = await runScript(`
    import { ChildProcess } from 'node:child_process'
    const { spawn } = ChildProcess.prototype
    const children = []
    let onSpawn = () => {}
    ChildProcess.prototype.spawn = function (...args) {
      children.push(this)
      setImmediate(() => onSpawn())
      return spawn.apply(this, args)
    }
    const attempt = async (options) => {
      const count = children.length
      const error = await connect(options).catch((error) => error)
      const all = children.slice(count)
      const areGone = all.every(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)
      console.log(error.code ?? error.message, all.length > 0, areGone)
    }
    await attempt({ signal: AbortSignal.abort(new Error('before')) })
    const controller = new AbortController()
    onSpawn = () => controller.abort(new Error('meanwhile'))
    await attempt({ signal: controller.signal })
    await attempt({ timeoutMs: 1 })
  `)
  const lines = ['before false true', 'meanwhile true true', 'ERR_HEDDLE_SCHEDULER_UNREACHABLE true true']
  assert.deepEqual(printed.trim().split('\n'), lines)
})

test('a scheduler that goes away rejects what is pending', async () => {
  const scheduler = await startTestScheduler()
  const address = `ws://127.0.0.1:${scheduler.port}`
  await using client = await connect(address)
  const pending = client.submit(() => 1).error()
  await client.info()
  await scheduler.close()
  const error = (await pending) as Error & { code: unknown }
  assert.equal(error.code, 'ERR_HEDDLE_SCHEDULER_UNREACHABLE')
  assert.ok(error.message.includes(address))
})

test('wrong targets and options are refused in one sentence', async () => {
  await assert.rejects(connect('ws://127.0.0.1:1', { timeoutMs: 5_000 }), {
    code: 'ERR_HEDDLE_SCHEDULER_UNREACHABLE',
    message: /No answer from ws:\/\/127\.0\.0\.1:1/,
  })
  await assert.rejects(connect('localhost'), { code: 'ERR_HEDDLE_INVALID_OPTION', message: /write it like ws:/ })
  // @ts-expect-error Not an option.
  await assert.rejects(connect('inline:', { tokn: 'x' }), {
    message: /connect\(\) has no option "tokn"; did you mean "token"\?/,
  })
  await assert.rejects(connect('inline:', { timeoutMs: Number.NaN }), { message: /timeoutMs is NaN/ })
  await assert.rejects(connect('ws://127.0.0.1:1', { signal: AbortSignal.abort(new Error('changed my mind')) }), {
    message: 'changed my mind',
  })
})
