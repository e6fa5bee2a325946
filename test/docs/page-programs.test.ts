/** The programs of the other pages. Two files share them all, so that neither takes too long on a busy machine. */
import { testProgramsOf } from './page-programs.js'

const PAGES = ['docs/data.md', 'docs/graphs.md', 'docs/limits-of-work.md', 'docs/nested.md', 'docs/pool.md']
for (const page of PAGES) testProgramsOf(page)
