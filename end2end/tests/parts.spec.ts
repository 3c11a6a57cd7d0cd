import type { Page } from '@playwright/test'
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

const main = 'rondo_bg.wasm'
const ofParts = (names: string[]): string[] => names.filter((name) => name.startsWith('split_'))

/** Marks the document, to see later whether it is still the same. */
const mark = (page: Page): Promise<void> => page.evaluate(() => void Object.assign(window, { sameDocument: true }))
const isSame = (page: Page): Promise<boolean> => page.evaluate(() => 'sameDocument' in window)

test('a page loads the main part and its own, each once', async ({ as }) => {
  const page = await as('admin')
  const asked = programs(page)
  await visit(page, '/audit')
  expect(ofParts(asked)).toEqual(['split_audit.wasm'])
  expect(asked.filter((name) => name === main)).toHaveLength(1)
  expect(new Set(asked).size).toBe(asked.length)
})

test('going to a page loads its part then, and coming back loads nothing', async ({ as }) => {
  const page = await as('admin')
  await visit(page, '/')
  await mark(page)
  const asked = programs(page)
  const navigation = page.getByRole('navigation').first()
  await navigation.getByRole('link', { name: 'Audit' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Audit' })).toBeVisible()
  expect(ofParts(asked)).toEqual(['split_audit.wasm'])
  await navigation.getByRole('link', { name: 'People' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'People' })).toBeVisible()
  expect(ofParts(asked)).toEqual(['split_audit.wasm', 'split_admin.wasm'])
  const before = asked.length
  await navigation.getByRole('link', { name: 'Audit' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Audit' })).toBeVisible()
  expect(asked).toHaveLength(before)
  expect(await isSame(page)).toBe(true)
})

test('a part begins to load when the keyboard reaches a link to its pages', async ({ as }) => {
  const page = await as('admin')
  await visit(page, '/')
  const part = page.waitForResponse(/split_audit\.wasm$/)
  await page.getByRole('navigation').first().getByRole('link', { name: 'Audit' }).focus()
  await part
  expect(new URL(page.url()).pathname).toBe('/')
})

test('where a part cannot be loaded the server sends the whole page', async ({ as, tolerate }) => {
  tolerate(/split_audit|Failed to fetch|ERR_FAILED/)
  const page = await as('admin')
  await visit(page, '/')
  await mark(page)
  await page.route(/split_audit\.wasm$/, (route) => route.abort())
  await page.getByRole('navigation').first().getByRole('link', { name: 'Audit' }).click()
  await page.waitForFunction(() => !('sameDocument' in window))
  await expect(page.getByRole('heading', { level: 1, name: 'Audit' })).toBeVisible()
  expect(new URL(page.url()).pathname).toBe('/audit')
  // The page as the server made it works as it does without JavaScript, and comes to life with the next one.
  await page.unroute(/split_audit\.wasm$/)
  await page.getByRole('navigation').first().getByRole('link', { name: 'Home' }).click()
  await alive(page)
})
