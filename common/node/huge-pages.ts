/**
 * Memory in huge pages. Memory that a process touches for the first time comes a page at a time, and a page costs
 * microseconds, many where the machine is a virtual one: of pages of 4 KiB, large values were read no faster than
 * 0.3 GiB/s. The C library of most Linux systems asks for pages of 2 MiB if it is told to before the process starts;
 * what is smaller than such a page is as before. Elsewhere nobody looks at the variable.
 */

export const TUNABLES_VARIABLE = 'GLIBC_TUNABLES'
const HUGE_PAGES = 'glibc.malloc.hugetlb'

/** What a process is to be started with: what `given` says, and huge pages unless it says something of them itself. */
export function withHugePages(given: string | undefined): string {
  if (given === undefined || given === '') return `${HUGE_PAGES}=1`
  return given.includes(HUGE_PAGES) ? given : `${given}:${HUGE_PAGES}=1`
}
