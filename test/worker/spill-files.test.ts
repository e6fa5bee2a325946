import assert from 'node:assert/strict'
import { open, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { ScratchFolder } from '../../common/node/scratch-folder.js'
import { SpillFiles } from '../../worker/spill-files.js'

const OWN = { isShared: false } as const

test('a folder that could not be made is made for a later value', async () => {
  await using scratch = await ScratchFolder.create()
  const obstacle = path.join(scratch.path, 'spilled')
  await writeFile(obstacle, '')
  const files = new SpillFiles(scratch.path)
  const bytes = Uint8Array.of(1, 2, 3)
  await assert.rejects(files.write(1, bytes), { code: 'EEXIST' })
  await rm(obstacle)
  await files.write(2, bytes)
  assert.deepEqual(new Uint8Array(await files.read(2, OWN)), bytes)
})

test('one wrong byte anywhere in a file is found', async () => {
  await using scratch = await ScratchFolder.create()
  const files = new SpillFiles(scratch.path)
  const bytes = new Uint8Array(3 * 2 ** 20 + 5).map((_, i) => i % 251)
  await files.write(1, bytes)
  assert.deepEqual(new Uint8Array(await files.read(1, OWN)), bytes)
  const handle = await open(path.join(scratch.path, 'spilled', '1'), 'r+')
  await handle.write(Uint8Array.of(1), 0, 1, 1_500_000)
  await handle.close()
  await assert.rejects(files.read(1, OWN), /is not what was written/)
})
