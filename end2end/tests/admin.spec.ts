import { type AddressInfo, createServer } from 'node:net'
import type { Page } from '@playwright/test'
import { demoPassword, expect, test, visit } from '../fixture.ts'
import { Rest } from '../rest.ts'

const PASSWORD = 'quiet rivers run deep'

/** A port that nobody listens on. */
async function deadPort(): Promise<number> {
  const listener = createServer()
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const { port } = listener.address() as AddressInfo
  await new Promise((resolve) => listener.close(resolve))
  return port
}

async function createPerson(admin: Page, name: string, login: string): Promise<string> {
  await visit(admin, '/admin/people')
  await admin.getByRole('link', { name: 'New person' }).click()
  const dialog = admin.getByRole('dialog', { name: 'New person' })
  await dialog.getByLabel('Name', { exact: true }).fill(name)
  await dialog.getByLabel('Sign-in name', { exact: true }).fill(login)
  await dialog.getByLabel('Manager').fill('manager')
  await dialog.getByRole('button', { name: 'Create person' }).click()
  const banner = admin.getByRole('status').filter({ hasText: 'The one-time link is ready' })
  await expect(banner).toBeVisible()
  return (await banner.locator('code').textContent()) ?? ''
}

async function claim(page: Page, link: string): Promise<void> {
  await visit(page, link)
  await page.getByLabel('New password', { exact: true }).fill(PASSWORD)
  await page.getByLabel('New password again').fill(PASSWORD)
  await page.getByRole('button', { name: 'Set password and sign in' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
}

test('a person is invited by a one-time link', async ({ as, visitor }) => {
  const admin = await as('admin')
  const link = await createPerson(admin, 'Ivo Invited', 'ivo')
  const row = admin.getByRole('row', { name: /Ivo Invited/ })
  await expect(row).toContainText('No password yet')
  await expect(row).toContainText('Mina Manager')

  const ivo = await visitor()
  await claim(ivo, link)
  await expect(ivo.getByRole('button', { name: 'Me: Ivo Invited' })).toBeVisible()
  await visit(admin, '/admin/people?q=ivo')
  await expect(row).toContainText('Active')

  await row.getByLabel('Actions for Ivo Invited').click()
  await row.getByRole('link', { name: 'Disable' }).click()
  await admin.getByRole('button', { name: 'Disable Ivo Invited' }).click()
  await expect(row).toContainText('Disabled')
  await ivo.goto('/')
  await expect(ivo).toHaveURL(/\/sign-in/)
})

test('whoever has left is erased, from the account and from the audit log', async ({ as, tolerate }) => {
  tolerate(/status of 422/)
  const admin = await as('admin')
  await createPerson(admin, 'Olga Outgoing', 'olga')
  await visit(admin, '/admin/people?q=olga')
  const row = admin.getByRole('row', { name: /Olga Outgoing/ })
  const menu = row.getByLabel('Actions for Olga Outgoing')
  await menu.click()
  await row.getByRole('link', { name: 'Erase' }).click()
  await expect(admin.getByText('Disable it first')).toBeVisible()
  await visit(admin, '/admin/people?q=olga')
  await menu.click()
  await row.getByRole('link', { name: 'Disable' }).click()
  await admin.getByRole('button', { name: 'Disable Olga Outgoing' }).click()
  await expect(row).toContainText('Disabled')

  await visit(admin, '/admin/people?q=olga')
  await menu.click()
  await row.getByRole('link', { name: 'Erase' }).click()
  const dialog = admin.getByRole('dialog', { name: 'Erase Olga Outgoing' })
  const confirm = dialog.getByLabel(/Type the sign-in name olga/)
  await dialog.getByLabel(/Reason/).fill('Asked for it after leaving')
  await confirm.fill('helga')
  await dialog.getByRole('button', { name: 'Erase' }).click()
  await expect(confirm).toHaveAccessibleDescription(/.+/)
  await confirm.fill('olga')
  await dialog.getByRole('button', { name: 'Erase' }).click()
  await expect(dialog).toBeHidden()
  await expect(admin.getByRole('row', { name: /Olga/ })).toHaveCount(0)
  await expect(async () => {
    await visit(admin, '/admin/people?q=erased')
    await expect(admin.getByRole('row', { name: /erased-/ }).getByText('Erased', { exact: true })).toBeVisible()
  }).toPass()

  const auditor = await as('auditor')
  await visit(auditor, '/audit?action=user.create')
  const created = auditor.locator('details.entry').filter({ hasText: '(erased)' }).first()
  await created.locator('summary').click()
  await expect(created.getByText('(erased)')).not.toHaveCount(1)
  await expect(auditor.locator('main')).not.toContainText(/olga/i)
  await visit(auditor, '/audit?text=olga')
  await expect(auditor.getByText('No entries')).toBeVisible()
})

test('a legal hold says what it covers, and who released it and why', async ({ as, tolerate }) => {
  tolerate(/status of 422/)
  const admin = await as('admin')
  await visit(admin, '/audit/retention')
  const form = admin.locator('details', { has: admin.getByLabel('Name of the hold') })
  await form.locator('summary').click()
  await form.getByLabel('Name of the hold').fill('Case 2026-17')
  await form.getByLabel('Reason').fill('Asked for by the court')
  await form.getByLabel('Person').fill('nobody-here')
  await form.getByRole('button', { name: 'Place a hold' }).click()
  await expect(form.getByLabel('Person')).toHaveAccessibleDescription(/./)
  await form.getByLabel('Person').fill('staff')
  await form.getByRole('button', { name: 'Place a hold' }).click()
  const hold = admin.getByRole('listitem').filter({ hasText: 'Case 2026-17' })
  await expect(hold).toContainText('In force')
  await expect(hold).toContainText('staff')

  await hold.getByLabel('Why it is released').fill('The case is closed')
  await hold.getByRole('button', { name: 'Release' }).click()
  await expect(hold).toContainText('Released')
  await expect(hold).toContainText('The case is closed')
  const auditor = await as('auditor')
  await visit(auditor, '/audit/retention')
  await expect(auditor.getByRole('listitem').filter({ hasText: 'Case 2026-17' })).toBeVisible()
  await expect(auditor.getByRole('button', { name: 'Place a hold' })).toHaveCount(0)
})

test('a taken sign-in name is refused beside its field', async ({ as, tolerate }) => {
  tolerate(/status of 422|status of 409/)
  const admin = await as('admin')
  await visit(admin, '/admin/people?dialog=new')
  const dialog = admin.getByRole('dialog', { name: 'New person' })
  await dialog.getByLabel('Name', { exact: true }).fill('Another Staff')
  await dialog.getByLabel('Sign-in name', { exact: true }).fill('staff')
  await dialog.getByRole('button', { name: 'Create person' }).click()
  await expect(dialog.getByLabel('Sign-in name', { exact: true })).toHaveAccessibleDescription(/This is taken already/)
  await expect(dialog.getByLabel('Name', { exact: true })).toHaveValue('Another Staff')
})

test('a team gets a role as a sentence, and gives it back', async ({ as, visitor }) => {
  const admin = await as('admin')
  const link = await createPerson(admin, 'Tea Teammate', 'tea')
  await visit(admin, '/admin/teams')
  await admin.getByRole('link', { name: 'New team' }).click()
  const dialog = admin.getByRole('dialog', { name: 'New team' })
  await dialog.getByLabel('Title').fill('Night shift')
  await dialog.getByLabel('Name', { exact: true }).fill('night-shift')
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog).toBeHidden()
  const card = admin.locator('.card').filter({ has: admin.getByRole('heading', { name: 'Night shift' }) })
  await card.getByPlaceholder('Sign-in name').fill('tea')
  await card.getByRole('button', { name: 'Add' }).click()
  await expect(card.getByText('Tea Teammate')).toBeVisible()

  await visit(admin, '/admin/grants')
  await admin.getByRole('link', { name: 'New grant' }).click()
  const grant = admin.getByRole('dialog', { name: 'New grant' })
  await grant.getByLabel('Who').fill('team night-shift')
  await grant.getByLabel('Role').selectOption({ label: 'Requester' })
  await grant.getByLabel('Namespace').fill('identity')
  await grant.getByRole('button', { name: 'Give role' }).click()
  await expect(grant).toBeHidden()
  const sentence = admin.getByRole('listitem').filter({ hasText: 'Team Night shift may request workflows in identity' })
  await expect(sentence).toBeVisible()

  const tea = await visitor()
  await claim(tea, link)
  await visit(tea, '/catalogue')
  await expect(tea.getByRole('link', { name: 'Onboard an employee' })).toBeVisible()
  await expect(tea.getByRole('link', { name: 'A service is down' })).toHaveCount(0)

  await sentence.getByRole('button', { name: 'Take back' }).click()
  await expect(sentence).toBeHidden()
  await visit(tea, '/')
  await expect(tea.getByRole('navigation', { name: 'Main navigation' }).first().getByRole('link', { name: 'Catalogue' })).toHaveCount(0)
})

for (const [what, host, failed] of [
  ['nobody listens', '127.0.0.1', 'Connect'],
  ['the name is unknown', 'directory.invalid', 'Name'],
] as const) {
  test(`a connection is kept and says which step failed when ${what}`, async ({ as, rondo }) => {
    const [admin, rest] = [await as('admin'), await rondo.rest('admin')]
    const name = `dir-${failed.toLowerCase()}`
    await visit(admin, '/admin/connections')
    await admin.getByRole('link', { name: 'New connection' }).click()
    await admin.getByRole('dialog').getByRole('link', { name: /LDAP/ }).click()
    const dialog = admin.getByRole('dialog', { name: /^New connection: / })
    await dialog.getByLabel('Name', { exact: true }).fill(name)
    await dialog.getByLabel('Address').fill(`ldaps://${host}:${await deadPort()}`)
    await dialog.getByLabel('Base DN').fill('dc=example,dc=test')
    await dialog.getByLabel('Sign-in DN').fill('cn=portal,dc=example,dc=test')
    await dialog.getByLabel('Password').fill('secret words')
    await expect(dialog.getByLabel('Owner')).toHaveValue('admin')
    await dialog.getByLabel('Owner').fill('team it-identity')
    await dialog.getByRole('button', { name: 'Save and test' }).click()
    await expect(dialog).toBeHidden({ timeout: 30_000 })

    const card = admin.locator('.card').filter({ has: admin.getByRole('heading', { name, exact: true }) })
    await expect(card).toContainText('Stored, encrypted')
    await expect(card).toContainText('team it-identity')
    await expect(card).toContainText('Does not work')
    await expect(card).toContainText('Fails since')
    await expect(card.getByRole('listitem').last()).toContainText(failed)
    await expect(card.getByRole('listitem').last()).toContainText('Failed:')
    await card.getByRole('button', { name: 'Test' }).click()
    await expect(card).toContainText('Does not work', { timeout: 30_000 })

    // Who works in the portal sees it where they begin, and comes from there to what fails.
    await visit(admin, '/')
    const banner = admin.locator('.banner').filter({ hasText: name })
    await expect(banner).toContainText('not work')
    await banner.getByRole('link').click()
    await expect(card).toBeVisible()
    await expect(admin.getByRole('heading', { name: 'directory', exact: true })).toHaveCount(0)
    await admin.getByRole('link', { name: 'Works', exact: true }).click()
    await expect(admin.getByRole('heading', { name: 'directory', exact: true })).toBeVisible()
    await expect(card).toBeHidden()

    const author = await as('author')
    await visit(author, '/notifications')
    await expect(author.getByRole('main')).toContainText(`${name} (`)

    const { items } = (await rest.get<{ items: { id: string; name: string; state: string }[] }>('/connections?state=failing')).body
    const mine = items.find((connection) => connection.name === name)
    expect(mine?.state).toBe('failing')
    await rest.delete(`/connections/${mine?.id}`)
  })
}

test('a new password signs the other browsers out', async ({ as, visitor }) => {
  const admin = await as('admin')
  const link = await createPerson(admin, 'Pia Password', 'pia')
  const [here, elsewhere] = [await visitor(), await visitor()]
  await claim(here, link)
  await elsewhere.request.post('/ui/sign-in', { form: { login: 'pia', password: PASSWORD, next: '/' } })
  await visit(elsewhere, '/account?tab=sessions')
  await expect(elsewhere.getByText('This browser')).toBeVisible()

  await visit(here, '/account')
  await here.getByLabel('Current password').fill(PASSWORD)
  await here.getByLabel('New password', { exact: true }).fill('slow winds over the sea')
  await here.getByLabel('New password again').fill('slow winds over the sea')
  await here.getByRole('button', { name: 'Change password' }).click()
  await expect(here.getByText('Your password has been changed')).toBeVisible()
  await elsewhere.goto('/account')
  await expect(elsewhere).toHaveURL(/\/sign-in/)
  await visit(here, '/account?tab=sessions')
  await expect(here.getByRole('main').getByRole('listitem')).toHaveCount(1)
})

test('a password that is too easy is refused beside its field', async ({ as, tolerate }) => {
  tolerate(/status of 422/)
  const staff = await as('staff')
  await visit(staff, '/account')
  await staff.getByLabel('Current password').fill(demoPassword('staff'))
  await staff.getByLabel('New password', { exact: true }).fill('password1234')
  await staff.getByLabel('New password again').fill('password1234')
  await staff.getByRole('button', { name: 'Change password' }).click()
  await expect(staff.getByLabel('New password', { exact: true })).toHaveAccessibleDescription(/too easy to guess/)
})

test('a token is shown once, works, and is revoked', async ({ as, rondo }) => {
  const staff = await as('staff')
  await visit(staff, '/account?tab=tokens')
  await staff.getByLabel('What it is for').fill('Nightly report')
  await staff.getByRole('button', { name: 'Create token' }).click()
  const banner = staff.getByRole('status').filter({ hasText: 'The token has been created' })
  const token = (await banner.locator('code').textContent()) ?? ''
  expect(token).toMatch(/^rondo_/)
  const rest = new Rest(rondo.url, token)
  expect((await rest.get('/me')).status).toBe(200)

  await visit(staff, '/account?tab=tokens')
  const row = staff.getByRole('row', { name: /Nightly report/ })
  await expect(row).toBeVisible()
  await expect(staff.getByText(token)).toHaveCount(0)
  await row.getByRole('button', { name: 'Revoke' }).click()
  await expect(row).toBeHidden()
  expect((await rest.get('/me')).status).toBe(401)
})

/** The card of this heading. */
const cardOf = (page: Page, heading: string) =>
  page.locator('.card').filter({ has: page.getByRole('heading', { name: heading, exact: true }) })

test('a namespace gets limits, and what is wrong with them stands beside the fields', async ({ as, tolerate }) => {
  tolerate(/status of 422/)
  const admin = await as('admin')
  await visit(admin, '/admin/grants')
  const card = cardOf(admin, 'Limits of namespaces')
  await expect(card).toContainText('No namespace has limits')
  await card.getByRole('link', { name: 'Set limits' }).click()
  const dialog = admin.getByRole('dialog', { name: 'Set limits' })
  const [namespace, runs, calls] = [dialog.getByLabel('Namespace'), dialog.getByLabel('Runs at once'), dialog.getByLabel('Calls at once')]
  const set = dialog.getByRole('button', { name: 'Set limits' })
  await namespace.fill('Not A Name')
  await runs.fill('2')
  await set.click()
  await expect(namespace).toHaveAccessibleDescription(/Use lower-case letters, digits and hyphens/)
  await expect(runs).toHaveValue('2')
  await namespace.fill('identity')
  await runs.fill('0')
  await calls.fill('10001')
  await set.click()
  await expect(runs).toHaveAccessibleDescription(/Use 1 or more/)
  await expect(calls).toHaveAccessibleDescription(/Use 10000 or less/)
  await runs.fill('2')
  await calls.fill('')
  await set.click()
  await expect(dialog).toBeHidden()
  const line = card.getByRole('listitem').filter({ hasText: 'identity' })
  await expect(line).toContainText('2 runs at once')
  await expect(line).toContainText('Ana Admin')
  await expect(line).not.toContainText('calls at once')
  await line.getByRole('button', { name: 'Remove' }).click()
  await expect(card).toContainText('No namespace has limits')

  const korean = await as('admin', { locale: 'ko' })
  await visit(korean, '/admin/grants?dialog=limits')
  const form = korean.getByRole('dialog', { name: '한도 설정' })
  await form.getByLabel('네임스페이스').fill('identity')
  await form.getByLabel('동시 실행 수').fill('1.5')
  await form.locator('form').evaluate((form: HTMLFormElement) => (form.noValidate = true))
  await form.getByRole('button', { name: '한도 설정' }).click()
  await expect(form.getByLabel('동시 실행 수')).toHaveAccessibleDescription(/정수/)
})

test('a namespace is permitted to run processes until that is taken back', async ({ as }) => {
  const admin = await as('admin')
  await visit(admin, '/admin/grants')
  const card = cardOf(admin, 'Commands, scripts and containers')
  await expect(card).toContainText('No namespace may run them')
  for (const time of ['for the first time', 'again, which changes nothing']) {
    await card.getByRole('link', { name: 'Permit a namespace' }).click()
    const dialog = admin.getByRole('dialog', { name: 'Permit a namespace' })
    await dialog.getByLabel('Namespace').fill('identity')
    await dialog.getByRole('button', { name: 'Permit' }).click()
    await expect(dialog, time).toBeHidden()
    await expect(card.getByRole('listitem'), time).toHaveCount(1)
  }
  await card.getByRole('listitem').filter({ hasText: 'identity' }).getByRole('button', { name: 'Take back' }).click()
  await expect(card).toContainText('No namespace may run them')
})

test('a secret is named as it must be, gets another value, and is deleted after a question', async ({ as, tolerate }) => {
  tolerate(/status of 422/)
  const admin = await as('admin')
  await visit(admin, '/admin/connections')
  const card = cardOf(admin, 'Secrets')
  await expect(card).toContainText('No secrets')
  const dialog = admin.getByRole('dialog', { name: 'New secret' })
  const save = async (namespace: string, name: string, value: string) => {
    if (await dialog.isHidden()) await card.getByRole('link', { name: 'New secret' }).click()
    await dialog.getByLabel('Namespace').fill(namespace)
    await dialog.getByLabel('Name', { exact: true }).fill(name)
    await dialog.getByLabel('Value').fill(value)
    await dialog.getByRole('button', { name: 'Save' }).click()
  }
  await save('Identity', 'api key', 'one')
  await expect(dialog.getByLabel('Namespace')).toHaveAccessibleDescription(/Use lower-case letters, digits and hyphens/)
  await save('identity', ' ', 'one')
  await expect(dialog.getByLabel('Name', { exact: true })).toHaveAccessibleDescription(/Fill in this field/)
  await save('identity', 'a\u0007b', 'one')
  await expect(dialog.getByLabel('Name', { exact: true })).toHaveAccessibleDescription(/does not have the expected form/)
  await save('identity', 'api key', '{"port": 7}')
  await expect(dialog.getByLabel('Value')).toHaveAccessibleDescription(/wrong type/)
  for (const value of ['one', 'two']) {
    await save('identity', 'api key', value)
    await expect(dialog).toBeHidden()
    await expect(card.getByRole('listitem')).toHaveCount(1)
  }
  await card.getByRole('listitem').filter({ hasText: 'identity/api key' }).getByRole('link', { name: 'Delete' }).click()
  const question = admin.getByRole('dialog', { name: 'Delete identity/api key' })
  await expect(question).toContainText('This cannot be undone')
  await question.getByRole('button', { name: 'Delete identity/api key' }).click()
  await expect(card).toContainText('No secrets')
})
