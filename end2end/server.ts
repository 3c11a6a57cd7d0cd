import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Rest } from './rest.ts'

const run = promisify(execFile)

/** Where the server keeps its data: a file of its own, or a database of its own in `TEST_POSTGRES_URL`. */
export type Database = 'sqlite' | 'postgres'

export interface ServerOptions {
  database: Database
  /** Load the demonstration organisation. */
  demo?: boolean
  /** Settings beside those of this process, such as `RONDO_…`. */
  environment?: Record<string, string>
}

/** How a command ended, and what it wrote. */
export interface Ended {
  code: number
  stdout: string
  stderr: string
}

const READY_WITHIN_MS = 60_000
const STOPPED_WITHIN_MS = 30_000

/** The program with an empty data folder on a free port. */
export class RondoServer {
  private process: ChildProcess | undefined
  private written = ''
  private readonly doors = new Map<string, Promise<Rest>>()

  private constructor(
    private readonly options: ServerOptions,
    private readonly port: number,
    /** The `--data` folder. */
    readonly dataDir: string,
    /** The value of `DATABASE_URL`; none on SQLite, where the file lies in the data folder. */
    readonly databaseUrl: string | undefined,
  ) {}

  /** Starts a server, and answers when it is ready. */
  static async start(options: ServerOptions): Promise<RondoServer> {
    const dataDir = await mkdtemp(join(tmpdir(), 'rondo-end2end-'))
    const databaseUrl = options.database === 'postgres' ? await createDatabase() : undefined
    const server = new RondoServer(options, await freePort(), dataDir, databaseUrl)
    try {
      await server.boot()
    } catch (error) {
      await server.destroy()
      throw error
    }
    return server
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Everything the server has written so far: the printed sign-ins, then its log. */
  get output(): string {
    return this.written
  }

  /** Starts the process on the data that is there. For use after `stop` or `kill`. */
  async boot(): Promise<void> {
    const parameters = ['serve', '--listen', `127.0.0.1:${this.port}`, '--data', this.dataDir]
    if (this.options.demo ?? true) parameters.push('--demo')
    const child = spawn(rondoProgram(), parameters, { env: this.environment(), stdio: ['ignore', 'pipe', 'pipe'] })
    this.process = child
    let failure: Error | undefined
    child.on('error', (error) => (failure = error))
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (this.written += String(chunk)))

    const deadline = Date.now() + READY_WITHIN_MS
    while (!(await this.isReady())) {
      if (failure) throw failure
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the server ended before it was ready:\n${this.written}`)
      if (Date.now() > deadline) throw new Error(`the server was not ready within ${READY_WITHIN_MS / 1000} s:\n${this.written}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  /** Asks the server to end, as a service manager does, and waits until it has. Its data stays. */
  async stop(): Promise<void> {
    await this.end('SIGTERM')
  }

  /** Ends the server without a chance to finish anything. Its data stays. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  /** Runs another command of the program on the server's data, while the server works or not. */
  async command(...parameters: string[]): Promise<Ended> {
    const child = spawn(rondoProgram(), [...parameters, '--data', this.dataDir], { env: this.environment() })
    const written = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => (written.stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (written.stderr += String(chunk)))
    const code = await new Promise<number>((resolve, reject) => {
      child.once('error', reject)
      child.once('close', (code) => resolve(code ?? -1))
    })
    return { code, ...written }
  }

  /** The REST interface in the name of this person, with a token from the command line. */
  rest(login: string): Promise<Rest> {
    const known = this.doors.get(login)
    if (known) return known
    const made = this.command('token', 'create', '--user', login).then((ended) => {
      if (ended.code !== 0) throw new Error(`no token for ${login}: ${ended.stderr}`)
      return new Rest(this.url, ended.stdout.trim())
    })
    this.doors.set(login, made)
    return made
  }

  /** The mails that workflows have sent: the demonstration's connection writes them as files. */
  async mails(): Promise<string[]> {
    const folder = join(this.dataDir, 'mail')
    const names = await readdir(folder).catch(() => [])
    const finished = names.filter((name) => name.endsWith('.eml'))
    return Promise.all(finished.map((name) => readFile(join(folder, name), 'utf8')))
  }

  /** Stops the server and takes its data away. */
  async destroy(): Promise<void> {
    await this.stop()
    await rm(this.dataDir, { recursive: true, force: true })
    if (this.databaseUrl) await dropDatabase(this.databaseUrl)
  }

  private environment(): NodeJS.ProcessEnv {
    const environment = { ...process.env, ...this.options.environment }
    delete environment['DATABASE_URL']
    if (this.databaseUrl) environment['DATABASE_URL'] = this.databaseUrl
    return environment
  }

  private async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.url}/readyz`, { signal: AbortSignal.timeout(2_000) })).ok
    } catch {
      return false
    }
  }

  private async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.process
    this.process = undefined
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    const impatience = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS)
    await ended
    clearTimeout(impatience)
  }
}

function rondoProgram(): string {
  const root = dirname(dirname(fileURLToPath(import.meta.url)))
  const target = process.env['CARGO_TARGET_DIR'] ?? join(root, 'target')
  return process.env['RONDO_BINARY'] ?? join(target, 'debug', 'rondo')
}

async function freePort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  await new Promise((resolve) => listener.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no free port')
  return address.port
}

async function createDatabase(): Promise<string> {
  const base = postgresUrl()
  const name = `end2end_${randomBytes(6).toString('hex')}`
  await run('psql', [base, '-qc', `create database ${name}`])
  const url = new URL(base)
  url.pathname = `/${name}`
  return url.href
}

async function dropDatabase(url: string): Promise<void> {
  await run('psql', [postgresUrl(), '-qc', `drop database if exists ${new URL(url).pathname.slice(1)} with (force)`])
}

function postgresUrl(): string {
  const url = process.env['TEST_POSTGRES_URL']
  if (!url) throw new Error('TEST_POSTGRES_URL is not set: run the tests by scripts/with-services or make test')
  return url
}
