/** What two processes say first, whatever they are to each other. */
import { integer, message, oneOf, optionalText, text, union, type Infer } from '../schema.js'

/**
 * A viewer asks a scheduler what there is, and can't change it. `task` is the client of the tasks that run in one thread of a
 * worker, and has the worker's name.
 */
export const role = oneOf('client', 'worker', 'peer', 'viewer', 'task')
export type Role = Infer<typeof role>

/** The dialling side says who it is and which versions of the protocol it speaks. */
export const hello = message('hello', {
  lowestVersion: integer,
  highestVersion: integer,
  packageVersion: text,
  nodeVersion: text,
  role,
  name: text,
  /** Between workers: the secret that the scheduler gave both. */
  secret: optionalText,
})
export type Hello = Infer<typeof hello>

/** The answering side agrees, and says in which version. */
export const welcome = message('welcome', { version: integer, packageVersion: text, nodeVersion: text })
export type Welcome = Infer<typeof welcome>

/** The answering side does not agree; the connection closes after it. `code` is one of `ERROR_CODES`. */
export const refused = message('refused', { code: text, reason: text })

export const toAnswering = union([hello])
export const toDialling = union([welcome, refused])
