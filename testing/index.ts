/**
 * `heddle/testing`: for the tests of programs that use heddle. Clusters that are there for one test, and a simulator that runs a
 * program while whatever can fail around it does.
 *
 * @module heddle/testing
 */
/// <reference types="node" preserve="true" />
export type { Faults } from './faults.js'
export { simulate } from './simulate.js'
export type { SimulateOptions, SimulationReport } from './simulate.js'
export { SimulationError } from './simulation-error.js'
export { withCluster } from './with-cluster.js'
export type { WithClusterOptions } from './with-cluster.js'
