/**
 * Downloads 160 pages of two slow sites: as fast as they come, in tasks that take no thread, and politely, with limits for
 * each site that hold for the whole cluster. What it prints is at the end of the file.
 */
import { connect, LocalCluster, type Client } from 'heddle'
import { Site } from './sites.js'

const PAGES_PER_SITE = 80
const AT_ONCE = 4
const PER_SECOND = 20

await using first = await Site.start()
await using second = await Site.start()
const sites = [first, second]

await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
await using client = await connect(cluster)

/** Waits for the network nearly all the time: why should it keep a thread? */
const download = async (url: string): Promise<number> => {
  const { task } = await import('heddle/task')
  const response = await fetch(url, { signal: task.signal })
  return (await response.text()).length
}

const quickSeconds = await seconds(async () => {
  const pages = sites.flatMap((site) => site.pages(PAGES_PER_SITE))
  const sizes = await client.gather(client.map(download, pages, { resources: { threads: 0 } }))
  console.log(`${sizes.length} pages, as fast as they come`)
})
console.error(`one after another in two threads they would take 8 s; this took ${quickSeconds.toFixed(1)} s`)
console.log(`more at once than there are threads: ${sites.every(({ mostAtOnce }) => mostAtOnce > 4)}`)

for (const site of sites) site.forget()
const politeSeconds = await seconds(async () => {
  const sizes = await Promise.all(sites.map((site) => downloadPolitely(client, site)))
  console.log(`${sizes.flat().length} pages, politely`)
})
console.log(
  `never more than ${AT_ONCE} at once from one site: ${sites.every(({ mostAtOnce }) => mostAtOnce <= AT_ONCE)}`,
)
const leastSeconds = (PAGES_PER_SITE - 1) / PER_SECOND
console.log(`no faster than ${PER_SECOND} a second from one site: ${politeSeconds >= leastSeconds}`)

async function downloadPolitely(client: Client, site: Site): Promise<number[]> {
  const [atOnce, perSecond] = [`${site.origin} at once`, `${site.origin} a second`]
  client.semaphore(atOnce, AT_ONCE)
  client.rateLimit(perSecond, { perSecond: PER_SECOND })
  const limits = { [atOnce]: 1, [perSecond]: 1 }
  const pages = client.map(download, site.pages(PAGES_PER_SITE), { resources: { threads: 0 }, limits })
  return await client.gather(pages)
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now()
  await work()
  return (performance.now() - startedAtMs) / 1_000
}

// => 160 pages, as fast as they come
// => more at once than there are threads: true
// => 160 pages, politely
// => never more than 4 at once from one site: true
// => no faster than 20 a second from one site: true
