/**
 * The programs on Markdown pages: blocks of JavaScript or TypeScript that import heddle. A block whose first line is a
 * comment with a file name is that file. What a program prints stands behind it: `// => 4`.
 */
import path from 'node:path'
import { codeBlocksOf, type Page } from './markdown.js'

export interface SourceFile {
  readonly name: string
  readonly text: string
}

export interface PageProgram extends SourceFile {
  /** The lines it should print; none if the page doesn't say. */
  readonly printed: readonly string[]
}

export interface PageCode {
  /** All files, programs included: one may import another. */
  readonly files: readonly SourceFile[]
  readonly programs: readonly PageProgram[]
}

export function codeOf(page: Page): PageCode {
  const files: SourceFile[] = []
  const programs: PageProgram[] = []
  for (const { language, text } of codeBlocksOf(page)) {
    if (language !== 'js' && language !== 'ts') continue
    const [, given] = /^\/\/ (\S+\.\w+)\n/.exec(text) ?? []
    const isProgram = /^import .* from 'heddle(\/\w+)?'$/m.test(text)
    if (!isProgram && given === undefined) continue
    const file = { name: given ?? `program-${programs.length + 1}.${language}`, text }
    files.push(file)
    if (isProgram)
      programs.push({ ...file, printed: [...text.matchAll(/\/\/ => (.*)$/gm)].map(([, line]) => line ?? '') })
  }
  return { files, programs }
}

/** What Node runs of a file: itself, or what the compiler makes of it. */
export function compiledName(name: string): string {
  const { name: stem, ext } = path.parse(name)
  return ext === '.ts' ? `${stem}.js` : name
}
