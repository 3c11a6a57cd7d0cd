import { test as base } from '@playwright/test'
import { type Database, RondoServer } from './server.ts'

interface PerWorker {
  /** Which database the server of these tests uses; set by the project. */
  database: Database
  /** Settings of the server beside those of this process. */
  serverEnvironment: Record<string, string>
  /** The server of these tests: the release binary with the demonstration organisation, started on nothing. */
  rondo: RondoServer
}

interface PerTest {
  /** Console messages that are no failure, for the rare test that provokes one. */
  toleratedMessages: RegExp[]
}

/**
 * Playwright's `test` with a Rondo behind it. Each worker has a server of its own, so that tests of different files
 * do not see each other. Any console message and any error of a page fails the test.
 */
export const test = base.extend<PerTest, PerWorker>({
  database: ['sqlite', { option: true, scope: 'worker' }],
  serverEnvironment: [{}, { option: true, scope: 'worker' }],

  rondo: [
    async ({ database, serverEnvironment }, use) => {
      const server = await RondoServer.start({ database, environment: serverEnvironment })
      await use(server)
      await server.destroy()
    },
    { scope: 'worker', timeout: 120_000 },
  ],

  baseURL: async ({ rondo }, use) => {
    await use(rondo.url)
  },

  toleratedMessages: [[], { option: true }],

  context: async ({ context, toleratedMessages }, use, testInfo) => {
    const messages: string[] = []
    context.on('console', (message) => messages.push(`${message.type()}: ${message.text()} (${message.location().url})`))
    context.on('weberror', (error) => messages.push(`uncaught: ${error.error().stack ?? error.error().message}`))
    await use(context)
    const unexpected = messages.filter((message) => !toleratedMessages.some((tolerated) => tolerated.test(message)))
    if (unexpected.length > 0 && testInfo.errors.length === 0) {
      throw new Error(`the browser's console is not silent:\n${unexpected.join('\n')}`)
    }
  },
})

export { expect } from '@playwright/test'
