import assert from 'node:assert/strict'
import { copyFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import test from 'node:test'
import { ownIdentity } from '../../common/node/process-identity.js'
import { Journal, type JournalOptions } from '../../scheduler/journal/journal.js'
import { eventually } from '../support/eventually.js'
import { silentLog } from '../support/silent-log.js'
import { SmallDisk } from '../support/small-disk.js'
import { TemporaryFolder } from '../support/temporary-folder.js'

const KIB = 1024

const text = (payload: Uint8Array): string => Buffer.from(payload).toString()
const bytes = (payload: string): Uint8Array => Buffer.from(payload)

function open(directory: string, options: Partial<JournalOptions> = {}): { journal: Journal; found: string[] } {
  const journal = new Journal({
    directory,
    log: silentLog,
    onFull: () => undefined,
    onFailed: (error) => {
      throw error
    },
    ...options,
  })
  const found: string[] = []
  try {
    journal.replay((payload) => found.push(text(payload)))
  } catch (error) {
    journal.close()
    throw error
  }
  return { journal, found }
}

function append(journal: Journal, payload: string): Promise<void> {
  return new Promise((resolve) => journal.append(bytes(payload), resolve))
}

function namesOf(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.startsWith('journal-'))
}

function fileOf(directory: string): string {
  return path.join(directory, namesOf(directory)[0] ?? '')
}

test('what was appended is there again, in order, behind what the journal began with', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const first = open(folder.path)
  assert.deepEqual(first.found, [])
  first.journal.replaceBy([bytes('state')])
  await append(first.journal, 'one')
  await append(first.journal, 'two')
  first.journal.close()

  const second = open(folder.path)
  assert.deepEqual(second.found, ['state', 'one', 'two'])
  second.journal.replaceBy([bytes('state with both')])
  await append(second.journal, 'three')
  second.journal.close()

  const third = open(folder.path)
  assert.deepEqual(third.found, ['state with both', 'three'])
  third.journal.close()
})

test('what counts as kept is with the operating system at once, or on the disk soon', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path)
  journal.replaceBy([])
  let isKept = false
  journal.append(bytes('one'), () => (isKept = true))
  assert.ok(isKept)
  journal.close()

  const careful = open(folder.path, { keptBy: 'disk' })
  careful.journal.replaceBy([])
  const kept: string[] = []
  const all = ['two', 'three', 'four'].map((each) => append(careful.journal, each).then(() => kept.push(each)))
  assert.equal(kept.length, 0)
  await Promise.all(all)
  assert.deepEqual(kept, ['two', 'three', 'four'])
  careful.journal.close()
})

test('a journal that ends anywhere in its last record ends with the one before it, and goes on', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path)
  journal.replaceBy([bytes('state')])
  await append(journal, 'one')
  const file = fileOf(folder.path)
  const before = statSync(file).size
  await append(journal, 'the last record')
  journal.close()
  const whole = path.join(folder.path, 'whole')
  copyFileSync(file, whole)
  const after = statSync(whole).size
  for (let size = before; size < after; size++) {
    for (const name of readdirSync(folder.path)) if (name.endsWith('.log')) rmSync(path.join(folder.path, name))
    copyFileSync(whole, file)
    truncateSync(file, size)
    const torn = open(folder.path)
    assert.deepEqual(torn.found, ['state', 'one'], `cut at byte ${size - before} of the last record`)
    torn.journal.replaceBy([bytes('state'), bytes('one')])
    await append(torn.journal, 'again')
    torn.journal.close()
    const again = open(folder.path)
    assert.deepEqual(again.found, ['state', 'one', 'again'])
    again.journal.close()
  }
})

test('so does one whose last record has any byte that was not written', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path)
  journal.replaceBy([])
  await append(journal, 'one')
  const file = fileOf(folder.path)
  const before = statSync(file).size
  await append(journal, 'the last record')
  journal.close()
  const whole = readFileSync(file)
  for (let place = before; place < whole.length; place++) {
    const spoilt = Buffer.from(whole)
    spoilt[place] = spoilt[place]! ^ 0x55
    writeFileSync(file, spoilt)
    const torn = open(folder.path)
    assert.deepEqual(torn.found, ['one'], `byte ${place - before} of the last record`)
    torn.journal.close()
  }
})

test('damage in front of whole records is refused, and nothing is changed', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path)
  journal.replaceBy([bytes('state')])
  await append(journal, 'one')
  await append(journal, 'two')
  journal.close()
  const file = fileOf(folder.path)
  const spoilt = readFileSync(file)
  const place = spoilt.indexOf('one')
  spoilt[place] = 0
  writeFileSync(file, spoilt)
  assert.throws(() => open(folder.path), {
    code: 'ERR_HEDDLE_STATE_DAMAGED',
    message:
      /^The journal \S+ is damaged at byte \d+: .* put back a copy of the directory, or start with another --state-dir\.$/,
  })
  assert.deepEqual(readFileSync(file), spoilt)

  writeFileSync(file, 'something else entirely')
  assert.throws(() => open(folder.path), { code: 'ERR_HEDDLE_STATE_DAMAGED', message: /damaged at byte 0/ })
})

test('a new file that was not complete when its writer died does not count', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path)
  journal.replaceBy([bytes('state')])
  await append(journal, 'one')
  journal.close()
  const old = fileOf(folder.path)
  const copy = readFileSync(old)
  const { journal: next } = open(folder.path)
  next.replaceBy([bytes('state with one'), bytes('more of it')])
  next.close()
  const file = fileOf(folder.path)
  assert.notEqual(file, old)
  const size = statSync(file).size
  for (let cut = 0; cut < size; cut++) {
    writeFileSync(old, copy)
    truncateSync(file, size - 1 - cut)
    const found = open(folder.path)
    assert.deepEqual(found.found, ['state', 'one'], `${cut + 1} bytes were missing`)
    found.journal.close()
  }
})

