/**
 * `npm run build`: brings dist/ up to date. What was compiled before is kept (the compiler knows what changed), and what
 * no longer has a source is removed, so that no test or module lives on there.
 */
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

removeOrphans()
run('tsc -p tsconfig.json --incremental --tsBuildInfoFile dist/.tsbuildinfo')
// What a cluster starts is one file each, in place of the compiler's: a process loads that in half the time.
run('npm run --silent build:processes -- --outdir=dist')
// So is what their threads start with, from what was compiled.
run('npm run --silent build:threads')
run('npm run --silent build:page -- --outdir=dist/dashboard')
chmodSync('dist/cli/main.js', 0o755)

/** By the shell, which `npm run` has told where the tools are. */
function run(command) {
  const { status } = spawnSync(command, { shell: true, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

function removeOrphans() {
  if (!existsSync('dist')) return
  for (const path of readdirSync('dist', { recursive: true, encoding: 'utf8' })) {
    const [, module] = /^(?!dashboard)(.+)\.(js|js\.map|d\.ts)$/.exec(path) ?? []
    if (module !== undefined && !existsSync(`${module}.ts`)) rmSync(`dist/${path}`)
  }
}
