/** What a TypeScript file imports, by the compiler's own parser, so that no comment or string is taken for an import. */
import ts from 'typescript'
import type { SourceFile } from './project.js'

export interface Import {
  readonly specifier: string
  /** `static` runs when the file is loaded, `lazy` when the call is reached, `type` never. */
  readonly kind: 'static' | 'lazy' | 'type'
  readonly line: number
}

export interface ImportingFile {
  readonly path: string
  readonly imports: readonly Import[]
}

export function parseImports({ path, text }: SourceFile): ImportingFile {
  const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest)
  const found: Import[] = []
  const add = (node: ts.Node, specifier: ts.Node | undefined, kind: Import['kind']): void => {
    if (specifier === undefined || !ts.isStringLiteralLike(specifier)) return
    const { line } = file.getLineAndCharacterOfPosition(node.getStart(file))
    found.push({ specifier: specifier.text, kind, line: line + 1 })
  }
  const pending: ts.Node[] = [file]
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (ts.isImportDeclaration(node)) {
      add(node, node.moduleSpecifier, isTypeOnly(node.importClause) ? 'type' : 'static')
    } else if (ts.isExportDeclaration(node)) {
      add(node, node.moduleSpecifier, node.isTypeOnly ? 'type' : 'static')
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      add(node, node.arguments[0], 'lazy')
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal, 'type')
    }
    ts.forEachChild(node, (child) => void pending.push(child))
  }
  return { path, imports: found.sort((a, b) => a.line - b.line) }
}

function isTypeOnly(clause: ts.ImportClause | undefined): boolean {
  return clause?.phaseModifier === ts.SyntaxKind.TypeKeyword
}
