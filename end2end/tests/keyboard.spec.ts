import type { Page } from '@playwright/test'
import { expect, test, visit } from '../fixture.ts'
import { waitingRequest } from '../onboarding.ts'

/** What the focus is on, and whether an outline shows it. */
function focusOf(page: Page): Promise<{ name: string; shown: boolean }> {
  return page.evaluate(() => {
    const element = document.activeElement
    if (!element || element === document.body) return { name: 'nothing', shown: true }
    const style = getComputedStyle(element)
    const outline = style.outlineStyle !== 'none' && Number.parseFloat(style.outlineWidth) >= 2
    const name = `${element.tagName} ${element.getAttribute('aria-label') ?? (element.id || element.textContent?.trim().slice(0, 40))}`
    return { name, shown: outline || style.boxShadow !== 'none' }
  })
}

test('the palette finds a run by its number, and a page', async ({ as, rondo }) => {
  const { run } = await waitingRequest(await rondo.rest('staff'), await rondo.rest('manager'))
  const page = await as('staff')
  await visit(page, '/')
  await page.keyboard.press('Control+k')
  const palette = page.getByRole('dialog', { name: 'Search and commands' })
  await expect(palette.getByRole('combobox')).toBeFocused()
  await palette.getByRole('combobox').fill(`R-${run.number}`)
  await expect(palette.getByRole('option', { name: new RegExp(`R-${run.number}\\b`) })).toHaveAttribute('aria-selected', 'true')
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(new RegExp(`/runs/${run.number}$`))

  await page.keyboard.press('Control+k')
  await palette.getByRole('combobox').fill('requests')
  await palette.getByRole('option', { name: /Requests/ }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'My requests' })).toBeVisible()

  await page.keyboard.press('Control+k')
  await expect(palette).toBeVisible()
  await page.keyboard.press('Escape')
  await expect(palette).toBeHidden()
})

test('decisions are taken without a mouse', async ({ as, rondo }) => {
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  for (let request = 0; request < 3; request += 1) await waitingRequest(staff, manager)
  const page = await as('manager')
  await visit(page, '/approvals')
  const queue = page.getByRole('navigation', { name: 'Queue of decisions' })
  const rows = queue.getByRole('link')
  const open = queue.locator('[aria-current]')
  await expect(open).toHaveAttribute('href', (await rows.nth(0).getAttribute('href')) ?? '')
  const [first, second] = [await rows.nth(0).getAttribute('href'), await rows.nth(1).getAttribute('href')]

  await page.keyboard.press('j')
  await expect(open).toHaveAttribute('href', second ?? '')
  await page.keyboard.press('k')
  await expect(open).toHaveAttribute('href', first ?? '')

  await page.keyboard.press('?')
  const keys = page.getByRole('dialog', { name: 'Keys' })
  await expect(keys).toContainText('Next in the list')
  await page.keyboard.press('Escape')
  await expect(keys).toBeHidden()

  await page.keyboard.press('r')
  await expect(page.getByRole('dialog', { name: 'Reject' }).getByLabel('Reason')).toBeFocused()
  await page.keyboard.press('Escape')

  await page.keyboard.press('a')
  await expect(page.getByRole('dialog', { name: 'Approve' }).getByLabel('Comment')).toBeFocused()
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await expect(page.getByText('You approved. Your decision is recorded.')).toBeVisible()
})

test('enter opens the first decision of the queue', async ({ as, rondo }) => {
  await waitingRequest(await rondo.rest('staff'), await rondo.rest('manager'))
  const page = await as('manager')
  await visit(page, '/approvals')
  await expect(page.getByRole('navigation', { name: 'Queue of decisions' })).toBeVisible()
  await page.keyboard.press('Enter')
  await expect(page).toHaveURL(/\/approvals\/[0-9a-f-]{36}/)
})

test('the skip link comes first and leads to the content', async ({ as }) => {
  const page = await as('staff')
  await visit(page, '/catalogue')
  await page.keyboard.press('Tab')
  const skip = page.getByRole('link', { name: 'Skip to the content' })
  await expect(skip).toBeFocused()
  await expect(skip).toBeInViewport()
  await page.keyboard.press('Enter')
  await expect(page.getByRole('main')).toBeFocused()
})

for (const path of ['/', '/catalogue', '/catalogue/identity/onboard-employee/request', '/requests', '/account']) {
  test(`the focus can be seen everywhere on ${path}`, async ({ as }) => {
    const page = await as('staff')
    await visit(page, path)
    for (let stop = 0; stop < 25; stop += 1) {
      await page.keyboard.press('Tab')
      const focus = await focusOf(page)
      expect.soft(focus.shown, focus.name).toBe(true)
    }
  })
}
