import { bringAxe, coloursAtRest, violations } from '../axe.ts'
import { words } from '../definitions.ts'
import { expect, test, visit } from '../fixture.ts'
import { completedRequest, newcomer } from '../onboarding.ts'
import type { Page as List } from '../rest.ts'

interface AuditEntry {
  seq: number
  action: string
}

let number = 0

test.beforeAll(async ({ rondo }) => {
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const run = await completedRequest(staff, manager, newcomer({ givenName: 'Quillon', familyName: 'Åkesson' }))
  number = run.number
})

for (const language of ['en', 'ko'] as const) {
  const texts = words(language, 'audit')
  const common = words(language, 'common')
  const say = (key: string): string => {
    const text = texts[key] ?? common[key]
    if (!text) throw new Error(`there is no text called ${key}`)
    return text
  }

  test(`an auditor searches, follows a run and proves an entry (${language})`, async ({ as }) => {
    const page = await as('auditor', { locale: language })
    const clean = async () => {
      await bringAxe(page)
      await coloursAtRest(page)
      expect.soft(await violations(page), page.url()).toEqual([])
    }

    await visit(page, '/audit')
    await page.getByRole('searchbox', { name: say('search') }).fill('quillon')
    await page.getByRole('button', { name: common['search'] ?? '', exact: true }).first().click()
    await expect(page).toHaveURL(/text=quillon/)
    const first = page.locator('.entry').first()
    await expect(first).toBeVisible()

    // The story of the run, from any of its entries.
    await first.locator('summary').click()
    await first.locator('.entry__related a').first().click()
    await expect(page).toHaveURL(/run=/)
    const story = page.locator('.entry')
    await expect.poll(() => story.count()).toBeGreaterThan(2)

    // The browser checks the proof by itself, and remembers the log.
    const entry = story.last()
    await entry.locator('summary').click()
    await entry.getByRole('button', { name: say('prove'), exact: true }).click()
    await expect(entry.getByText(say('proved'), { exact: true })).toBeVisible()
    await expect(entry.getByText(say('proved_first'))).toBeVisible()
    await clean()
  })
}

test('the browser tells an entry that was altered, and a log that was written anew', async ({ as, rondo }) => {
  const texts = words('en', 'audit')
  const page = await as('auditor')
  await visit(page, `/audit?resource=R-${number}`)
  const entry = page.locator('.entry').first()
  await entry.locator('summary').click()
  const prove = entry.getByRole('button', { name: 'Prove', exact: true })

  await page.route('**/ui/audit-proof', async (route) => {
    const answer = await route.fetch()
    await route.fulfill({ response: answer, body: (await answer.text()).replace('"outcome":"done"', '"outcome":"failed"') })
  })
  await prove.click()
  await expect(entry.getByText(texts['refuted'] ?? '', { exact: true })).toBeVisible()
  await page.unroute('**/ui/audit-proof')

  await prove.click()
  await expect(entry.getByText(texts['proved'] ?? '', { exact: true })).toBeVisible()
  // As a browser remembers it that has seen more of the log than there is now.
  const { body } = await (await rondo.rest('auditor')).get<{ checkpoint: string; size: number }>('/audit/checkpoint')
  const beyond = body.checkpoint.replace(`\n${body.size}\n`, `\n${body.size + 100_000}\n`)
  await page.evaluate((checkpoint) => {
    const seen = JSON.parse(localStorage.getItem('rondo.audit.seen') ?? '{}') as object
    localStorage.setItem('rondo.audit.seen', JSON.stringify({ ...seen, checkpoint }))
  }, beyond)
  await prove.click()
  await expect(entry.getByText(texts['changed'] ?? '', { exact: true })).toBeVisible()
  await entry.getByRole('button', { name: texts['forget_seen'] ?? '', exact: true }).click()
  await expect(entry.getByText(texts['proved_first'] ?? '')).toBeVisible()
})

test('search, named searches and samples need no JavaScript', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 422/)
  const page = await as('auditor', { javaScriptEnabled: false })
  await page.goto('/audit')
  await page.getByRole('searchbox', { name: 'Search for words' }).fill('quillon')
  await page.getByRole('button', { name: 'Search', exact: true }).first().click()
  await expect(page.locator('.entry').first()).toBeVisible()
  await page.locator('summary').filter({ hasText: 'Save or sample' }).click()
  await page.getByLabel('Name of this search').fill('Without')
  await page.getByRole('button', { name: 'Save', exact: true }).click()
  await expect(page.getByRole('link', { name: 'Without', exact: true })).toBeVisible()
  await expect(page).toHaveURL(/text=quillon/)
  await page.goto('/audit/sample?size=3&seed=winter')
  await expect(page.locator('.entry')).toHaveCount(3)
  await page.goto('/audit/sample?size=0&seed=')
  await expect(page.getByText('A sample has 1 to 500 entries.')).toBeVisible()
  const entries = await (await rondo.rest('auditor')).get<List<AuditEntry>>('/audit/entries?action=audit.read')
  expect(JSON.stringify(entries.body.items)).toContain('"seed":"winter"')
})
