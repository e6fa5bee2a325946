/** The programs on the pages, run as a reader would run them, against the package as it was built. */
import assert from 'node:assert/strict'
import { mkdir, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { present } from '../../common/assert.js'
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
  compilerOptions: {
    module: 'NodeNext',
    target: 'ES2022',
    strict: true,
    skipLibCheck: true,
    outDir: '.',
    rootDir: '.',
  },
  include: ['*/*.ts'],
  exclude: ['node_modules'],
}

/**
 * A suite of them, a folder for each page: they compile, run, and print what the page says. With `HEDDLE_ADDRESS` set, as in
 * `heddle run`, they share a cluster; without, each starts its own, as a newcomer's first ones do.
 */
export function testProgramsOf(pages: readonly string[], { share }: { readonly share: boolean }): void {
  const codes = pages.map((page) => ({ page, folder: path.parse(page).name, ...codeOf(readPage(page)) }))
  const namesCluster = codes.some(({ files }) => files.some(({ text }) => text.includes(USUAL_ADDRESS)))

  suite(`the programs of ${pages.join(', ')}`, () => {
    let root: TemporaryFolder
    let cluster: LocalCluster | undefined

    before(async () => {
      root = await TemporaryFolder.create('heddle-pages')
      if (share || namesCluster) cluster = await LocalCluster.start({ workers: 2, threadsPerWorker: 1 })
      await mkdir(path.join(root.path, 'node_modules'))
      await symlink(PROJECT, path.join(root.path, 'node_modules/heddle'))
      await write('package.json', '{ "type": "module" }')
      await write('tsconfig.json', JSON.stringify(TSCONFIG))
      for (const { folder, files } of codes) {
        await mkdir(path.join(root.path, folder))
        for (const { name, text } of files)
          await write(path.join(folder, name), text.replaceAll(USUAL_ADDRESS, cluster?.address ?? USUAL_ADDRESS))
      }
    })

    after(async () => {
      await cluster?.close()
      await root[Symbol.asyncDispose]()
    })

    const write = (file: string, text: string): Promise<void> => writeFile(path.join(root.path, file), text)

    test('compile', async () => {
      await runProgram(process.execPath, [TSC], { cwd: root.path })
    })

    for (const { page, folder, programs } of codes) {
      for (const program of programs) {
        const says = program.printed.length > 0 ? 'prints what the page says' : 'ends well'
        test(`${page}: ${program.name} ${says}`, async () => {
          const cwd = path.join(root.path, folder)
          // One that sets variables for its workers must start them, and one that kills a worker has its own.
          const env =
            share && !/process\.(env|kill)\b/.test(program.text)
              ? { HEDDLE_ADDRESS: present(cluster, 'the cluster').address }
              : {}
          const printed = await runProgram(process.execPath, [compiledName(program.name)], { cwd, env })
          if (program.printed.length > 0) assert.deepEqual(printed.trimEnd().split('\n'), program.printed)
        })
      }
    }
  })
}
