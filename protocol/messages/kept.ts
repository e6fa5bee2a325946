/**
 * What a client says that must not be lost, whoever dies: it changes what the cluster is to do or to keep. A client numbers
 * these messages and keeps each until the scheduler has acknowledged it. The others are questions, which a client asks again
 * on a new connection, or belong to one connection.
 */
import type { ClientToScheduler } from './client.js'

/** A new message does not compile until somebody says which of the two it is. */
const KEPT: Readonly<Record<ClientToScheduler['type'], boolean>> = {
  'define-code': true,
  'define-template': true,
  submit: true,
  scatter: true,
  release: true,
  'forget-templates': true,
  cancel: true,
  'declare-limit': true,
  'take-unit': true,
  'return-unit': true,
  detach: true,
  retry: true,
  attach: true,
  publish: true,
  unpublish: true,
  'open-dataset': true,
  restart: true,
  'submit-under': false, // The clients of tasks are not kept.
  'not-scattered': false,
  'stream-taken': false,
  want: false,
  missing: false,
  'ask-status': false,
  'await-workers': false,
  'ask-lease': false,
  replicate: false,
  'who-has': false,
  'list-datasets': false,
  rebalance: false,
  'retire-workers': false,
  'ask-workers': false,
  'ask-profile': false,
  'ask-dump': false,
  'ask-explanation': false,
  'open-relay': false,
  'accept-relay': false,
  'close-relay': false,
  'relay-frame': false,
  'relay-taken': false,
}

/** Must the message not be lost? */
export function isKept({ type }: ClientToScheduler): boolean {
  return KEPT[type]
}
