import { type BrowserContext, type BrowserContextOptions, type Page, type Response, test as base } from '@playwright/test'
import { type Database, RondoServer } from './server.ts'

interface PerWorker {
  /** Which database the server of these tests uses; set by the project. */
  database: Database
  /** Settings of the server beside those of this process. */
  serverEnvironment: Record<string, string>
  /** What starts and ends it, file by file. */
  servers: Servers
}

interface PerTest {
  /** The server of the file's tests: the program with the demonstration organisation, started on nothing. */
  rondo: RondoServer
  consoles: Consoles
  /** Lets pass what the browser's console says, for the rare test that provokes it. */
  tolerate: (message: RegExp) => void
  /** A browser of its own, of somebody who has not signed in. */
  visitor: (options?: BrowserContextOptions) => Promise<Page>
  /** A browser of its own, in which this person of the demonstration organisation is signed in. */
  as: (login: string, options?: BrowserContextOptions) => Promise<Page>
}

/** The server of a worker. Another file's tests get another server, for they must not see what the last file's left. */
class Servers {
  private file = ''
  private server: RondoServer | undefined

  async of(file: string, start: () => Promise<RondoServer>): Promise<RondoServer> {
    if (this.server && this.file === file) return this.server
    await this.end()
    this.server = await start()
    this.file = file
    return this.server
  }

  async end(): Promise<void> {
    const server = this.server
    this.server = undefined
    await server?.destroy()
  }
}

/** What the consoles of a test's browsers said. */
class Consoles {
  private readonly messages: string[] = []
  // How soon a preloaded file is used depends on how busy the machine is.
  private readonly tolerated: RegExp[] = [/was preloaded using link preload but not used within a few seconds/]

  watch(context: BrowserContext): void {
    context.on('console', (message) => this.messages.push(`${message.type()}: ${message.text()} (${message.location().url})`))
    context.on('weberror', (error) => this.messages.push(`uncaught: ${error.error().stack ?? error.error().message}`))
  }

  tolerate(pattern: RegExp): void {
    this.tolerated.push(pattern)
  }

  unexpected(): string[] {
    return this.messages.filter((message) => !this.tolerated.some((pattern) => pattern.test(message)))
  }
}

/**
 * Playwright's `test` with a Rondo behind it. Each file has a server of its own, so that tests of different files
 * do not see each other. Any console message and any error of a page fails the test.
 */
export const test = base.extend<PerTest, PerWorker>({
  database: ['sqlite', { option: true, scope: 'worker' }],
  serverEnvironment: [{}, { option: true, scope: 'worker' }],

  servers: [
    async ({}, use) => {
      const servers = new Servers()
      await use(servers)
      await servers.end()
    },
    { scope: 'worker' },
  ],

  rondo: [
    async ({ database, serverEnvironment, servers }, use, testInfo) => {
      await use(await servers.of(testInfo.file, () => RondoServer.start({ database, environment: serverEnvironment })))
    },
    { timeout: 120_000 },
  ],

  baseURL: async ({ rondo }, use) => {
    await use(rondo.url)
  },

  consoles: async ({}, use, testInfo) => {
    const consoles = new Consoles()
    await use(consoles)
    const unexpected = consoles.unexpected()
    if (unexpected.length > 0 && testInfo.errors.length === 0) {
      throw new Error(`the browser's console is not silent:\n${unexpected.join('\n')}`)
    }
  },

  tolerate: async ({ consoles }, use) => {
    await use((pattern) => consoles.tolerate(pattern))
  },

  context: async ({ context, consoles }, use) => {
    consoles.watch(context)
    await use(context)
  },

  visitor: async ({ browser, baseURL, consoles }, use) => {
    const opened: BrowserContext[] = []
    await use(async (options = {}) => {
      const context = await browser.newContext({ ...(baseURL ? { baseURL } : {}), ...options })
      consoles.watch(context)
      opened.push(context)
      return context.newPage()
    })
    for (const context of opened) await context.close()
  },

  as: async ({ visitor }, use) => {
    await use(async (login, options) => {
      const page = await visitor(options)
      await signIn(page, login)
      return page
    })
  },
})

/** The public password of a person of the demonstration organisation. */
export function demoPassword(login: string): string {
  return `rondo-demo-${login}`
}

/** Signs in without the page, for tests that are about something else. */
export async function signIn(page: Page, login: string, password = demoPassword(login)): Promise<void> {
  const answer = await page.request.post('/ui/sign-in', { form: { login, password, next: '/' } })
  if (!answer.ok()) throw new Error(`${login} cannot sign in: ${answer.status()} ${await answer.text()}`)
}

/** Waits until the page answers to clicks by itself. */
export async function alive(page: Page): Promise<void> {
  await page.locator('html[data-hydrated]').waitFor({ state: 'attached' })
}

/** Opens a page and waits until it is alive. */
export async function visit(page: Page, path: string): Promise<Response | null> {
  const answer = await page.goto(path)
  await alive(page)
  return answer
}

export { expect } from '@playwright/test'
