/**
 * A counter that many tasks share, done wrong and right. Two tasks that read a number, add one and write it back can read
 * the same number: one of the two is lost. Either only one does it at a time, or, better, nobody shares anything: each
 * task counts for itself, and the counts are added at the end.
 *
 * Prints:
 *     at once: some of 100 are lost: true
 *     one at a time: 100 of 100
 *     nothing shared: 100 of 100
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect } from 'heddle'

const TASKS = 100

/** Adds one to the number in a file, with time for others between reading and writing. */
async function addOne(_task: number, file: string): Promise<void> {
  const { readFile, writeFile } = await import('node:fs/promises')
  const { setTimeout } = await import('node:timers/promises')
  const count = Number(await readFile(file, 'utf8'))
  await setTimeout(2)
  await writeFile(file, String(count + 1))
}

const folder = await mkdtemp(path.join(tmpdir(), 'heddle-counter-'))
const file = path.join(folder, 'count')
const tasks = Array.from({ length: TASKS }, (_, i) => i)
try {
  await using client = await connect()

  await writeFile(file, '0')
  const io = client.with({ resources: { threads: 0 } })
  await client.gather(io.map(addOne, tasks, { args: [file] }))
  console.log(`at once: some of ${TASKS} are lost:`, Number(await readFile(file, 'utf8')) < TASKS)

  await writeFile(file, '0')
  client.semaphore('count', 1)
  const alone = client.with({ resources: { threads: 0 }, limits: { count: 1 } })
  await client.gather(alone.map(addOne, tasks, { args: [file] }))
  console.log(`one at a time: ${await readFile(file, 'utf8')} of ${TASKS}`)

  const counts = await client.gather(client.map(() => 1, tasks))
  console.log(`nothing shared: ${counts.reduce((sum, count) => sum + count, 0)} of ${TASKS}`)
} finally {
  await rm(folder, { recursive: true })
}
