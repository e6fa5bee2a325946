/** What a reviewer should never have to point out, found in one file. Each finding is a line and a sentence. */
import ts from 'typescript'
import type { SourceFile } from './project.js'

/** Statements and endings of blocks, as they look in a comment. Prose has no brackets right behind its words. */
const LOOKS_LIKE_CODE = [
  /^(const|let|var) [\w{[].* = /,
  /^(import|export) .*(from )?['"{]/,
  /^(if|for|while|switch) \(.*\) /,
  /^(await|return|throw|new) [\w.#]+\(.*\)$/,
  /^(async )?function \w*\(/,
  /^[\w.#]+\(.*\);?$/,
  /^[\w.#[\]]+ [-+]?= .*[\w)\]}'"];?$/,
  /^[)}\]]+[,;]?$/,
]
const UNFINISHED = /\b(TODO|FIXME|XXX|HACK)\b/
const SILENCED = /@ts-(ignore|nocheck)\b/
const EXPECTED_ERROR = /@ts-expect-error\b/
const PRODUCT_WITH_INTRODUCTION = /^(common|protocol|scheduler|worker|client|deploy|cli|dashboard|bench|examples)\//

export function findingsIn({ path, text }: SourceFile): string[] {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const findings: string[] = []
  const add = (position: number, sentence: string): void => {
    findings.push(`${path}:${file.getLineAndCharacterOfPosition(position).line + 1} ${sentence}`)
  }
  for (const comment of commentsOf(file)) {
    if (UNFINISHED.test(comment.text)) add(comment.start, 'notes unfinished work; finish it or open an issue.')
    if (SILENCED.test(comment.text)) add(comment.start, 'silences the compiler.')
    if (EXPECTED_ERROR.test(comment.text) && !path.startsWith('test/')) add(comment.start, 'expects an error of types.')
    if (comment.isLine && LOOKS_LIKE_CODE.some((pattern) => pattern.test(comment.text))) {
      add(comment.start, 'is commented-out code; delete it.')
    }
  }
  for (const node of nodesOf(file)) {
    if (ts.isAsExpression(node) && node.type.kind === ts.SyntaxKind.AnyKeyword) add(node.getStart(), 'casts to any.')
    if (path.startsWith('test/') && isPartialTest(node)) add(node.getStart(), 'leaves tests out.')
  }
  if (PRODUCT_WITH_INTRODUCTION.test(path) && !/^(#!.*\n)?\/\*\*/.test(text)) {
    add(0, 'does not begin with a paragraph that says what the file is for.')
  }
  if (!/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.tsx?$/.test(path.slice(path.lastIndexOf('/') + 1))) {
    add(0, 'has a name that is not in kebab-case.')
  }
  return findings
}

interface Comment {
  readonly start: number
  readonly isLine: boolean
  /** Without the signs that make it one. */
  readonly text: string
}

/** Every comment, once. Comments stand before the tokens, so the text between tokens is where they are. */
function commentsOf(file: ts.SourceFile): Comment[] {
  const comments = new Map<number, Comment>()
  for (const node of nodesOf(file)) {
    for (const range of ts.getLeadingCommentRanges(file.text, node.getFullStart()) ?? []) add(range)
    for (const range of ts.getTrailingCommentRanges(file.text, node.getEnd()) ?? []) add(range)
  }
  return [...comments.values()]

  function add({ pos, end, kind }: ts.CommentRange): void {
    const isLine = kind === ts.SyntaxKind.SingleLineCommentTrivia
    const text = file.text.slice(pos + 2, isLine ? end : end - 2).trim()
    comments.set(pos, { start: pos, isLine, text })
  }
}

/** All nodes and, as leaves, all tokens. */
function* nodesOf(file: ts.SourceFile): Generator<ts.Node> {
  const pending: ts.Node[] = [file]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    yield node
    if (!ts.isJSDoc(node)) pending.push(...node.getChildren(file))
  }
}

/** `test.only`, `suite.skip` and the like. */
function isPartialTest(node: ts.Node): boolean {
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return false
  const { expression, name } = node.expression
  return /^(test|suite|it|describe)$/.test(expression.getText()) && /^(only|skip|todo)$/.test(name.text)
}
