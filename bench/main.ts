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

async function run({ selected, json, help, peers, minutes }: Arguments): Promise<void> {
  if (help) return console.log(helpText(WORKLOADS))
  // Loaded only now, with all of the client, so that help and wrong usage answer at once.
  const { measure } = await import('./harness.js')
  // Programs read standard output, people either.
  const tell = json ? console.error : console.log
  if (peers) return await compareWithPeers(selected, { minutes, tell, json })
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
  { minutes, tell, json }: { readonly minutes: number; readonly tell: (line: string) => void; readonly json: boolean },
): Promise<void> {
  const [{ measure }, { compare }, { comparisonTable }, { drawChart }] = await Promise.all([
    import('./harness.js'),
    import('./peers/compare.js'),
    import('./peers/table.js'),
    import('./peers/chart.js'),
  ])
  const comparisons = await compare(selected, {
    measure: ({ workload, params }) => {
      showProgress(`${workload.name} …`)
      return measure(workload, params)
    },
    tell,
    minutes,
  })
  showProgress('')
  tell(comparisonTable(comparisons))
  if (json) for (const comparison of comparisons) console.log(JSON.stringify(comparison))
  // A part is no picture of the whole: only a run of all workloads is kept.
  if (selected.length === WORKLOADS.length) writeFileSync(CHART, drawChart(comparisons))
}

/** Replaces the line that the cursor is on. Only a terminal shows it. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
