/** Commander's command, with wrong usage told in one sentence that says what to do. */
import { Command } from 'commander'
import { HeddleError } from '../protocol/errors.js'

export class HeddleCommand extends Command {
  override createCommand(name?: string): HeddleCommand {
    return new HeddleCommand(name)
  }

  /** Commander calls it for everything that is wrong with a command line. */
  override error(message: string): never {
    const what = message.replace(/^error: /, '').replace(/\.?\s*\n?\(Did you mean (.+)\?\)$/, ' (did you mean $1?)')
    throw new HeddleError('ERR_HEDDLE_INVALID_OPTION', `${what.replace(/\.$/, '')}; see "${this.#path()} --help".`)
  }

  /** Adds an example to the help. */
  example(...lines: readonly string[]): this {
    const noun = lines.length === 1 ? 'Example' : 'Examples'
    return this.addHelpText('after', `\n${noun}:\n${lines.map((line) => `  ${line}`).join('\n')}`)
  }

  #path(): string {
    const names = [this.name()]
    for (let command = this.parent; command !== null; command = command.parent) names.unshift(command.name())
    return names.join(' ')
  }
}
