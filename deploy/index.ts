/**
 * `heddle/cluster`: clusters that a program starts itself.
 *
 * @module heddle/cluster
 */
/// <reference types="node" preserve="true" />
export { LocalCluster } from './local-cluster.js'
export type { LocalClusterOptions } from './local-options.js'
