/** Runs one command line and says how it ended: 0 done, 1 failed, 2 wrong usage. Every failure is one sentence. */
import { CommanderError } from 'commander'
import { HeddleError } from '../protocol/errors.js'
import { createProgram } from './program.js'

export const EXIT_DONE = 0
export const EXIT_FAILED = 1
export const EXIT_WRONG_USAGE = 2

export async function runCommand(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(argv, { from: 'user' })
    // A command may say that it failed, or end as what it ran did.
    return Number(process.exitCode ?? EXIT_DONE)
  } catch (error) {
    // Help and the version are thrown too; they have been written by then.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_DONE : EXIT_WRONG_USAGE
    process.stderr.write(`heddle: ${sentenceOf(error)}\n`)
    return error instanceof HeddleError && error.code === 'ERR_HEDDLE_INVALID_OPTION' ? EXIT_WRONG_USAGE : EXIT_FAILED
  }
}

function sentenceOf(error: unknown): string {
  if (error instanceof HeddleError) return error.message
  const reason = error instanceof Error ? error.message : String(error)
  return `Something failed that should not: ${reason}; please report it with what you ran.`
}
