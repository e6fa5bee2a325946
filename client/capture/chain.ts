/** Functions that run one behind the other as one task: code that is made of theirs. */
import { contentHash } from '../../common/node/content-hash.js'
import { codeHash } from '../../protocol/ids.js'
import { joinMaps } from './function-map.js'
import { captureFunction, declareCaptured } from './function.js'
import { LINE_BREAK } from './written-at.js'

type AnyFunction = (...args: never[]) => unknown

/**
 * The arguments of a chain. Call `i` is of function `which[i]` with `lists[i]`, whose entry `links[i]` becomes the value of
 * the call before; the first call is as it is.
 */
export type ChainArguments = readonly [which: readonly number[], links: readonly number[], lists: readonly unknown[][]]

type Chain = (...args: ChainArguments) => Promise<unknown>

/** What runs on workers: the same as {@link run}. */
const SOURCE = `(...functions) => async (which, links, lists) => {
  let value
  for (let i = 0; i < which.length; i++) {
    if (i > 0) lists[i][links[i]] = value
    value = await functions[which[i]](...lists[i])
  }
  return value
}`

function run(functions: readonly AnyFunction[]): Chain {
  return async (which, links, lists) => {
    let value: unknown
    for (let i = 0; i < which.length; i++) {
      if (i > 0) lists[i]![links[i]!] = value
      const fn = functions[which[i]!] as (...args: unknown[]) => unknown
      value = await fn(...lists[i]!)
    }
    return value
  }
}

/** A function that can be captured, and takes {@link ChainArguments}. */
export function chainOf(functions: readonly AnyFunction[]): Chain {
  let text = `(${SOURCE})(`
  const pieces = functions.map((fn, i) => {
    const { source, sourceMap } = captureFunction(fn)
    text += i === 0 ? '(' : ', ('
    const lines = text.split(LINE_BREAK)
    text += `${Buffer.from(source).toString()})`
    return { map: sourceMap, at: { line: lines.length - 1, column: lines.at(-1)!.length } }
  })
  const source = Buffer.from(`${text})`)
  const chain = run(functions)
  declareCaptured(chain, {
    code: codeHash(contentHash('function', source)),
    kind: 'function',
    source,
    sourceMap: joinMaps(pieces),
    exportName: 'default',
    name: functions.map((fn) => captureFunction(fn).name).join('+'),
  })
  return chain
}
