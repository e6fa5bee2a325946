/**
 * Access logs, one task a file, read line by line so that no file is ever whole in memory. Only counts travel.
 *
 * Prints:
 *     8 files, 400,000 lines
 *     200: 320,000
 *     404: 60,000
 *     500: 20,000
 */
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { once } from 'node:events'
import { connect } from 'heddle'

const FILES = 8
const LINES_A_FILE = 50_000

/** How many lines of the file have which status. */
async function countStatuses(file: string): Promise<Record<string, number>> {
  const { createReadStream } = await import('node:fs')
  const { createInterface } = await import('node:readline')
  const counts: Record<string, number> = {}
  for await (const line of createInterface({ input: createReadStream(file), crlfDelay: Infinity })) {
    const status = line.split(' ')[2] ?? 'broken'
    counts[status] = (counts[status] ?? 0) + 1
  }
  return counts
}

async function writeLog(file: string): Promise<void> {
  const out = createWriteStream(file)
  for (let i = 0; i < LINES_A_FILE; i++) {
    const status = i % 20 === 0 ? 500 : i % 20 < 4 ? 404 : 200
    if (!out.write(`10.0.0.${i % 250} /page/${i} ${status} ${i % 900}\n`)) await once(out, 'drain')
  }
  out.end()
  await once(out, 'finish')
}

const folder = await mkdtemp(path.join(tmpdir(), 'heddle-logs-'))
try {
  const files = Array.from({ length: FILES }, (_, i) => path.join(folder, `access-${i}.log`))
  for (const file of files) await writeLog(file)

  await using client = await connect()
  const totals: Record<string, number> = {}
  for (const counts of await client.gather(client.map(countStatuses, files))) {
    for (const [status, count] of Object.entries(counts)) totals[status] = (totals[status] ?? 0) + count
  }
  const lines = Object.values(totals).reduce((sum, count) => sum + count, 0)
  console.log(`${files.length} files, ${lines.toLocaleString('en')} lines`)
  for (const [status, count] of Object.entries(totals)) console.log(`${status}: ${count.toLocaleString('en')}`)
} finally {
  await rm(folder, { recursive: true })
}
