/** Where the project's own files are, seen from a compiled test: `dist/test/support`. */
import { fileURLToPath } from 'node:url'

export const PROJECT = fileURLToPath(new URL('../../../', import.meta.url))
