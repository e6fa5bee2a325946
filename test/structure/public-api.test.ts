/** Every name that a user can import has a comment, for editors show it, and so has every member that it has. */
import assert from 'node:assert/strict'
import path from 'node:path'
import test from 'node:test'
import ts from 'typescript'
import { readPackageJson, sourceFiles } from './project.js'

const texts = new Map(sourceFiles().map((file) => [file.path, file.text]))

const entries = Object.entries(readPackageJson().exports).flatMap(([name, entry]) =>
  typeof entry === 'string' ? [] : [{ name, file: entry.types.replace(/^\.\/dist\/(.*)\.d\.ts$/, '$1.ts') }],
)

for (const { name, file } of entries) {
  test(`the names of heddle${name.slice(1)} and their members have comments`, () => {
    const names = publicNames(file)
    assert.ok(names.length > 0, `${file} exports nothing`)
    assert.deepEqual(names.flatMap(undocumented), [])
  })
}

interface PublicName {
  readonly name: string
  /** Where it is declared. */
  readonly file: string
}

/** What an entry exports: names from other files, written out, and its own declarations. */
function publicNames(entry: string): PublicName[] {
  return parse(entry).statements.flatMap((statement) => {
    if (isExportedDeclaration(statement)) return namesOf(statement).map((name) => ({ name, file: entry }))
    if (!ts.isExportDeclaration(statement) || statement.moduleSpecifier === undefined) return []
    const { exportClause, moduleSpecifier } = statement
    if (exportClause === undefined || !ts.isNamedExports(exportClause) || !ts.isStringLiteral(moduleSpecifier))
      return []
    const file = path.posix.join(path.posix.dirname(entry), moduleSpecifier.text).replace(/\.js$/, '.ts')
    return exportClause.elements.map((element) => ({ name: (element.propertyName ?? element.name).text, file }))
  })
}

function undocumented({ name, file }: PublicName): string[] {
  const declarations = parse(file).statements.filter(
    (each) => isExportedDeclaration(each) && namesOf(each).includes(name),
  )
  if (declarations.length === 0) return [`${file}: ${name} is not declared here`]
  const missing: string[] = []
  if (!declarations.some(hasComment)) missing.push(`${file}: ${name}`)
  for (const declaration of declarations) {
    if (!ts.isInterfaceDeclaration(declaration) && !ts.isClassDeclaration(declaration)) continue
    const commented = new Set(declaration.members.filter(hasComment).map(memberName))
    const bare = declaration.members.filter((each) => isPublicMember(each) && !commented.has(memberName(each)))
    missing.push(...new Set(bare.map((each) => `${file}: ${name}.${memberName(each)}`)))
  }
  return missing
}

/** Not a private one, and none whose meaning is the language's: constructors, disposal, what a super-class explains. */
function isPublicMember(member: ts.ClassElement | ts.TypeElement): boolean {
  if (member.name === undefined || !ts.isIdentifier(member.name)) return false
  const kinds = ts.canHaveModifiers(member) ? ts.getModifiers(member)?.map(({ kind }) => kind) : undefined
  return kinds?.some((kind) => kind === ts.SyntaxKind.PrivateKeyword || kind === ts.SyntaxKind.OverrideKeyword) !== true
}

function memberName(member: ts.ClassElement | ts.TypeElement): string {
  return member.name?.getText() ?? ''
}

/** With text of its own: tags alone say nothing. */
function hasComment(node: ts.Node): boolean {
  return ts.getJSDocCommentsAndTags(node).some((each) => ts.isJSDoc(each) && each.comment !== undefined)
}

function isExportedDeclaration(statement: ts.Statement): boolean {
  if (!ts.canHaveModifiers(statement)) return false
  return ts.getModifiers(statement)?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword) === true
}

function namesOf(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) return statement.declarationList.declarations.map(({ name }) => name.getText())
  const { name } = statement as ts.DeclarationStatement
  return name === undefined ? [] : [name.getText()]
}

function parse(file: string): ts.SourceFile {
  const text = texts.get(file)
  assert.ok(text !== undefined, `there is no ${file}`)
  return ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true)
}
