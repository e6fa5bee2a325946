/** The programs on the pages, run as a reader would run them, against the package as it was built. */
import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { LocalCluster } from '../../deploy/local-cluster.js'
import { PROJECT } from '../support/project.js'
import { runProgram } from '../support/run-program.js'
import { TemporaryFolder } from '../support/temporary-folder.js'
import { readPage } from './markdown.js'
import { codeOf, compiledName } from './programs.js'

const TSC = path.join(PROJECT, 'node_modules/typescript/bin/tsc')
/** What pages call a scheduler on this machine. The port may be taken here, so tests have a cluster of their own. */
const USUAL_ADDRESS = 'ws://127.0.0.1:8786'
/** As in a new project, but that both kinds of files lie side by side. */
const TSCONFIG = {
  compilerOptions: { module: 'NodeNext', target: 'ES2022', strict: true, outDir: '.', rootDir: '.' },
  include: ['*.ts'],
  exclude: ['node_modules'],
}

/** A suite of them: they compile, run, and print what the page says. */
export function testProgramsOf(name: string): void {
  const { files, programs } = codeOf(readPage(name))

  suite(`the programs of ${name}`, () => {
    let folder: TemporaryFolder
    let cluster: LocalCluster | undefined

    before(async () => {
      folder = await TemporaryFolder.create('heddle-pages')
      if (files.some(({ text }) => text.includes(USUAL_ADDRESS))) {
        cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
      }
      await mkdir(path.join(folder.path, 'node_modules'))
      await symlink(PROJECT, path.join(folder.path, 'node_modules/heddle'))
      await write('package.json', '{ "type": "module" }')
      await write('tsconfig.json', JSON.stringify(TSCONFIG))
      for (const file of files)
        await write(file.name, file.text.replaceAll(USUAL_ADDRESS, cluster?.address ?? USUAL_ADDRESS))
    })

    after(async () => {
      await cluster?.close()
      await folder[Symbol.asyncDispose]()
    })

    const write = (file: string, text: string): Promise<void> => writeFile(path.join(folder.path, file), text)

    test('compile', async () => {
      await runProgram(process.execPath, [TSC], { cwd: folder.path })
    })

    for (const program of programs) {
      const says = program.printed.length > 0 ? 'prints what the page says' : 'ends well'
      test(`${program.name} ${says}`, async () => {
        const printed = await runProgram(process.execPath, [compiledName(program.name)], { cwd: folder.path })
        if (program.printed.length > 0) assert.deepEqual(printed.trimEnd().split('\n'), program.printed)
      })
    }
  })
}
