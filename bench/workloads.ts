/** All workloads, in the order in which they run. */
import { core } from './core/core.js'
import type { Workload } from './workload.js'
import { merge } from './workloads/merge.js'
import { noopMap } from './workloads/noop-map.js'
import { roundTrip } from './workloads/round-trip.js'
import { shuffle } from './workloads/shuffle.js'
import { shuffleOutputs } from './workloads/shuffle-outputs.js'
import { tree } from './workloads/tree.js'

export const WORKLOADS: readonly Workload[] = [noopMap, roundTrip, merge, tree, shuffle, shuffleOutputs, core]
