import { fileURLToPath } from 'node:url'
import { words } from '../definitions.ts'
import { expect, test, visit } from '../fixture.ts'
import { Hook, type Trigger } from '../triggers.ts'

test.use({ serverEnvironment: { RONDO_WORKFLOWS: fileURLToPath(new URL('../workflows/showcase', import.meta.url)) } })

interface List<T> {
  items: T[]
}

for (const language of ['en', 'ko'] as const) {
  const t = words(language, 'triggers')
  const frame = words(language, 'frame')
  const text = (key: string, places: Record<string, string | number> = {}): string =>
    Object.entries(places).reduce((words, [place, value]) => words.replace(`{${place}}`, String(value)), t[key] ?? '')

  test(`a trigger is set up, called, tried out and replayed (${language})`, async ({ as, rondo, tolerate }) => {
    tolerate(/status of 422/)
    const name = `moves-${language}`
    const page = await as('admin', { locale: language })
    await visit(page, '/triggers')
    if (language === 'en') await expect(page.getByText(text('none'), { exact: true })).toBeVisible()
    await page.getByRole('link', { name: frame['new_trigger'] ?? '', exact: true }).click()
    await page.getByRole('link', { name: text('kind_github'), exact: true }).click()
    await page.locator('#namespace').fill('showcase')
    await page.locator('#name').fill(name)
    await page.locator('#workflow').fill('no-such')
    await page.locator('#mapping').fill('{floor: .payload.floor}')
    await page.getByRole('button', { name: text('create') }).click()

    // What is wrong is said beside its field, and what was typed stays.
    await expect(page.locator('#workflow')).toHaveAttribute('aria-invalid', 'true')
    await expect(page.locator('#mapping')).toHaveValue('{floor: .payload.floor}')
    await page.locator('#workflow').fill('move-office')
    await page.getByRole('button', { name: text('create') }).click()
    await expect(page.getByText(text('secret_made'))).toBeVisible()
    const secret = (await page.locator('.secret__text').textContent()) ?? ''
    await page.getByRole('link', { name: text('to_trigger') }).click()
    await expect(page.getByRole('heading', { level: 1, name: `showcase/${name}` })).toBeVisible()
    expect(await page.content()).not.toContain(secret)
    await expect(page.getByText(text('nothing_delivered'))).toBeVisible()

    // What is delivered shows by itself.
    const admin = await rondo.rest('admin')
    const trigger = (await admin.get<List<Trigger & { name: string }>>('/triggers')).body.items.find((one) => one.name === name)
    if (!trigger) throw new Error('the trigger is not listed')
    const hook = Hook.of(trigger, secret, rondo.url)
    expect(await hook.send('d-1', { floor: 7, password: 'hunter2' })).toBe(202)
    expect(await hook.send('d-1', { floor: 7, password: 'hunter2' })).toBe(202)
    expect(await hook.send('d-2', { floor: 'top' })).toBe(422)
    expect(await Hook.of(trigger, 'another secret', rondo.url).send('d-3', {})).toBe(404)
    const line = (number: number) => page.getByRole('listitem').filter({ has: page.getByRole('link', { name: (frame['delivery'] ?? '').replace('{number}', String(number)), exact: true }) })
    await expect(line(1)).toContainText(text('outcome_launched'))
    await expect(line(2)).toContainText(text('outcome_invalid'))
    await line(1).getByRole('link').first().click()
    await expect(page.getByRole('main')).toContainText('"floor": 7')
    await expect(page.getByRole('main')).not.toContainText('hunter2')

    await page.getByRole('link', { name: frame['trigger_trial'] ?? '', exact: true }).click()
    await page.locator('#mapping').fill('{floor: (.payload.floor + 1)}')
    await page.getByRole('button', { name: text('try_out'), exact: true }).click()
    await expect(page.getByRole('status').filter({ hasText: text('nothing_launched') })).toContainText(text('outcome_launched'))
    await expect(page.getByRole('main')).toContainText('"floor": 8')
    await page.getByRole('button', { name: text('keep'), exact: true }).click()
    await expect(page.getByRole('main')).toContainText('(.payload.floor + 1)')

    await line(1).getByRole('link').first().click()
    await page.getByRole('button', { name: text('replay'), exact: true }).click()
    await expect(page).toHaveURL(new RegExp(`/triggers/${trigger.id}/deliveries/3$`))
    await expect(page.getByRole('main')).toContainText(text('outcome_launched'))
  })
}

test('a trigger is set up, tried out and deleted without JavaScript', async ({ as }) => {
  const t = words('en', 'triggers')
  const page = await as('admin', { javaScriptEnabled: false })
  await page.goto('/triggers/new?kind=alertmanager')
  await page.locator('#namespace').fill('showcase')
  await page.locator('#name').fill('plain')
  await page.locator('#workflow').fill('move-office')
  await page.locator('#mapping').fill('{floor: (.alert.labels.floor | tonumber)}')
  await page.getByRole('button', { name: t['create'] ?? '' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'showcase/plain' })).toBeVisible()
  await expect(page.locator('.secret__text')).toHaveText(/^[0-9a-f]{64}$/)
  await page.getByRole('link', { name: 'Change', exact: true }).click()
  await expect(page.locator('#mapping')).toHaveValue('{floor: (.alert.labels.floor | tonumber)}')
  await page.getByRole('link', { name: 'Try it out', exact: true }).click()
  const alert = { status: 'firing', fingerprint: 'a1', startsAt: '2026-11-27T10:00:00Z', labels: { floor: '7' } }
  await page.locator('#payload').fill(JSON.stringify({ alerts: [alert] }))
  await page.getByRole('button', { name: t['try_out'] ?? '', exact: true }).click()
  await expect(page.getByRole('main')).toContainText('"floor": 7')
  await page.getByRole('link', { name: t['to_trigger'] ?? '' }).click()
  await page.goto(`${page.url()}?dialog=delete`)
  await page.getByRole('dialog').getByRole('button', { name: t['delete'] ?? '' }).click()
  await expect(page).toHaveURL(/\/triggers$/)
})
