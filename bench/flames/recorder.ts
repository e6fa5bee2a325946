/**
 * Preloaded into each process of a benchmark: samples what its main thread does from its start to its exit, and leaves
 * that as `PID.cpuprofile` in the folder that the environment names. Node's own `--cpu-prof` can't be passed on to the
 * processes that a local cluster starts.
 */
import { writeFileSync } from 'node:fs'
import { Session, type Profiler } from 'node:inspector'
import path from 'node:path'
import { isMainThread } from 'node:worker_threads'

const SAMPLING_INTERVAL_US = 500

/** What the recorder leaves of a process. */
export interface Recording {
  /** The program that the process ran. */
  readonly program: string
  readonly profile: Profiler.Profile
}

const folder = process.env['HEDDLE_FLAMES_FOLDER']
// A thread of a worker is terminated without a chance to write; it is all the user's code anyway.
if (isMainThread && folder !== undefined) record(folder)

function record(folder: string): void {
  const session = new Session()
  session.connect()
  session.post('Profiler.enable')
  session.post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US })
  session.post('Profiler.start')
  process.once('exit', () => {
    // Within one process the answer comes before `post` returns.
    session.post('Profiler.stop', (error, { profile }) => {
      if (error !== null) throw error
      const recording: Recording = { program: process.argv[1] ?? '', profile }
      writeFileSync(path.join(folder, `${process.pid}.cpuprofile`), JSON.stringify(recording))
    })
  })
}
