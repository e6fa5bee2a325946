/**
 * A pipeline: fetch, process, save. Each step takes the futures of the one before, so a page is processed as soon as it
 * is there, on the worker that has it, and none of them comes to this program.
 *
 * Prints:
 *     20 pages fetched, processed and saved
 *     page-7.json: {"page":7,"words":107,"longest":"heddle"}
 */
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect } from 'heddle'

interface Page {
  readonly page: number
  readonly text: string
}

interface Summary {
  readonly page: number
  readonly words: number
  readonly longest: string
}

async function fetchPage(url: string): Promise<Page> {
  const response = await fetch(url)
  if (!response.ok) throw new Error(`${url} answered ${response.status}`)
  return (await response.json()) as Page
}

function summarise({ page, text }: Page): Summary {
  const words = text.split(' ')
  const longest = words.reduce((best, word) => (word.length > best.length ? word : best))
  return { page, words: words.length, longest }
}

async function save(summary: Summary, folder: string): Promise<string> {
  const { writeFile } = await import('node:fs/promises')
  const file = `${folder}/page-${summary.page}.json`
  await writeFile(file, JSON.stringify(summary))
  return file
}

const server = createServer((request, response) => {
  const page = Number(request.url?.slice(1))
  response.end(JSON.stringify({ page, text: `${'warp '.repeat(100 + page - 1)}heddle` }))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
const folder = await mkdtemp(path.join(tmpdir(), 'heddle-pages-'))
try {
  await using client = await connect()
  const urls = Array.from({ length: 20 }, (_, i) => `http://127.0.0.1:${port}/${i + 1}`)
  const pages = client.map(fetchPage, urls)
  const summaries = client.map(summarise, pages)
  const files = await client.gather(client.map(save, summaries, { args: [folder] }))
  console.log(`${files.length} pages fetched, processed and saved`)
  console.log(`page-7.json: ${await readFile(files[6]!, 'utf8')}`)
} finally {
  server.close()
  await rm(folder, { recursive: true })
}
