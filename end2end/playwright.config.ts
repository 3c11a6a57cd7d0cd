import { defineConfig } from '@playwright/test'
import { CHROMIUM_FLAGS, chromiumProgram } from './chromium.ts'
import type { Database } from './server.ts'

interface Options {
  database: Database
}

// Without a PostgreSQL (outside scripts/with-services) only the SQLite half runs.
const databases: Database[] = process.env['TEST_POSTGRES_URL'] ? ['sqlite', 'postgres'] : ['sqlite']

export default defineConfig<object, Options>({
  testDir: './tests',
  outputDir: './test-results',
  // Files run side by side, each on a server of its own; the tests of a file run in order.
  fullyParallel: false,
  workers: 2,
  // On a machine that nobody watches a test that fails once in a hundred runs is told of (as flaky), and holds nothing up.
  retries: process.env['CI'] ? 1 : 0,
  forbidOnly: Boolean(process.env['CI']),
  timeout: 60_000,
  expect: { timeout: 10_000 },
  reporter: [['list']],
  use: {
    browserName: 'chromium',
    launchOptions: { executablePath: chromiumProgram(), args: CHROMIUM_FLAGS },
    viewport: { width: 1280, height: 800 },
    locale: 'en',
    timezoneId: 'UTC',
    screenshot: 'only-on-failure',
    // Recording costs a good part of the time: where a test has a second try, that one is recorded.
    trace: process.env['CI'] ? 'on-first-retry' : 'retain-on-failure',
  },
  projects: databases.map((database) => ({
    name: database,
    use: { database },
    // How pages look and are used does not depend on the database, and what the stores do is tried without a browser on both:
    // here only the ways through which most of it goes.
    ...(database === 'sqlite' ? {} : { testMatch: /(auditor|first-administrator|operating|story|triage|triggers)\.spec\.ts$/ }),
  })),
})
