/** The cluster at a glance: is it well, how fast is it, how far is it, where does its memory go. */
import type { JSX } from 'preact'
import { formatBytes } from '../../common/units.js'
import type { Watched } from '../../protocol/messages/watch.js'
import { problemsOf } from '../model/problems.js'
import { compact, whole } from '../model/words.js'
import { Chart } from '../parts/chart.js'
import { MEMORY_KINDS } from '../parts/memory.js'
import { Legend } from '../parts/bar.js'
import { ProgressTable } from '../parts/progress.js'
import { Tiles } from '../parts/tiles.js'
import { store } from '../store.js'

export function Overview({ watched }: { readonly watched: Watched }): JSX.Element {
  const { cluster } = watched
  const { tasks, totals, tasksPerSecond } = cluster
  const { samples } = store.history
  const times = samples.map(({ atMs }) => atMs)
  const workers = Object.values(cluster.workers)
  const threads = workers.reduce((sum, worker) => sum + worker.threads, 0)
  const limit = workers.reduce((sum, worker) => sum + worker.memoryLimitBytes, 0)
  return (
    <>
      <Problems watched={watched} />
      <Tiles
        tiles={[
          { name: 'Tasks a second', figure: whole(tasksPerSecond) },
          { name: 'Processing', figure: whole(tasks.processing), detail: `on ${whole(threads)} threads` },
          { name: 'Ready', figure: whole(tasks.ready) },
          { name: 'Waiting for inputs', figure: whole(tasks.waiting) },
          { name: 'Held in memory', figure: whole(tasks['in-memory']) },
          { name: 'Failed', figure: whole(tasks.failed), isBad: tasks.failed > 0 },
          { name: 'Finished in all', figure: whole(totals.finished), detail: `of ${whole(totals.submitted)}` },
        ]}
      />
      <div class="columns">
        <section aria-labelledby="throughput">
          <h2 id="throughput">Throughput</h2>
          <Chart
            label="Tasks a second"
            times={times}
            lines={[{ name: 'tasks a second', kind: 'processing', values: samples.map((each) => each.tasksPerSecond) }]}
            format={compact}
          />
        </section>
        <section aria-labelledby="memory">
          <h2 id="memory">Memory {limit > 0 && <small>of {formatBytes(limit)}</small>}</h2>
          <Chart
            label="Memory of all workers"
            times={times}
            isStacked
            isBytes
            lines={MEMORY_KINDS.map(({ kind, words }) => ({
              name: words,
              kind,
              values: samples.map(({ memory }) => memory[kind]),
            }))}
            format={formatBytes}
          />
          <Legend parts={MEMORY_KINDS} />
        </section>
      </div>
      <section aria-labelledby="progress">
        <h2 id="progress">Progress</h2>
        <ProgressTable cluster={cluster} threads={threads} />
      </section>
    </>
  )
}

function Problems({ watched }: { readonly watched: Watched }): JSX.Element {
  const problems = problemsOf(watched)
  return (
    <section aria-labelledby="problems">
      <h2 id="problems">What is wrong now</h2>
      {problems.length === 0 ? (
        <p class="well">Nothing.</p>
      ) : (
        <ul class="problems">
          {problems.map(({ severity, text, href }) => (
            <li key={text} class={severity}>
              <a href={href}>{text}</a>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