test('its size is bounded by what there is to remember', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path, { minBytes: 4 * KIB })
  journal.replaceBy([bytes('state')])
  let replaced = 0
  for (let i = 0; i < 1_000; i++) {
    await append(journal, `${i}`.padEnd(100))
    if (!journal.isOvergrown) continue
    replaced++
    assert.ok(journal.replaceBy([bytes(`state ${i}`)]))
    assert.ok(!journal.isOvergrown)
    await eventually('the file before goes', () => namesOf(folder.path).length === 1)
  }
  assert.ok(replaced > 20)
  journal.close()
  const { journal: again, found } = open(folder.path)
  assert.match(found[0]!, /^state \d+$/)
  assert.equal(Number(found.at(-1)), 999)
  again.close()
  const sizes = namesOf(folder.path).map((name) => statSync(path.join(folder.path, name)).size)
  assert.ok(sizes.length === 1 && sizes[0]! < 8 * KIB, `${sizes.join(' and ')} bytes are left`)
})

test('a directory has one scheduler at a time, and that of a dead one is free', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path)
  assert.throws(() => open(folder.path), {
    code: 'ERR_HEDDLE_STATE_IN_USE',
    message: new RegExp(`^The state directory \\S+ is in use by process ${process.pid}, `),
  })
  journal.close()
  const lock = path.join(folder.path, 'lock')
  writeFileSync(lock, JSON.stringify({ ...ownIdentity(), start: 1 }))
  open(folder.path).journal.close()
  writeFileSync(lock, '')
  open(folder.path).journal.close()
  assert.deepEqual(readdirSync(folder.path), [])

  const file = path.join(folder.path, 'file')
  writeFileSync(file, '')
  assert.throws(() => open(path.join(file, 'state')), {
    code: 'ERR_HEDDLE_INVALID_OPTION',
    message: /^The state directory \S+ cannot be used \(ENOTDIR.*\); choose another with --state-dir, or none\.$/,
  })
})

test(
  'a full disk is told, and what was appended is kept once there is room',
  { skip: process.getuid?.() !== 0 },
  async () => {
    await using disk = await SmallDisk.mount('256k')
    const directory = path.join(disk.path, 'state')
    const told: boolean[] = []
    const { journal } = open(directory, { onFull: (isFull) => told.push(isFull) })
    journal.replaceBy([bytes('state')])
    await append(journal, 'before')
    const ballast = path.join(disk.path, 'ballast')
    writeFileSync(ballast, Buffer.alloc(180 * KIB))
    const kept: number[] = []
    const records = Array.from({ length: 40 }, (_, i) => `${i} `.padEnd(4 * KIB, '.'))
    for (const [i, record] of records.entries()) journal.append(bytes(record), () => kept.push(i))
    assert.deepEqual(told, [true])
    assert.ok(kept.length > 5 && kept.length < 40, `${kept.length} records were kept`)
    assert.equal(journal.unwrittenBytes, (40 - kept.length) * 4 * KIB)
    assert.ok(!journal.replaceBy(records.map(bytes)), 'there is no room for another file either')

    // Whoever looks now finds what was said to be kept, and nothing else.
    const copy = await TemporaryFolder.create('journal')
    copyFileSync(fileOf(directory), path.join(copy.path, 'journal-000001.log'))
    const seen = open(copy.path)
    seen.journal.close()
    assert.deepEqual(seen.found.slice(2), records.slice(0, kept.length))
    await copy[Symbol.asyncDispose]()

    rmSync(ballast)
    await append(journal, 'the last')
    assert.deepEqual(told, [true, false])
    assert.equal(kept.length, 40)
    assert.equal(journal.unwrittenBytes, 0)
    journal.close()
    const after = open(directory)
    assert.deepEqual(after.found, ['state', 'before', ...records, 'the last'])
    after.journal.close()
  },
)

test('where there is no room for another file a journal goes on in the one that it has', async () => {
  await using folder = await TemporaryFolder.create('journal')
  const { journal } = open(folder.path)
  assert.ok(!journal.goOn(), 'there is none')
  journal.replaceBy([])
  await append(journal, 'one')
  journal.close()
  const file = fileOf(folder.path)
  writeFileSync(file, Buffer.concat([readFileSync(file), bytes('torn')]))
  const second = open(folder.path)
  assert.ok(second.journal.goOn())
  await append(second.journal, 'two')
  second.journal.close()
  const third = open(folder.path)
  assert.deepEqual(third.found, ['one', 'two'])
  third.journal.close()
})

test(
  'what waits for room is in the snapshot that takes the place of all',
  { skip: process.getuid?.() !== 0 },
  async () => {
    await using disk = await SmallDisk.mount('64k')
    const directory = path.join(disk.path, 'state')
    const { journal } = open(directory)
    journal.replaceBy([])
    await append(journal, 'old '.padEnd(24 * KIB))
    const kept: string[] = []
    journal.append(bytes('large'.padEnd(60 * KIB)), () => kept.push('large'))
    assert.equal(kept.length, 0)
    assert.ok(journal.replaceBy([bytes('small')]))
    assert.deepEqual(kept, ['large'])
    journal.append(bytes('next'), () => kept.push('next'))
    assert.deepEqual(kept, ['large', 'next'])
    journal.close()
    const after = open(directory)
    assert.deepEqual(after.found, ['small', 'next'])
    after.journal.close()
  },
)
