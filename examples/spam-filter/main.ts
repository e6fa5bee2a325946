/**
 * The main job, `npm start`: trains and tests a spam filter on real mail, on a cluster of a scheduler and two workers that
 * it starts itself. Then it does the same in one plain loop, to compare.
 */
import assert from 'node:assert/strict'
import { connect, LocalCluster } from 'heddle'
import { findCorpus, type Corpus } from './corpus.js'
import { trainInPlainLoop } from './plain-loop.js'
import { describeOutcome, formatCount, ProgressBar, type Outcome } from './report.js'
import { trainInCluster } from './training.js'

const TELLING_COUNT = 20
const PROGRESS_INTERVAL_MS = 100

interface Run {
  readonly outcome: Outcome
  readonly seconds: number
}

const corpus = findCorpus()
const [fileCount, heldOutCount] = [corpus.training.length + corpus.heldOut.length, corpus.heldOut.length].map(
  formatCount,
)
console.log(`${fileCount} files, one mail each; ${heldOutCount} of them are held out`)

const clustered = await runInCluster(corpus)
console.log(`\n${describeOutcome(clustered.outcome)}\n`)
console.log(`tasks run: ${formatCount(clustered.taskCount)} in ${clustered.seconds.toFixed(2)} s`)
console.log(`tasks per second: ${formatCount(Math.round(clustered.taskCount / clustered.seconds))}`)
console.log('the same work in one plain loop ...')

const plain = runInPlainLoop(corpus)
assert.deepEqual(plain.outcome, clustered.outcome, 'the plain loop learned something else')
const speedUp = plain.seconds / clustered.seconds
console.log(`... learned the same in ${plain.seconds.toFixed(2)} s; the speed-up is ${speedUp.toFixed(2)}`)

async function runInCluster(corpus: Corpus): Promise<Run & { readonly taskCount: number }> {
  await using cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
  await using client = await connect(cluster)
  console.log(`status page: ${cluster.statusPage}\n`)

  const startedAtMs = performance.now()
  const training = trainInCluster(client, corpus, TELLING_COUNT)
  const bar = new ProgressBar(training.taskCount, process.stdout)
  const drawing = setInterval(() => bar.show(training.finishedCount()), PROGRESS_INTERVAL_MS)
  const outcome = await training.outcome.finally(() => clearInterval(drawing))
  const seconds = (performance.now() - startedAtMs) / 1000

  bar.show(training.finishedCount())
  const { totals } = await client.info()
  return { outcome, seconds, taskCount: totals.finished }
}

function runInPlainLoop(corpus: Corpus): Run {
  const startedAtMs = performance.now()
  const outcome = trainInPlainLoop(corpus, TELLING_COUNT)
  return { outcome, seconds: (performance.now() - startedAtMs) / 1000 }
}
