import { readFile, writeFile } from 'node:fs/promises'
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

  test(`an auditor asks a question, follows a run, proves an entry and takes the evidence away (${language})`, async ({
    as,
    rondo
  }, testInfo) => {
    test.slow()
    const page = await as('auditor', { locale: language })
    const clean = async () => {
      await bringAxe(page)
      await coloursAtRest(page)
      expect.soft(await violations(page), page.url()).toEqual([])
    }

    await visit(page, '/audit/questions/decisions-within-a-minute')
    const row = page.getByRole('row').filter({ hasText: `R-${number}` })
    await clean()
    await row.getByRole('link', { name: /^#\d+$/ }).click()

    // The story of the run, from one of its entries.
    const asked = page.locator('.entry').first()
    await asked.locator('summary').click()
    await asked.locator('.entry__related a').first().click()
    await expect(page).toHaveURL(/run=/)
    const story = page.locator('.entry')
    await expect.poll(() => story.count()).toBeGreaterThan(2)

    // The browser checks the proof by itself, and remembers the log.
    const entry = story.last()
    const prove = entry.getByRole('button', { name: say('prove'), exact: true })
    // The list may still be that of the page before.
    await expect(async () => {
      if ((await entry.getAttribute('open')) === null) await entry.locator('summary').click()
      await expect(prove).toBeVisible({ timeout: 2000 })
    }).toPass()
    await prove.click()
    await expect(entry.getByText(say('proved'), { exact: true })).toBeVisible()
    await expect(entry.getByText(say('proved_first'))).toBeVisible()
    await clean()

    // What the page proved, the command line proves.
    const downloading = page.waitForEvent('download')
    await entry.getByRole('link', { name: say('proof_download'), exact: true }).click()
    const proof = testInfo.outputPath('proof.json')
    await (await downloading).saveAs(proof)
    expect((await rondo.command('audit', 'verify', proof)).code).toBe(0)

    // All of it with its proofs, for somebody who has neither server nor network.
    const packing = page.waitForEvent('download')
    await page.getByRole('link', { name: say('evidence'), exact: true }).click()
    const pack = testInfo.outputPath('evidence.tar')
    await (await packing).saveAs(pack)
    const verdict = await rondo.command('audit', 'verify', pack)
    expect(verdict.stdout).toContain('sound: ')
    expect(verdict.code).toBe(0)
    const altered = testInfo.outputPath('altered.tar')
    await writeFile(altered, (await readFile(pack, 'latin1')).replace('"outcome":"done"', '"outcome":"gone"'), 'latin1')
    expect((await rondo.command('audit', 'verify', altered)).code).toBe(1)
  })

  test(`an auditor names a search and draws a sample of what it finds (${language})`, async ({ as }) => {
    const page = await as('auditor', { locale: language })
    await visit(page, '/audit')
    await page.getByRole('searchbox', { name: say('search') }).fill('quillon')
    await page.getByRole('button', { name: common['search'] ?? '', exact: true }).first().click()
    await expect(page).toHaveURL(/text=quillon/)
    await expect(page.locator('.entry').first()).toBeVisible()
    await page.locator('summary').filter({ hasText: say('keep') }).click()
    await page.getByLabel(say('view_name')).fill(`Q ${language}`)
    await page.getByRole('button', { name: say('view_save'), exact: true }).click()
    await expect(page.getByRole('link', { name: `Q ${language}`, exact: true })).toBeVisible()

    await visit(page, '/audit?text=quillon')
    await page.locator('summary').filter({ hasText: say('keep') }).click()
    await page.getByLabel(say('sample_size')).fill('1')
    await page.getByLabel(say('sample_seed')).fill('autumn')
    await page.getByRole('button', { name: say('sample_draw'), exact: true }).click()
    await expect(page).toHaveURL(/\/audit\/sample\?/)
    await expect(page.locator('.entry')).toHaveCount(1)
    const drawn = await page.locator('.entry__seq').allTextContents()
    await bringAxe(page)
    expect.soft(await violations(page), page.url()).toEqual([])
    await page.getByRole('link', { name: say('sample_again_link'), exact: true }).click()
    await expect(page).toHaveURL(/last=\d+/)
    await expect(page.locator('.entry__seq')).toHaveText(drawn)
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
