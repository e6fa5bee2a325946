/**
 * The work as a graph of tasks. It is all submitted at once: a task starts when its inputs are there, and what it returns
 * goes from worker to worker. Only the last few results, which are small, come to this process.
 */
import type { Client, Future } from 'heddle'
import { sumConfusions, type Counts } from './bayes.js'
import type { Corpus } from './corpus.js'
import type { Outcome } from './report.js'

/** How many results one task adds up. */
const FAN_IN = 32
/** How many mails one task judges: enough that unpacking the model is little beside it. */
const MAILS_TO_JUDGE = 128

/** Work under way in a cluster. */
export interface Training {
  readonly taskCount: number
  readonly outcome: Promise<Outcome>
  /** How many of the tasks are done. It asks nobody: futures know. */
  finishedCount(): number
}

export function trainInCluster(client: Client, corpus: Corpus, tellingCount: number): Training {
  const run = client.module<typeof import('./tasks.js')>(new URL('./tasks.js', import.meta.url))

  const training = client.map(run.readMessage, corpus.training)
  const heldOut = client.map(run.readMessage, corpus.heldOut)
  const counts: Future<Counts>[] = client.map(run.countWords, groupsOf(FAN_IN, training))
  // A tree: each level adds up the one before, and lies behind it in the list. Its root is the last.
  for (let level = counts.slice(); level.length > 1; counts.push(...level)) {
    level = client.map(run.mergeCounts, groupsOf(FAN_IN, level))
  }
  const model = run.trainModel(counts.at(-1)!)
  const telling = run.tellingWords(model, tellingCount)
  const confusions = client.map(run.judge, groupsOf(MAILS_TO_JUDGE, heldOut), { args: [model] })

  const outcome = Promise.all([client.gather(confusions), telling]).then(([each, words]) => {
    return { confusion: sumConfusions(each), telling: words }
  })
  const tasks: Future<unknown>[] = [...training, ...heldOut, ...counts, model, telling, ...confusions]
  const finishedCount = (): number => tasks.filter(({ status }) => status === 'finished').length
  return { taskCount: tasks.length, outcome, finishedCount }
}

function groupsOf<T>(size: number, items: readonly T[]): T[][] {
  const count = Math.ceil(items.length / size)
  return Array.from({ length: count }, (_, group) => items.slice(group * size, (group + 1) * size))
}
