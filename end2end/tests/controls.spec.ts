import { bringAxe, coloursAtRest, violations } from '../axe.ts'
import { words } from '../definitions.ts'
import { expect, test, visit } from '../fixture.ts'
import { completedRequest, newcomer } from '../onboarding.ts'

interface Control {
  control: { workflows: number; runs: number; exceptions: number }
  runs: { items: { number: number }[] }
}

interface Compliance {
  ledger: { verified: { by: string; sound: boolean } | null }
}

let number = 0

test.beforeAll(async ({ rondo }) => {
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const run = await completedRequest(staff, manager, newcomer({ givenName: 'Corvin', familyName: 'Evidentsson' }))
  number = run.number
})

for (const language of ['en', 'ko'] as const) {
  const texts = words(language, 'controls')
  const say = (key: string): string => {
    const text = texts[key]
    if (!text) throw new Error(`there is no text called ${key}`)
    return text
  }

  test(`an auditor goes from the dashboard to the evidence of a control (${language})`, async ({ as }) => {
    const page = await as('auditor', { locale: language })
    const clean = async () => {
      await bringAxe(page)
      await coloursAtRest(page)
      expect.soft(await violations(page), page.url()).toEqual([])
    }

    await visit(page, '/audit/compliance')
    await expect(page.getByRole('heading', { level: 1, name: say('compliance') })).toBeVisible()
    await expect(page.getByText(say('ledger_entries'), { exact: true })).toBeVisible()
    await clean()
    await page.getByRole('link', { name: 'ISO/IEC 27001' }).first().click()
    await expect(page).toHaveURL(/\/audit\/controls\?list=ISO27001/)
    await page.getByRole('link', { name: say('show_with'), exact: true }).click()
    await expect(page).toHaveURL(/show=with/)
    await expect(page.getByRole('link', { name: /^A\.7\.1 / })).toHaveCount(0)
    await clean()

    await page.getByRole('link', { name: /^A\.5\.16 / }).click()
    await expect(page).toHaveURL(/\/audit\/controls\/ISO27001:A\.5\.16/)
    await expect(page.getByRole('link', { name: `R-${number}` }).first()).toBeVisible()
    await clean()
    const pack = page.getByRole('link', { name: say('evidence'), exact: true })
    await expect(pack).toHaveAttribute('href', /control=ISO27001%3AA\.5\.16/)

    await page.getByRole('link', { name: say('entries'), exact: true }).click()
    await expect(page).toHaveURL(/\/audit\?control=/)
    await expect.poll(() => page.locator('.entry').count()).toBeGreaterThan(2)
  })
}

test('controls are read without JavaScript, and the last verification is told', async ({ as, rondo }) => {
  const page = await as('auditor', { javaScriptEnabled: false })
  const rest = await rondo.rest('auditor')
  const { body } = await rest.get<Control>('/audit/controls/ISO27001:A.5.16')
  expect(body.control.workflows).toBeGreaterThan(1)
  expect(body.control.runs).toBeGreaterThan(0)
  expect(body.runs.items.map((run) => run.number)).toContain(number)

  await page.goto('/audit?verify=now')
  await page.goto('/audit/compliance')
  await expect(page.getByText(words('en', 'controls')['verified_sound'] ?? '', { exact: true })).toBeVisible()
  const { body: stands } = await rest.get<Compliance>('/audit/compliance')
  expect(stands.ledger.verified).toMatchObject({ by: 'auditor', sound: true })

  await page.goto('/audit/controls?list=ISMSP&show=without')
  await expect(page.getByRole('link', { name: /^1\.1\.1 / })).toBeVisible()
  await expect(page.getByRole('link', { name: /^2\.5\.1 / })).toHaveCount(0)
  await page.goto('/audit/controls/ISMSP:2.5.1?from=2020-01-01&to=2020-01-31')
  await expect(page.getByText(words('en', 'controls')['no_runs'] ?? '')).toBeVisible()
})
