import type { Locator, Page } from '@playwright/test'
import { alive, expect, test, visit } from '../fixture.ts'

/** The WebAssembly that a page fetches from now on, by file name. */
function programs(page: Page): string[] {
  const asked: string[] = []
  page.on('response', (response) => {
    const name = new URL(response.url()).pathname.split('/').pop() ?? ''
    if (name.endsWith('.wasm')) asked.push(name)
  })
  return asked
}

const ofParts = (names: string[]): string[] => names.filter((name) => name.startsWith('split_'))

/** Marks the document, to see later whether it is still the same. */
const mark = (page: Page): Promise<void> => page.evaluate(() => void Object.assign(window, { sameDocument: true }))
const isSame = (page: Page): Promise<boolean> => page.evaluate(() => 'sameDocument' in window)

/** A place in the navigation beside the page. */
const place = (page: Page, name: string): Locator => page.getByRole('navigation').first().getByRole('link', { name })
const heading = (page: Page, name: string): Locator => page.getByRole('heading', { level: 1, name })

test('a page loads the main part and its own, each once', async ({ as }) => {
  const page = await as('admin')
  const asked = programs(page)
  await visit(page, '/admin/people')
  expect(ofParts(asked)).toEqual(['split_admin.wasm'])
  expect(asked).toContain('rondo_bg.wasm')
  expect(new Set(asked).size).toBe(asked.length)
})

test('going to a page loads its part then, and coming back loads nothing', async ({ as }) => {
  const page = await as('admin')
  await visit(page, '/')
  await mark(page)
  const asked = programs(page)
  await place(page, 'People').click()
  await expect(heading(page, 'People')).toBeVisible()
  expect(ofParts(asked)).toEqual(['split_admin.wasm'])
  await place(page, 'Decisions').click()
  await expect(heading(page, 'Decisions')).toBeVisible()
  expect(ofParts(asked)).toEqual(['split_admin.wasm', 'split_approvals.wasm'])
  const before = asked.length
  await place(page, 'Teams').click()
  await expect(heading(page, 'Teams')).toBeVisible()
  expect(asked).toHaveLength(before)
  expect(await isSame(page)).toBe(true)
})

test('a part begins to load when the keyboard reaches a link to its pages', async ({ as }) => {
  const page = await as('admin')
  await visit(page, '/')
  const part = page.waitForResponse(/split_admin\.wasm$/)
  await place(page, 'People').focus()
  await part
  expect(new URL(page.url()).pathname).toBe('/')
})

test('where a part cannot be loaded the server sends the whole page', async ({ as, tolerate }) => {
  tolerate(/split_admin|Failed to fetch|ERR_FAILED/)
  const page = await as('admin')
  await visit(page, '/')
  await mark(page)
  await page.route(/split_admin\.wasm$/, (route) => route.abort())
  await place(page, 'People').click()
  await page.waitForFunction(() => !('sameDocument' in window))
  await expect(heading(page, 'People')).toBeVisible()
  expect(new URL(page.url()).pathname).toBe('/admin/people')
  // As the server made it the page works as without JavaScript; the next one comes to life again.
  await place(page, 'Home').click()
  await alive(page)
})
