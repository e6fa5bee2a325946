import assert from 'node:assert/strict'
import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { fileURLToPath } from 'node:url'
import { ScratchFolder } from '../../common/node/scratch-folder.js'

const ENTRY = fileURLToPath(new URL('./scratch-entry.js', import.meta.url))

/** A process that has a scratch folder in `parent`. */
async function startHolder(parent: string): Promise<{ holder: ChildProcess; folder: string }> {
  const holder = fork(ENTRY, [parent])
  const [folder] = (await once(holder, 'message')) as [string]
  return { holder, folder }
}

test('a scratch folder is gone after its disposal, with what is in it', async () => {
  const scratch = await ScratchFolder.create()
  await mkdir(path.join(scratch.path, 'a/b'), { recursive: true })
  await writeFile(path.join(scratch.path, 'a/b/c'), 'x')
  await scratch[Symbol.asyncDispose]()
  assert.ok(!existsSync(scratch.path))
  await scratch[Symbol.asyncDispose]()
})

test('a scratch folder is gone after its process exits', async () => {
  await using parent = await ScratchFolder.create()
  const { holder, folder } = await startHolder(parent.path)
  assert.ok(existsSync(folder))
  holder.disconnect()
  await once(holder, 'exit')
  assert.ok(!existsSync(folder))
})

test('what a killed process left is removed by the next that makes a scratch folder there; what the living have stays', async () => {
  await using parent = await ScratchFolder.create()
  const living = await startHolder(parent.path)
  const killed = await startHolder(parent.path)
  killed.holder.kill('SIGKILL')
  await once(killed.holder, 'exit')
  assert.ok(existsSync(killed.folder))

  const beforeUs = path.join(parent.path, path.basename(parent.path).replace(/-(\d+)-(\w+)$/, '-1-$2'))
  const otherContainer = path.join(parent.path, path.basename(killed.folder).replace(/^(heddle-\d+)-\d+/, '$1-1'))
  const notOurs = path.join(parent.path, 'heddle-notes')
  for (const folder of [beforeUs, otherContainer, notOurs]) await mkdir(folder)

  await using ours = await ScratchFolder.create(parent.path)
  const left = await readdir(parent.path)
  const kept = [ours.path, living.folder, otherContainer, notOurs].map((folder) => path.basename(folder))
  assert.deepEqual(left.sort(), kept.sort())

  living.holder.disconnect()
  await once(living.holder, 'exit')
})
