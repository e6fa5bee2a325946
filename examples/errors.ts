/**
 * Errors that don't stop the others: what each task threw is kept with its future, as the very error, with the task and
 * the worker it came from. The three modes of `gather` say what becomes of it.
 *
 * Prints:
 *     settle: 8 parsed, 2 failed
 *     SyntaxError in …: Expected property name …
 *     SyntaxError in …: Unexpected end of JSON input
 *     skip: 8 values
 *     throw: SyntaxError
 *     1 task that needs a broken one fails with its error: true
 */
import { connect } from 'heddle'

const texts = Array.from({ length: 10 }, (_, i) => JSON.stringify({ i }))
texts[3] = '{ not json'
texts[7] = ''

await using client = await connect()
const rows = client.map((text: string) => JSON.parse(text) as { i: number }, texts, { name: 'parse' })

const settled = await client.gather(rows, { errors: 'settle' })
const failed = settled.filter((row) => row.status === 'rejected')
console.log(`settle: ${settled.length - failed.length} parsed, ${failed.length} failed`)
for (const { reason } of failed) {
  const error = reason as SyntaxError & { taskKey: string }
  console.log(`${error.name} in ${error.taskKey}: ${error.message}`)
}

const values = await client.gather(rows, { errors: 'skip' })
console.log(`skip: ${values.length} values`)

await client.gather(rows).catch((error: unknown) => console.log(`throw: ${(error as Error).name}`))

const dependant = rows[3]!.pipe(({ i }: { i: number }) => i + 1)
console.log('1 task that needs a broken one fails with its error:', (await dependant.error()) instanceof SyntaxError)
