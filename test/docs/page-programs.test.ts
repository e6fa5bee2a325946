/** The programs of all pages but the README. They share a cluster: to start one takes longer than most of them run. */
import { readPages } from './markdown.js'
import { testProgramsOf } from './page-programs.js'
import { codeOf } from './programs.js'

const pages = readPages().filter(({ name }) => name.startsWith('docs/') && !name.startsWith('docs/api/'))
const withPrograms = pages.filter((page) => codeOf(page).programs.length > 0)
testProgramsOf(
  withPrograms.map(({ name }) => name),
  { share: true },
)
