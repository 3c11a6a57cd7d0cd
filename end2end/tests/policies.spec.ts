import type { Page } from '@playwright/test'
import { expect, test, visit } from '../fixture.ts'
import { waitingRequest } from '../onboarding.ts'

const PASSWORD = 'quiet rivers run deep'

const RULE = `// Nobody calls anything off.
@id("nobody-calls-off")
@because("to let it end")
forbid (principal is User, action == Action::"run.cancel", resource is Run);
`

interface Created {
  user: { id: string }
  link: string
}

/** Another administrator, signed in. */
async function reviewer(admin: { post<T>(path: string, body: unknown): Promise<{ body: T }> }, page: Page): Promise<void> {
  const { body } = await admin.post<Created>('/users', { login: 'rea', name: 'Rea Reviewer' })
  await admin.post('/grants', { subject: { kind: 'user', id: body.user.id }, role: 'administrator', scope: '*' })
  await visit(page, new URL(body.link).pathname)
  await page.getByLabel('New password', { exact: true }).fill(PASSWORD)
  await page.getByLabel('New password again').fill(PASSWORD)
  await page.getByRole('button', { name: 'Set password and sign in' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
}

test('policies are written by one administrator, put into force by another, and explain a refusal', async ({ as, visitor, rondo, tolerate }) => {
  tolerate(/status of 422|status of 403/)
  const rest = await rondo.rest('admin')
  const staff = await rondo.rest('staff')
  const { run } = await waitingRequest(staff, await rondo.rest('manager'))
  const admin = await as('admin')
  await visit(admin, '/policies')
  await expect(admin.getByText('Administrators have written none')).toBeVisible()
  await admin.getByRole('link', { name: 'Propose policies' }).click()
  await admin.getByLabel('What they are for').fill('Runs end by themselves')
  const text = admin.getByLabel('Policies in Cedar')
  await text.fill(RULE.replace('run.cancel', 'approval.decide').replace('forbid', 'permit').replace('resource is Run', 'resource is Approval'))
  await admin.getByRole('button', { name: 'Propose', exact: true }).click()
  await expect(admin.locator('.faults')).toContainText('2:1: it has no @needs')
  await expect(admin.locator('.faults')).toContainText('separated duties')
  await text.fill(RULE)
  await admin.getByRole('button', { name: 'Propose', exact: true }).click()

  await expect(admin.getByRole('heading', { level: 1, name: 'Runs end by themselves' })).toBeVisible()
  await expect(admin.getByText('Another administrator has to put this into force')).toBeVisible()
  await expect(admin.getByRole('region', { name: 'Differences' })).toContainText('+ @id("nobody-calls-off")')
  await expect(admin.getByRole('button', { name: 'Put into force' })).toHaveCount(0)

  const rea = await visitor()
  await reviewer(rest, rea)
  await visit(rea, '/policies')
  await rea.getByRole('link', { name: /Runs end by themselves/ }).click()
  await expect(rea.locator('.replay__summary')).toContainText(/\d+ decisions?/)
  await rea.getByRole('button', { name: 'Put into force' }).click()
  await expect(rea.getByText('In force', { exact: true })).toBeVisible()
  await expect(rea.getByText('Rea Reviewer ·')).toBeVisible()

  const refused = await staff.post<{ policies: { id: string; title: string }[] }>(`/runs/${run.id}/cancel`, {})
  expect(refused.status).toBe(403)
  expect(refused.body.policies).toEqual([{ id: 'nobody-calls-off', title: 'Nobody calls off' }])
  const auditor = await as('auditor')
  await visit(auditor, '/audit?action=run.cancel&outcome=refused')
  await auditor.locator('details.entry summary').first().click()
  await auditor.getByRole('link', { name: 'Nobody calls off' }).click()
  await expect(auditor.getByRole('heading', { level: 1, name: 'Nobody calls off' })).toBeVisible()
  await expect(auditor.getByText('to let it end').first()).toBeVisible()
})

test('a refused page says why', async ({ as, tolerate }) => {
  tolerate(/status of 403/)
  const staff = await as('staff')
  await visit(staff, '/policies')
  const problem = staff.getByRole('alert').first()
  await expect(problem).toContainText('You may not do this')
  await expect(problem).toContainText('Why: no policy permits it.')
  await expect(problem).toContainText('The role administrator or auditor on any namespace', { ignoreCase: true })
})

test('pairs of roles are reported, and forbidden', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 403/)
  const rest = await rondo.rest('admin')
  const { body } = await rest.post<Created>('/users', { login: 'bo', name: 'Bo Both' })
  const grant = (role: string) => rest.post('/grants', { subject: { kind: 'user', id: body.user.id }, role, scope: 'identity' })
  await grant('author')
  await grant('publisher')
  const admin = await as('admin')
  await visit(admin, '/admin/grants')
  const card = admin.locator('.card').filter({ has: admin.getByRole('heading', { name: 'Conflicting roles', exact: true }) })
  const line = card.getByRole('listitem').filter({ hasText: 'Bo Both' })
  await expect(line).toContainText('Author and Publisher')
  await card.getByRole('link', { name: 'Forbid pairs' }).click()
  const dialog = admin.getByRole('dialog', { name: 'Roles that nobody may hold together' })
  await dialog.getByLabel('Requester and Approver').check()
  await dialog.getByLabel('Author and Publisher').check()
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog).toBeHidden()
  await expect(line).toContainText('Forbidden')
  await rest.post('/grants', { subject: { kind: 'user', id: body.user.id }, role: 'requester', scope: '*' })
  await visit(admin, '/admin/grants?dialog=new')
  const form = admin.getByRole('dialog', { name: 'New grant' })
  await form.getByLabel('Who').fill('bo')
  await form.getByLabel('Role').selectOption({ label: 'Approver' })
  await form.getByLabel('Namespace').fill('identity')
  await form.getByRole('button', { name: 'Give role' }).click()
  await expect(form.getByRole('alert')).toContainText('These roles conflict')
  await expect(form.getByRole('alert')).toContainText('bo would hold both approver and requester on identity', { ignoreCase: true })
})

