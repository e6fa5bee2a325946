/**
 * The status page: shows what the scheduler sends once a second, for as long as someone looks at it. A page in the
 * background holds no connection. Whatever users named goes into the page as text, never as markup.
 */
import { describeMemory, describeValues } from '../common/memory-words.js'
import { formatDuration } from '../common/units.js'
import type { ClusterStatus, StateCounts } from '../protocol/messages/status.js'

/** More rows than this nobody reads. */
const MAX_ROWS = 500

/** A figure is a number on the right, and may be marked as bad. */
type Cell = string | { readonly figure: string; readonly isBad?: boolean }

interface Reading {
  readonly status: ClusterStatus
  readonly atMs: number
}

let source: EventSource | undefined
let previous: Reading | undefined

document.addEventListener('visibilitychange', watchWhileVisible)
element('join-command').textContent = `heddle worker join ws://${location.host}`
watchWhileVisible()

function watchWhileVisible(): void {
  if (document.hidden) {
    source?.close()
    source = undefined
    previous = undefined // Rates over the time in the background would mislead.
  } else if (source === undefined) {
    source = new EventSource('/api/v1/status/stream')
    source.addEventListener('message', ({ data }: MessageEvent<string>) => show(JSON.parse(data) as ClusterStatus))
    source.addEventListener('error', showLost)
  }
}

/** EventSource tries again by itself, but not after an answer that is no stream, such as 401 or 503. */
function showLost(): void {
  document.body.classList.add('lost')
  element('summary').textContent = 'The scheduler does not answer. Trying again …'
  if (source?.readyState !== EventSource.CLOSED) return
  source = undefined
  setTimeout(watchWhileVisible, 3_000)
}

function show(status: ClusterStatus): void {
  const reading = { status, atMs: performance.now() }
  document.body.classList.remove('lost')
  document.title = `heddle: ${counted(status.workers.length, 'worker')}`
  element('summary').textContent = [
    `up for ${formatDuration(status.upForMs)}`,
    counted(status.workers.length, 'worker'),
    counted(status.clients, 'client'),
    `heddle ${status.packageVersion}`,
    `Node ${status.nodeVersion}`,
  ].join(' · ')
  showFigures(status)
  fillRows('workers', workerRows(reading))
  fillRows('functions', functionRows(reading))
  element('no-workers').hidden = status.workers.length > 0
  element('no-functions').hidden = status.functions.length > 0
  previous = reading
}

function showFigures({ tasks, totals, tasksPerSecond }: ClusterStatus): void {
  const figures: readonly (readonly [string, string])[] = [
    ['a second', whole(tasksPerSecond)],
    ...Object.entries(tasks).map(([state, count]) => [state, whole(count)] as const),
    ['submitted in all', whole(totals.submitted)],
    ['finished in all', whole(totals.finished)],
    ['failed in all', whole(totals.failed)],
  ]
  const list = element('tasks')
  while (list.childElementCount < figures.length) {
    const figure = document.createElement('div')
    figure.append(document.createElement('dt'), document.createElement('dd'))
    list.append(figure)
  }
  figures.forEach(([name, value], index) => {
    const [term, description] = list.children[index]!.children
    setText(term!, name)
    setText(description!, value)
  })
}

function workerRows({ status, atMs }: Reading): Cell[][] {
  const before = new Map(previous?.status.workers.map((worker) => [worker.name, worker.cpuSeconds]))
  const seconds = previous === undefined ? 0 : (atMs - previous.atMs) / 1000
  return status.workers.map((worker) => {
    const busySeconds = worker.cpuSeconds - (before.get(worker.name) ?? worker.cpuSeconds)
    return [
      worker.name,
      worker.host,
      { figure: whole(worker.threads) },
      { figure: whole(worker.processing) },
      { figure: seconds === 0 ? '' : `${Math.max(0, Math.round((busySeconds / seconds) * 100))} %` },
      { figure: describeMemory(worker), isBad: worker.pausedBy !== '' || worker.isDiskFull },
      { figure: describeValues(worker) },
      worker.silentForMs < 2_000 ? 'now' : `${formatDuration(worker.silentForMs)} ago`,
    ]
  })
}

function functionRows({ status, atMs }: Reading): Cell[][] {
  const before = new Map(previous?.status.functions.map((one) => [one.name, one.finished + one.failed]))
  const seconds = previous === undefined ? 0 : (atMs - previous.atMs) / 1000
  return status.functions.map(({ name, tasks, finished, failed, meanMs }) => {
    const ended = finished + failed
    const rate = seconds === 0 ? 0 : Math.max(0, (ended - (before.get(name) ?? 0)) / seconds)
    const states: readonly (keyof StateCounts)[] = ['waiting', 'ready', 'processing', 'in-memory']
    return [
      name,
      ...states.map((state) => ({ figure: whole(tasks[state]) })),
      { figure: whole(finished) },
      { figure: whole(failed), isBad: failed > 0 },
      { figure: previous === undefined ? '' : whole(rate) },
      { figure: ended === 0 ? '' : formatDuration(meanMs) },
    ]
  })
}

/** Makes the table's body say `rows`. What did not change is not touched, so that text stays selected. */
function fillRows(id: string, rows: readonly (readonly Cell[])[]): void {
  const shown = rows.slice(0, MAX_ROWS)
  const body = element(id)
  while (body.childElementCount > shown.length) body.lastElementChild?.remove()
  while (body.childElementCount < shown.length) body.append(document.createElement('tr'))
  shown.forEach((cells, index) => {
    const row = body.children[index]!
    while (row.childElementCount < cells.length) row.append(document.createElement('td'))
    cells.forEach((cell, column) => {
      const target = row.children[column]!
      setText(target, typeof cell === 'string' ? cell : cell.figure)
      target.classList.toggle('number', typeof cell !== 'string')
      target.classList.toggle('bad', typeof cell !== 'string' && cell.isBad === true)
    })
  })
}

function setText(target: Element, text: string): void {
  if (target.textContent !== text) target.textContent = text
}

function whole(count: number): string {
  return Math.round(count).toLocaleString('en')
}

function counted(count: number, noun: string): string {
  return `${whole(count)} ${noun}${count === 1 ? '' : 's'}`
}

function element(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`The page has no element "${id}".`)
  return found
}
