import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { Child, describeExit, type ChildExit } from '../../common/node/child-process.js'
import { Supervisor } from '../../common/node/supervisor.js'
import { eventually } from '../support/eventually.js'
import { allGone, isAlive } from '../support/processes.js'

const CHILD = new URL('./programs/child.js', import.meta.url)
const PARENT = new URL('./programs/parent.js', import.meta.url)

const folder = mkdtempSync(path.join(tmpdir(), 'heddle-test-'))
test.after(() => rmSync(folder, { recursive: true }))
let fileCount = 0
const newFile = (): string => path.join(folder, String(fileCount++))

/** The process ids of a child and the program that it started, once it has. */
async function pidsIn(file: string): Promise<[child: number, program: number]> {
  await eventually(
    'the child reports its processes',
    () => existsSync(file) && readFileSync(file, 'utf8').endsWith(']'),
  )
  return JSON.parse(readFileSync(file, 'utf8')) as [number, number]
}

async function withParent(
  mode: string,
  story: (parent: ChildProcess, pids: [child: number, program: number], file: string) => Promise<void>,
): Promise<void> {
  const file = newFile()
  const env = { ...process.env, MODE: mode, PIDS_FILE: file }
  const parent = spawn(process.execPath, [fileURLToPath(PARENT)], { env, stdio: 'ignore' })
  try {
    await story(parent, await pidsIn(file), file)
  } finally {
    parent.kill('SIGKILL')
  }
}

test('a child and what it started die with their parent, killed by SIGKILL, and its exit is heard first', async () => {
  await withParent('', async (parent, pids, file) => {
    assert.ok(pids.every(isAlive))
    parent.kill('SIGKILL')
    await allGone(pids)
    assert.ok(existsSync(`${file}.exit`))
  })
})

test('a busy child dies with its parent too', async () => {
  await withParent('block', async (parent, pids) => {
    parent.kill('SIGKILL')
    await allGone(pids)
  })
})

test('what a child started dies with it, and another child takes its place', async () => {
  await withParent('', async (_parent, pids, file) => {
    rmSync(file)
    process.kill(pids[0], 'SIGKILL')
    await allGone(pids)
    const next = await pidsIn(file)
    assert.ok(next.every(isAlive))
    assert.notEqual(next[0], pids[0])
  })
})

test('a program that a child started may die alone', async () => {
  await withParent('', async (parent, [child, program]) => {
    process.kill(program, 'SIGKILL')
    await allGone([program])
    assert.ok(isAlive(child))
    parent.kill('SIGKILL')
    await allGone([child])
  })
})

test('a parent that was told not to wait ends, and its child with it', async () => {
  const file = newFile()
  const env = { ...process.env, PIDS_FILE: file, UNREF: '1' }
  const parent = spawn(process.execPath, [fileURLToPath(PARENT)], { env, stdio: 'ignore' })
  const [[code], pids] = await Promise.all([once(parent, 'exit') as Promise<[number]>, pidsIn(file)])
  assert.equal(code, 0)
  await allGone(pids)
})

test('a parent that was told not to wait, and then stops its child, lives until a stubborn one is killed', async () => {
  const file = newFile()
  const env = { ...process.env, PIDS_FILE: file, UNREF: 'stop', MODE: 'stubborn' }
  const parent = spawn(process.execPath, [fileURLToPath(PARENT)], { env, stdio: 'ignore' })
  const [[code], pids] = await Promise.all([once(parent, 'exit') as Promise<[number]>, pidsIn(file)])
  assert.equal(code, 0) // 13 is Node's for a program that ended while it awaited something.
  await allGone(pids)
})

test('a child that is stopped ends by itself, and its group is gone', async () => {
  const file = newFile()
  const child = new Child({ entry: CHILD, env: { PIDS_FILE: file } })
  await child.ready
  const exit = await child.stop(60_000)
  assert.deepEqual(exit, { code: 0, signal: null, failure: undefined, wasReady: true, lastLines: [] })
  await allGone(await pidsIn(file))
})

test('a child that cannot run says why, and is not started again', async () => {
  const restarts: ChildExit[] = []
  const start = (): Child => new Child({ entry: CHILD, env: { MODE: 'fail' } })
  const supervisor = new Supervisor({ start, onRestart: (exit) => restarts.push(exit) })
  const ended = await supervisor.ended
  assert.deepEqual(ended, { type: 'gave-up', code: 'ERR_HEDDLE_NAME_IN_USE', message: 'The name is taken.' })
  assert.equal(restarts.length, 0)
})

test('a child that dies whenever it starts is given up with the reason', async () => {
  const restarts: ChildExit[] = []
  const start = (): Child => new Child({ entry: CHILD, env: { MODE: 'crash' } })
  const supervisor = new Supervisor({ start, onRestart: (exit) => restarts.push(exit) })
  const ended = await supervisor.ended
  assert.ok(ended.type === 'gave-up')
  assert.match(ended.message, /died again and again while it started, the last time by exit code 3/)
  assert.deepEqual(restarts.map(describeExit), ['exit code 3', 'exit code 3', 'exit code 3', 'exit code 3'])
})

test('a supervisor that is stopped while it waits to start the next child starts none', async () => {
  const start = (): Child => new Child({ entry: CHILD, env: { MODE: 'crash' } })
  const supervisor = new Supervisor({ start, onRestart: () => void supervisor.stop(1_000) })
  assert.deepEqual(await supervisor.ended, { type: 'stopped' })
})
