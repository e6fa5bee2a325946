/** A cluster that the tests of a file share, each with a client of its own: to start one takes longer than most of them run. */
import { after } from 'node:test'
import { LocalCluster } from '../../deploy/local-cluster.js'
import type { LocalClusterOptions } from '../../deploy/local-options.js'

/** Gives what starts the cluster when it is first called; the cluster goes when all tests of the file are over. */
export function sharedCluster(options: LocalClusterOptions): () => Promise<LocalCluster> {
  let starting: Promise<LocalCluster> | undefined
  after(async () => await (await starting)?.close())
  return () => (starting ??= LocalCluster.start(options))
}
