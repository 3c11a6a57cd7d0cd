import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const needed = (name: string): string => {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run the tests by scripts/with-services or make test`)
  return value
}

/** A repository at the Git server of the tests, to which files are pushed. */
export class Repository {
  private constructor(
    private readonly bare: string,
    /** Its address, for those who sign in with `account` and `password`. */
    readonly url: string,
  ) {}

  readonly account = needed('TEST_GIT_USER')
  readonly password = needed('TEST_GIT_PASSWORD')

  static make(name: string): Repository {
    const bare = join(mkdtempSync(join(needed('TEST_GIT_ROOT'), `${name}-`)), 'definitions.git')
    execFileSync('git', ['init', '--quiet', '--bare', '--initial-branch=main', bare])
    const path = bare.slice(needed('TEST_GIT_ROOT').length)
    return new Repository(bare, `${needed('TEST_GIT_URL')}${path}`)
  }

  /** Commits these files, by path, to the branch main. */
  push(files: Record<string, string>, author = 'Gil Git <gil@example.test>'): void {
    const folder = mkdtempSync(join(tmpdir(), 'rondo-push-'))
    const git = (...args: string[]): void => {
      const who = ['-c', 'user.name=Gil Git', '-c', 'user.email=gil@example.test']
      execFileSync('git', [...who, ...args], { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] })
    }
    try {
      git('init', '--quiet', '--initial-branch=main')
      git('remote', 'add', 'origin', this.bare)
      try {
        git('pull', '--quiet', 'origin', 'main')
      } catch {
        // It is still empty.
      }
      for (const [path, text] of Object.entries(files)) {
        mkdirSync(join(folder, dirname(path)), { recursive: true })
        writeFileSync(join(folder, path), text)
      }
      git('add', '--all')
      git('commit', '--quiet', '--message', 'Change', '--author', author)
      git('push', '--quiet', 'origin', 'HEAD:main')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
