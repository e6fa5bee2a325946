/** A log that nobody reads. */
import type { Log } from '../../common/node/log.js'

const nothing = (): void => undefined

export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }
