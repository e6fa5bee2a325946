/** The programs of the other pages. Two files share them all, so that neither takes too long on a busy machine. */
import { testProgramsOf } from './page-programs.js'

for (const page of ['docs/data.md', 'docs/graphs.md', 'docs/limits-of-work.md', 'docs/pool.md']) testProgramsOf(page)