test('an access review asks of each grant whether it stays, and the rest lapses', async ({ as, rondo }) => {
  const rest = await rondo.rest('admin')
  for (const [login, name] of [['ivy', 'Ivy Stays'], ['gus', 'Gus Goes'], ['sil', 'Sil Silent']]) {
    const { body } = await rest.post<Created>('/users', { login, name })
    await rest.post('/grants', { subject: { kind: 'user', id: body.user.id }, role: 'operator', scope: 'harbour' })
  }
  const admin = await as('admin')
  await visit(admin, '/access-reviews')
  await admin.getByRole('link', { name: 'Start a review' }).click()
  const dialog = admin.getByRole('dialog', { name: 'Start a review' })
  await dialog.getByLabel('What it is called').fill('Harbour in autumn')
  await dialog.getByLabel('Namespace').fill('harbour')
  await dialog.getByLabel('Until').fill('2099-12-31')
  await dialog.getByRole('button', { name: 'Start', exact: true }).click()
  await expect(admin.getByRole('heading', { level: 1, name: 'Harbour in autumn' })).toBeVisible()
  const line = (name: string) => admin.getByRole('listitem').filter({ hasText: name })
  await line('Ivy Stays').getByRole('button', { name: 'Stays' }).click()
  await expect(line('Ivy Stays')).toContainText('Ana Admin')
  await line('Gus Goes').getByRole('button', { name: 'Take back' }).click()
  await expect(line('Gus Goes')).toContainText('Taken back')
  await admin.getByRole('link', { name: 'End it now' }).click()
  await admin.getByRole('dialog').getByRole('button', { name: 'End it now' }).click()
  await expect(line('Sil Silent')).toContainText('Lapsed')
  await visit(admin, '/admin/grants?role=operator')
  await expect(admin.getByRole('listitem').filter({ hasText: 'harbour' })).toHaveCount(1)
})
