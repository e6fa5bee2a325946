/** Results and help as people read them. */
import type { Result } from './harness.js'
import { textTable } from './text-table.js'
import type { Workload } from './workload.js'

/** One line. */
export function describeResult(result: Result): string {
  const { workload, params, p50Ms, p99Ms, figures, cpuSeconds, othersShare } = result
  const options = Object.entries(params).map(([name, value]) => `--${name} ${value}`)
  const percentiles = p50Ms === undefined || p99Ms === undefined ? '' : ` (p50 ${p50Ms} ms, p99 ${p99Ms} ms)`
  const parts = [`${[workload, ...options].join(' ')}: ${valueOf(result)}${percentiles}`]
  for (const [name, value] of Object.entries(figures)) parts.push(`${name} ${value.toLocaleString('en')}`)
  if (cpuSeconds !== undefined) {
    const { client, scheduler, workers } = cpuSeconds
    parts.push(`CPU a run: client ${client} s, scheduler ${scheduler} s, workers ${workers} s`)
  }
  if (othersShare !== undefined) parts.push(`others had ${inPercent(othersShare)} of the processors`)
  return parts.join('; ')
}

/** One line for programs: the figures stand beside the value. */
export function jsonOf({ figures, cpuSeconds, othersShare, ...result }: Result): string {
  return JSON.stringify({ ...result, ...figures, cpuSeconds, othersShare })
}

export function resultTable(results: readonly Result[]): string {
  const heads = [
    'WORKLOAD',
    'PARAMETERS',
    'VALUE',
    'P50 MS',
    'P99 MS',
    'CLIENT CPU S',
    'SCHEDULER CPU S',
    'WORKERS CPU S',
    'OTHERS',
    'BESIDE',
  ]
  const rows = results.map((result) => [
    result.workload,
    Object.entries(result.params)
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
    valueOf(result),
    String(result.p50Ms ?? ''),
    String(result.p99Ms ?? ''),
    String(result.cpuSeconds?.client ?? ''),
    String(result.cpuSeconds?.scheduler ?? ''),
    String(result.cpuSeconds?.workers ?? ''),
    result.othersShare === undefined ? '' : inPercent(result.othersShare),
    Object.entries(result.figures)
      .map(([name, value]) => `${name} ${value.toLocaleString('en')}`)
      .join(', '),
  ])
  return textTable([heads, ...rows])
}

export function helpText(workloads: readonly Workload[]): string {
  const lines = workloads.flatMap(({ name, summary, parameters }) => {
    const options = Object.entries(parameters).map(([option, { initial }]) => `--${option} ${initial}`)
    return [`  ${[name, ...options].join(' ')}`, `      ${summary}`]
  })
  return [
    'Measures workloads on one scheduler and two workers of one thread on this machine, or all when none is named.',
    '',
    'Usage: npm run bench -- [WORKLOAD [OPTIONS]] [--only A,B] [--json] [--peers [--minutes 8]]',
    '',
    ...lines,
    '',
    'With --json, standard output has one line of JSON for each workload and nothing else.',
    'With --only, just these workloads run.',
    'With --peers, each is measured in turn with those of Piscina, Dask, Ray and BullMQ that are installed, for so many',
    'minutes; a run of all workloads draws docs/benchmarks.svg.',
    'Example: npm run --silent bench -- noop-map --tasks 1000000 --json',
  ].join('\n')
}

function inPercent(share: number): string {
  return `${Math.round(share * 100)} %`
}

function valueOf({ value, unit }: Result): string {
  return `${value.toLocaleString('en')} ${unit}`
}
