import { expect, test, visit } from '../fixture.ts'
import { newcomer, waitingRequest } from '../onboarding.ts'

/** A date so many days from now, as a form has it. */
function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10)
}

test('a substitute decides for the manager, and an administrator ends it', async ({ as, rondo, tolerate }) => {
  const [staffRest, managerRest] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const { run, approval } = await waitingRequest(staffRest, managerRest, newcomer({ familyName: 'Away' }))
  const author = await as('author')
  await visit(author, '/approvals')
  await expect(author.getByText('Nothing waits here')).toBeVisible()

  const manager = await as('manager')
  tolerate(/status of 422/)
  await visit(manager, '/account?tab=substitutes')
  await manager.getByLabel('Substitute', { exact: true }).fill('nobody-here')
  await manager.getByLabel('Until').fill(inDays(3))
  await manager.getByRole('button', { name: 'Name substitute' }).click()
  await expect(manager.getByLabel('Substitute', { exact: true })).toHaveAccessibleDescription(/nobody with this sign-in name/)
  await manager.getByLabel('Substitute', { exact: true }).fill('author')
  await manager.getByLabel('Reason').fill('A week at the sea')
  await manager.getByRole('button', { name: 'Name substitute' }).click()
  await expect(manager.getByRole('row', { name: /A week at the sea/ })).toContainText('Now')

  // What waited already has moved, and the open page says so by itself.
  await author.getByRole('link', { name: /for Mina Manager/ }).click()
  await expect(author).toHaveURL(new RegExp(approval.id))
  await expect(author.getByText('You decide for Mina Manager')).toBeVisible()
  await author.getByRole('button', { name: 'Approve' }).click()
  await expect(author.getByText('You approved. Your decision is recorded.')).toBeVisible()
  await expect.poll(async () => (await staffRest.run(run.id)).status, { timeout: 30_000 }).toBe('completed')

  await visit(manager, `/approvals/${approval.id}`)
  const who = manager.locator('.decision').filter({ hasText: 'Mina Manager' }).filter({ hasText: 'approved' })
  await expect(who).toContainText(/by .*Author/)

  const admin = await as('admin')
  await visit(admin, '/admin/people?q=manager')
  const row = admin.getByRole('row', { name: /Mina Manager/ }).first()
  await row.getByLabel('Actions for Mina Manager').click()
  await row.getByRole('link', { name: 'Substitutes' }).click()
  const dialog = admin.getByRole('dialog', { name: 'Substitutes of Mina Manager' })
  await dialog.getByRole('button', { name: 'End' }).click()
  await expect(dialog.getByText('Ended early')).toBeVisible()

  const next = await waitingRequest(staffRest, managerRest, newcomer({ familyName: 'Back' }))
  const refused = await (await rondo.rest('author')).decide(next.approval, 'approve')
  expect(refused.status).toBe(404)
})
