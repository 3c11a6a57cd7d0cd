import type { Page } from '@playwright/test'
import { demoPassword, expect, test } from '../fixture.ts'
import { fillIn, newcomer } from '../onboarding.ts'

test.describe.configure({ mode: 'serial' })

const NO_SCRIPT = { javaScriptEnabled: false }
let runPath = ''

async function signInByPage(page: Page, login: string): Promise<void> {
  await page.goto('/sign-in')
  await page.getByLabel('Sign-in name').fill(login)
  await page.getByLabel('Password', { exact: true }).fill(demoPassword(login))
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
}

/** Opens this run's decision: others may wait in the queue. */
async function openDecision(manager: Page, path: string): Promise<void> {
  await manager.goto('/approvals')
  await manager.getByRole('link', { name: new RegExp(`R-${path.split('/').at(-1)}\\b`) }).first().click()
  await expect(manager.getByRole('main')).toContainText('What was asked for')
}

async function request(page: Page): Promise<string> {
  const person = newcomer({ note: 'Welcome <b>aboard</b>\nsecond line' })
  await page.goto('/catalogue')
  await page.getByRole('link', { name: 'Onboard an employee' }).first().click()
  await page.getByRole('link', { name: 'Request', exact: true }).click()
  await fillIn(page, person)
  await page.getByRole('button', { name: 'Review' }).click()
  await expect(page.getByRole('heading', { level: 1, name: /^Review/ })).toBeVisible()
  await expect(page.getByRole('main')).toContainText('Mina Manager')
  await page.getByRole('button', { name: 'Send request' }).click()
  await expect(page).toHaveURL(/\/runs\/\d+$/)
  await expect(page.getByRole('main')).toContainText('Waiting for a decision by Mina Manager')
  return new URL(page.url()).pathname
}

test('a wrong password is refused, the right one signs in', async ({ visitor }) => {
  const page = await visitor(NO_SCRIPT)
  await page.goto('/sign-in')
  await page.getByLabel('Sign-in name').fill('staff')
  await page.getByLabel('Password', { exact: true }).fill('wrong password')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('alert')).toContainText('Name or password is wrong')
  await signInByPage(page, 'staff')
})

test('what is missing is said beside the field, and what was typed stays', async ({ as }) => {
  const page = await as('staff', NO_SCRIPT)
  await page.goto('/catalogue/identity/onboard-employee/request')
  await page.getByLabel('Given name').fill('Nora')
  await page.getByLabel('Words of welcome').fill('first\n</textarea><script>alert(1)</script>')
  await page.getByRole('button', { name: 'Review' }).click()
  await expect(page.getByRole('alert')).toContainText('fields need your attention')
  await expect(page.getByLabel('Given name')).toHaveValue('Nora')
  await expect(page.getByLabel('Words of welcome')).toHaveValue('first\n</textarea><script>alert(1)</script>')
  await expect(page.getByLabel('Family name')).toHaveAccessibleDescription(/Fill in this field/)
})

test('a request is made, and approved', async ({ visitor, rondo }) => {
  const staff = await visitor(NO_SCRIPT)
  await signInByPage(staff, 'staff')
  runPath = await request(staff)

  const manager = await visitor(NO_SCRIPT)
  await signInByPage(manager, 'manager')
  await openDecision(manager, runPath)
  await manager.getByRole('link', { name: 'Ask what would change' }).click()
  await expect(manager.getByRole('heading', { level: 1, name: 'What the run will do next' })).toBeVisible()
  await expect(manager.getByRole('main')).toContainText('Changes something')
  await manager.getByRole('link', { name: 'Back to the decision' }).click()
  await manager.getByRole('button', { name: 'Approve' }).click()
  await expect(manager.getByRole('main')).toContainText('Approved. The run goes on.')

  const rest = await rondo.rest('staff')
  const number = runPath.split('/').at(-1) ?? ''
  await expect.poll(async () => (await rest.run(number)).status, { timeout: 30_000 }).toBe('completed')
  // The page looks again by itself.
  await expect(staff.getByRole('main')).toContainText('Completed', { timeout: 20_000 })
})

test('a rejection needs a reason', async ({ as }) => {
  const [staff, manager] = await Promise.all([as('staff', NO_SCRIPT), as('manager', NO_SCRIPT)])
  runPath = await request(staff)
  await openDecision(manager, runPath)
  await manager.getByRole('button', { name: 'Reject' }).click()
  await expect(manager.getByRole('main')).toContainText(/Fill in this field|Some fields need your attention/)
  await manager.getByLabel('Reason').fill('There is no desk free')
  await manager.getByRole('button', { name: 'Reject' }).click()
  await expect(manager.getByRole('main')).toContainText('Rejected')
  await expect(staff.getByRole('main')).toContainText('There is no desk free', { timeout: 20_000 })
})

test('signing out ends it', async ({ as }) => {
  const page = await as('staff', NO_SCRIPT)
  await page.goto('/')
  await page.getByRole('button', { name: 'Me: Sam Staff' }).click()
  await page.getByRole('button', { name: 'Sign out' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Sign in' })).toBeVisible()
  await page.goto('/requests')
  await expect(page).toHaveURL(/\/sign-in/)
})
