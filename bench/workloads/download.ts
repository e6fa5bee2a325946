/**
 * Pages of two slow sites: one after another, as a plain loop has them; as fast as they come; and politely, so many at once
 * and so many a second from each site.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Client, Future } from '../../client/index.js'
import { letGo, type ClusterWorkload } from '../workload.js'

const SITES = 2
const AT_ONCE = 4
const PER_SECOND = 20

export const download: ClusterWorkload<'pages' | 'ms'> = {
  type: 'on-cluster',
  name: 'download',
  summary:
    'pages of two sites that answer slowly: in a plain loop, as fast as they come, and 4 at once and 20 a second a site',
  unit: 's',
  parameters: {
    pages: { initial: 160, lowest: SITES, highest: 100_000 },
    ms: { initial: 100, lowest: 1, highest: 60_000 },
  },
  runs: 3,
  warmUps: 1,
  prepare: (client, { pages, ms }) => {
    const perSite = Math.ceil(pages / SITES)
    let plainSeconds: number | undefined
    return async () => {
      const sites = await Promise.all(Array.from({ length: SITES }, () => startSite(ms)))
      const urls = sites.map((site) => Array.from({ length: perSite }, (_, page) => `${originOf(site)}/${page}`))
      // A plain loop has nothing to warm up, and takes its time.
      plainSeconds ??= await seconds(async () => {
        for (const url of urls.flat()) await fetchPage(url)
      })
      const futures: Future<string>[] = []
      const clusterSeconds = await seconds(async () => {
        futures.push(...client.map(fetchPage, urls.flat(), { resources: { threads: 0 } }))
        await client.gather(futures)
      })
      const politeSeconds = await seconds(async () => {
        for (const [i, site] of sites.entries()) futures.push(...downloadPolitely(client, originOf(site), urls[i]!))
        await client.gather(futures)
      })
      // The first page has a token at once, and the last takes its time.
      const idealSeconds =
        Math.max((perSite - 1) / PER_SECOND, (Math.ceil(perSite / AT_ONCE) - 1) * (ms / 1_000)) + ms / 1_000
      const finish = async (): Promise<void> => {
        assert.deepEqual(
          await client.gather(futures),
          [...urls.flat(), ...urls.flat()].map((url) => new URL(url).pathname),
        )
        await letGo(client, futures)
        await Promise.all(sites.map(stopSite))
      }
      const figures = { plainSeconds, clusterSeconds, timesPlain: plainSeconds / clusterSeconds }
      return { figures: { ...figures, politeSeconds, idealSeconds, timesIdeal: politeSeconds / idealSeconds }, finish }
    }
  },
  valueOf: ({ figures }) => figures['clusterSeconds']!,
}

async function fetchPage(url: string): Promise<string> {
  return await (await fetch(url)).text()
}

function downloadPolitely(client: Client, site: string, urls: readonly string[]): Future<string>[] {
  const [atOnce, perSecond] = [`${site} at once`, `${site} a second`]
  client.semaphore(atOnce, AT_ONCE)
  client.rateLimit(perSecond, { perSecond: PER_SECOND })
  return client.map(fetchPage, urls, { resources: { threads: 0 }, limits: { [atOnce]: 1, [perSecond]: 1 } })
}

async function startSite(ms: number): Promise<Server> {
  const site = createServer(({ url }, response) => void setTimeout(() => response.end(url), ms))
  site.listen(0, '127.0.0.1')
  await once(site, 'listening')
  return site
}

function originOf(site: Server): string {
  return `http://127.0.0.1:${(site.address() as AddressInfo).port}`
}

async function stopSite(site: Server): Promise<void> {
  site.closeAllConnections()
  site.close()
  await once(site, 'close')
}

async function seconds(work: () => Promise<void>): Promise<number> {
  const startedAtMs = performance.now()
  await work()
  return (performance.now() - startedAtMs) / 1_000
}
