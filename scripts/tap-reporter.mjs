/** Node's own TAP, which names at its end, before the counts, what has failed: a long log is read from its end. */
import { tap } from 'node:test/reporters'

export default async function* report(events) {
  yield* tap(withFailures(events))
}

async function* withFailures(events) {
  const failures = []
  for await (const event of events) {
    const { type, data } = event
    // A suite fails with what is in it, which is named by itself.
    if (type === 'test:fail' && data.details.error?.failureType !== 'subtestsFailed') {
      failures.push(`failed: ${data.name} (${data.file}): ${data.details.error?.cause?.message ?? data.details.error}`)
    }
    if (type === 'test:diagnostic' && data.nesting === 0 && data.message.startsWith('tests ')) {
      for (const message of failures) yield { type, data: { ...data, message: message.replaceAll('\n', ' ') } }
    }
    yield event
  }
}
