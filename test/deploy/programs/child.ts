/** A child for tests: starts a program of its own, reports both process ids in a file, and does as `MODE` says. */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { dieWithParent, reportToParent } from '../../../common/node/parent-process.js'

dieWithParent()
process.on('SIGTERM', () => {
  if (process.env['MODE'] !== 'stubborn') process.exit(0)
})
process.once('exit', () => writeFileSync(`${file()}.exit`, 'heard of its exit'))
switch (process.env['MODE']) {
  case 'crash':
    process.exit(3)
    break
  case 'fail':
    await reportToParent({ type: 'failed', code: 'ERR_HEDDLE_NAME_IN_USE', message: 'The name is taken.' })
    process.exit(1)
    break
  case 'block': {
    startProgram()
    await reportToParent({ type: 'ready' })
    const end = performance.now() + 1_000
    while (performance.now() < end); // As a worker does whose main thread is busy.
    break
  }
  default:
    startProgram()
    await reportToParent({ type: 'ready' })
}
setInterval(() => undefined, 1_000)

function startProgram(): void {
  const program = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  writeFileSync(file(), JSON.stringify([process.pid, program.pid]))
}

function file(): string {
  return process.env['PIDS_FILE'] ?? '/dev/null'
}
