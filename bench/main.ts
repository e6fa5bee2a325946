/** `npm run bench`: measures, and prints a line for each workload, or a table of them all. */
import { writeFileSync } from 'node:fs'
import { parseArguments, UsageError, type Arguments, type Selection } from './arguments.js'
import type { Result } from './harness.js'
import { describeResult, helpText, jsonOf, resultTable } from './report.js'
import { WORKLOADS } from './workloads.js'

const EXIT_FAILED = 1
/** Beside the pages, from where this file is built to. */
const CHART = new URL('../../docs/benchmarks.svg', import.meta.url)
const EXIT_WRONG_USAGE = 2

try {
  await run(parseArguments(process.argv.slice(2), WORKLOADS))
} catch (error) {
  const isWrongUsage = error instanceof UsageError
  process.exitCode = isWrongUsage ? EXIT_WRONG_USAGE : EXIT_FAILED
  // Of what should not happen, people who work on it want the stack.
  console.error(isWrongUsage ? `bench: ${error.message}` : error)
}

async function run({ selected, json, help, peers }: Arguments): Promise<void> {
  if (help) return console.log(helpText(WORKLOADS))
  // Loaded only now, with all of the client, so that help and wrong usage answer at once.
  const { measure } = await import('./harness.js')
  // Programs read standard output, people either.
  const tell = json ? console.error : console.log
  if (peers) return await compareWithPeers(selected, json ? console.error : console.log, json)
  const results: Result[] = []
  for (const { workload, params } of selected) {
    const result = await measure(workload, params, (step) => showProgress(`${workload.name}: ${step}`))
    showProgress('')
    results.push(result)
    if (selected.length === 1) tell(describeResult(result))
  }
  if (selected.length > 1) tell(resultTable(results))
  if (json || selected.length > 1) for (const result of results) console.log(jsonOf(result))
}

async function compareWithPeers(
  selected: readonly Selection[],
  tell: (line: string) => void,
  json: boolean,
): Promise<void> {
  const [{ measure }, { compare }, { drawChart }] = await Promise.all([
    import('./harness.js'),
    import('./peers/compare.js'),
    import('./peers/chart.js'),
  ])
  const comparisons = await compare(selected, ({ workload, params }) => measure(workload, params), tell)
  if (json) for (const comparison of comparisons) console.log(JSON.stringify(comparison))
  // One workload is no picture of the whole: only a run of all of them is kept.
  if (selected.length > 1) writeFileSync(CHART, drawChart(comparisons))
}

/** Replaces the line that the cursor is on. Only a terminal shows it. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
