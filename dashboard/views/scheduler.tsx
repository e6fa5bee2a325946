/** The scheduler’s own process: is it the one that everybody waits for? */
import type { JSX } from 'preact'
import { formatBytes, formatDuration } from '../../common/units.js'
import type { JournalView, Watched } from '../../protocol/messages/watch.js'
import { percent, whole } from '../model/words.js'
import { Tiles } from '../parts/tiles.js'

export function Scheduler({ watched: { scheduler, cluster } }: { readonly watched: Watched }): JSX.Element {
  const { tasks } = cluster
  return (
    <>
      <section aria-labelledby="loop">
        <h2 id="loop">Event loop</h2>
        <Tiles
          tiles={[
            {
              name: 'Busy',
              figure: percent(scheduler.loopBusy),
              detail: 'of the time',
              isBad: scheduler.loopBusy > 0.95,
            },
            { name: 'Late by', figure: formatDuration(scheduler.loopDelayMs), detail: 'one time in a hundred' },
            { name: 'Longest delay', figure: formatDuration(scheduler.longestDelayMs), detail: 'in the last second' },
            { name: 'Collecting garbage', figure: formatDuration(scheduler.garbageMs), detail: 'a second' },
          ]}
        />
      </section>
      <section aria-labelledby="process">
        <h2 id="process">Process</h2>
        <Tiles
          tiles={[
            { name: 'CPU', figure: percent(scheduler.cpu), detail: 'of a core' },
            { name: 'Memory', figure: formatBytes(scheduler.memoryBytes) },
            { name: 'Heap in use', figure: formatBytes(scheduler.heapBytes) },
            { name: 'Host', figure: scheduler.host, detail: `process ${scheduler.pid}` },
            { name: 'Version', figure: scheduler.packageVersion, detail: `Node ${scheduler.nodeVersion}` },
          ]}
        />
      </section>
      {scheduler.journal !== undefined && <Journal journal={scheduler.journal} />}
      <section aria-labelledby="queues">
        <h2 id="queues">Queues and connections</h2>
        <Tiles
          tiles={[
            { name: 'Ready tasks', figure: whole(tasks.ready) },
            { name: 'Tasks at workers', figure: whole(tasks.processing) },
            { name: 'To be retried', figure: whole(tasks.delayed) },
            { name: 'Clients and workers', figure: whole(scheduler.connections), detail: 'connections' },
            { name: 'Pages like this', figure: whole(scheduler.viewers) },
          ]}
        />
      </section>
    </>
  )
}

/** What must outlive the process. */
function Journal({ journal }: { readonly journal: JournalView }): JSX.Element {
  const { sizeBytes, unwrittenBytes, syncMs } = journal
  return (
    <section aria-labelledby="journal">
      <h2 id="journal">Journal</h2>
      <Tiles
        tiles={[
          { name: 'On disk', figure: formatBytes(sizeBytes) },
          {
            name: 'Waits for room',
            figure: formatBytes(unwrittenBytes),
            detail: unwrittenBytes > 0 ? 'new work is not begun' : 'on the disk',
            isBad: unwrittenBytes > 0,
          },
          { name: 'The disk took', figure: formatDuration(syncMs), detail: 'to keep it, the last time' },
        ]}
      />
    </section>
  )
}
