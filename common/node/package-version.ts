/** The version of this package, as its package.json says. */
import { requirePackage } from './require-package.js'

export function packageVersion(): string {
  const { version } = requirePackage('heddle/package.json') as { readonly version: string }
  return version
}
