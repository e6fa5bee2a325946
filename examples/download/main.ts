/**
 * Downloads pages of two slow sites: some in a plain loop, some in the threads of one machine, and then 160 of them as fast
 * as they come, in tasks that take no thread, and politely, with limits for each site that hold for the whole cluster. What
 * it prints is at the end of the file, and how long each took goes to the standard error.
 */
import { connect, LocalCluster, type Client } from 'heddle'
import { Site } from './sites.js'

const PAGES_PER_SITE = 80
/** A few are enough to see how slow that is. */
const FEW = 16
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

const loopSeconds = await seconds(async () => {
  let count = 0
  for (const url of first.pages(FEW)) count += (await (await fetch(url)).text()) === '' ? 0 : 1
  console.log(`${count} pages, in a plain loop`)
})
console.error(`${FEW} in a plain loop: ${loopSeconds.toFixed(1)} s`)
console.log(`one at a time: ${first.mostAtOnce === 1}`)

for (const site of sites) site.forget()
const threadsSeconds = await seconds(async () => {
  const sizes = await client.gather(client.map(download, first.pages(FEW)))
  console.log(`${sizes.length} pages, in the threads of one machine`)
})
console.error(`${FEW} in two threads: ${threadsSeconds.toFixed(1)} s`)
console.log(`as many at once as there are threads: ${first.mostAtOnce === 2}`)

for (const site of sites) site.forget()
const quickSeconds = await seconds(async () => {
  const pages = sites.flatMap((site) => site.pages(PAGES_PER_SITE))
  const sizes = await client.gather(client.map(download, pages, { resources: { threads: 0 } }))
  console.log(`${sizes.length} pages, as fast as they come`)
})
console.error(`160 as fast as they come: ${quickSeconds.toFixed(1)} s`)
console.log(`more at once than there are threads: ${sites.every(({ mostAtOnce }) => mostAtOnce > 4)}`)

for (const site of sites) site.forget()
const politeSeconds = await seconds(async () => {
  const sizes = await Promise.all(sites.map((site) => downloadPolitely(client, site)))
  console.log(`${sizes.flat().length} pages, politely`)
})
console.error(`160 politely: ${politeSeconds.toFixed(1)} s`)
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

// => 16 pages, in a plain loop
// => one at a time: true
// => 16 pages, in the threads of one machine
// => as many at once as there are threads: true
// => 160 pages, as fast as they come
// => more at once than there are threads: true
// => 160 pages, politely
// => never more than 4 at once from one site: true
// => no faster than 20 a second from one site: true
