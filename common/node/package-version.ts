/** The version of this package, as its package.json says. */
import { readFileSync } from 'node:fs'

/** From `dist/common/node` up to the root of the package. */
const PACKAGE_JSON = new URL('../../../package.json', import.meta.url)

let version: string | undefined

export function packageVersion(): string {
  if (version === undefined) {
    const { version: read } = JSON.parse(readFileSync(PACKAGE_JSON, 'utf8')) as { readonly version: string }
    version = read
  }
  return version
}
