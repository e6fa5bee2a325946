/** `npm run openapi`: writes docs/openapi.json, the description of the HTTP API, from the code. A test compares. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import { describeApi } from '../dist/scheduler/openapi.js'

const file = fileURLToPath(new URL('../docs/openapi.json', import.meta.url))
const text = JSON.stringify(describeApi(), undefined, 2)
writeFileSync(file, await format(text, { ...(await resolveConfig(file)), parser: 'json' }))
