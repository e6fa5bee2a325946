/** All workloads, in the order in which they run. */
import { core } from './core/core.js'
import type { Workload } from './workload.js'
import { cpuScaling } from './workloads/cpu-scaling.js'
import { download } from './workloads/download.js'
import { memoryPressure } from './workloads/memory-pressure.js'
import { merge } from './workloads/merge.js'
import { metg } from './workloads/metg.js'
import { noopMap } from './workloads/noop-map.js'
import { records } from './workloads/records.js'
import { roundTrip } from './workloads/round-trip.js'
import { scatterGather } from './workloads/scatter-gather.js'
import { shuffle } from './workloads/shuffle.js'
import { shuffleOutputs } from './workloads/shuffle-outputs.js'
import { spill } from './workloads/spill.js'
import { startup } from './workloads/startup.js'
import { submit } from './workloads/submit.js'
import { transfer } from './workloads/transfer.js'
import { tree } from './workloads/tree.js'
import { viewers } from './workloads/viewers.js'
import { workerLoss } from './workloads/worker-loss.js'

export const WORKLOADS: readonly Workload[] = [
  noopMap,
  roundTrip,
  merge,
  tree,
  shuffle,
  shuffleOutputs,
  records,
  transfer,
  scatterGather,
  metg,
  cpuScaling,
  download,
  spill,
  startup,
  submit,
  memoryPressure,
  viewers,
  workerLoss,
  core,
]
