import assert from 'node:assert/strict'
import { rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import test from 'node:test'
import { ScratchFolder } from '../../common/node/scratch-folder.js'
import { SpillFiles } from '../../worker/spill-files.js'

test('a folder that could not be made is made for a later value', async () => {
  await using scratch = await ScratchFolder.create()
  const obstacle = path.join(scratch.path, 'spilled')
  await writeFile(obstacle, '')
  const files = new SpillFiles(scratch.path)
  const bytes = Uint8Array.of(1, 2, 3)
  await assert.rejects(files.write(1, bytes), { code: 'EEXIST' })
  await rm(obstacle)
  await files.write(2, bytes)
  assert.deepEqual(new Uint8Array(await files.read(2)), bytes)
})
