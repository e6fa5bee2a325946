/** What tests read out of Markdown pages. */
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { PROJECT } from '../support/project.js'

export interface Page {
  /** From the root of the project, such as `docs/errors.md`. */
  readonly name: string
  readonly text: string
}

export interface CodeBlock {
  readonly language: string
  readonly text: string
}

const NOT_OURS = /^(\..*|node_modules|dist|dist-.*)$/
const FENCE = /^( *)```(\w*)[^\n]*\n([\s\S]*?)^ *```$/gm

/** Every page of the project. */
export function readPages(): Page[] {
  return pageNamesIn('').map(readPage)
}

export function readPage(name: string): Page {
  return { name, text: readFileSync(path.join(PROJECT, name), 'utf8') }
}

function pageNamesIn(folder: string): string[] {
  const entries = readdirSync(path.join(PROJECT, folder), { withFileTypes: true })
  return entries.flatMap((entry) => {
    const name = path.posix.join(folder, entry.name)
    if (entry.isDirectory()) return NOT_OURS.test(entry.name) ? [] : pageNamesIn(name)
    return entry.name.endsWith('.md') ? [name] : []
  })
}

export function codeBlocksOf({ text }: Page): CodeBlock[] {
  return [...text.matchAll(FENCE)].map(([, , language, code]) => ({ language: language ?? '', text: code ?? '' }))
}

/** The headings of one level, or of all, in their order. */
export function headingsOf(page: Page, level?: number): string[] {
  const found = [...proseOf(page).matchAll(/^(#{1,6}) +(.+?) *$/gm)]
  return found.filter(([, marks]) => level === undefined || marks?.length === level).map(([, , text]) => text ?? '')
}

/** What a heading is called in links, as the usual hosts make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replace(/\s/g, '-')
}

/** What links may point to: headings, numbered where they repeat, and places that are named. */
export function anchorsOf(page: Page): Set<string> {
  const counts = new Map<string, number>()
  const anchors = new Set([...page.text.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id ?? ''))
  for (const heading of headingsOf(page)) {
    const anchor = anchorOf(heading)
    const count = counts.get(anchor) ?? 0
    counts.set(anchor, count + 1)
    anchors.add(count === 0 ? anchor : `${anchor}-${count}`)
  }
  return anchors
}

/** The targets of links and images. */
export function linksOf(page: Page): string[] {
  return [...proseOf(page).matchAll(/\]\(([^()\s]+)\)/g)].map(([, target]) => target ?? '')
}

function proseOf({ text }: Page): string {
  return text.replace(FENCE, '')
}
