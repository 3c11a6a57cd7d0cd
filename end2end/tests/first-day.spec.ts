// docs/first-day.md, done as it says, in an empty portal against the directory, the mail server and the host of the lab.
import { readFileSync } from 'node:fs'
import type { Locator, Page } from '@playwright/test'
import { alive, expect, test, visit } from '../fixture.ts'
import { RondoServer } from '../server.ts'

const PASSWORD = 'quiet rivers run deep'

/** A setting of a service of the lab. */
function lab(name: string): string {
  const value = process.env[name]
  if (!value) throw new Error(`${name} is not set: run by scripts/with-services`)
  return value
}

const file = (name: string): string => readFileSync(lab(name), 'utf8')

/** The definition that the page tells people to paste. */
function definition(): string {
  const page = readFileSync(new URL('../../docs/first-day.md', import.meta.url), 'utf8')
  const text = /```yaml\n(document:[^`]+)```/.exec(page)?.[1]
  if (!text) throw new Error('docs/first-day.md has no definition')
  return text
}

async function choosePassword(page: Page, link: string, button: string): Promise<void> {
  await visit(page, link)
  await page.getByLabel('New password', { exact: true }).fill(PASSWORD)
  await page.getByLabel('New password again').fill(PASSWORD)
  await page.getByRole('button', { name: button }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()
}

async function grant(root: Page, who: string, role: string, namespace: string): Promise<void> {
  await visit(root, '/admin/grants?dialog=new')
  const dialog = root.getByRole('dialog', { name: 'New grant' })
  await dialog.getByLabel('Who').fill(who)
  await dialog.getByLabel('Role').selectOption({ label: role })
  await dialog.getByLabel('Namespace').fill(namespace)
  await dialog.getByRole('button', { name: 'Give role' }).click()
  await expect(dialog).toBeHidden()
}

/** Makes a connection, and sees that it works. */
async function connect(root: Page, kind: RegExp, name: string, fill: (dialog: Locator) => Promise<void>): Promise<void> {
  await visit(root, '/admin/connections')
  await root.getByRole('link', { name: 'New connection' }).first().click()
  await root.getByRole('dialog').getByRole('link', { name: kind }).click()
  const dialog = root.getByRole('dialog', { name: /^New connection: / })
  await dialog.getByLabel('Name', { exact: true }).fill(name)
  await fill(dialog)
  await dialog.getByRole('button', { name: 'Save and test' }).click()
  await expect(dialog).toBeHidden({ timeout: 30_000 })
  const card = root.locator('.card').filter({ has: root.getByRole('heading', { name, exact: true }) })
  await expect(card).toContainText('Works')
}

test('an empty portal has a directory, servers and a first workflow within the day', async ({ visitor, database, tolerate }) => {
  test.setTimeout(180_000)
  // The browser's advice on a form with two sign-ins: a connection by SSH has one for the host and one for the jump host.
  tolerate(/Multiple forms should be contained/)
  const server = await RondoServer.start({ database, demo: false })
  const pages: Page[] = []
  const open = async (): Promise<Page> => {
    const page = await visitor({ baseURL: server.url })
    pages.push(page)
    return page
  }
  const person = async (link: string): Promise<Page> => {
    const page = await open()
    await choosePassword(page, link, 'Set password and sign in')
    return page
  }
  try {
    await expect.poll(() => server.output).toContain('Create the first administrator within 24 hours at:')
    const root = await open()
    await visit(root, /http:\S+\/setup\/\S+/.exec(server.output)?.[0] ?? '')
    await root.getByLabel('Sign-in name').fill('root')
    await root.getByLabel('Your name').fill('Ruth Root')
    await root.getByLabel('New password', { exact: true }).fill(PASSWORD)
    await root.getByLabel('New password again').fill(PASSWORD)
    await root.getByRole('button', { name: 'Create and sign in' }).click()
    await expect(root.getByRole('button', { name: 'Me: Ruth Root' })).toBeVisible()

    const people: Record<string, Page> = {}
    for (const [name, login, manager] of [['Mara Manager', 'mara', ''], ['Noah Needs', 'noah', 'mara'], ['Otto Operator', 'otto', '']] as const) {
      await visit(root, '/admin/people')
      await root.getByRole('link', { name: 'New person' }).click()
      const dialog = root.getByRole('dialog', { name: 'New person' })
      await dialog.getByLabel('Name', { exact: true }).fill(name)
      await dialog.getByLabel('Sign-in name', { exact: true }).fill(login)
      await dialog.getByLabel('Manager').fill(manager)
      await dialog.getByRole('button', { name: 'Create person' }).click()
      const banner = root.getByRole('status').filter({ hasText: 'The one-time link is ready' })
      people[login] = await person((await banner.locator('code').textContent()) ?? '')
    }
    const { mara, noah, otto } = people as { mara: Page; noah: Page; otto: Page }
    await grant(root, 'noah', 'Requester', '*')
    await grant(root, 'mara', 'Approver', '*')
    await grant(root, 'otto', 'Operator', '*')
    await grant(root, 'mara', 'Publisher', 'servers')
    await grant(root, 'otto', 'Author', 'servers')

    await visit(noah, '/catalogue')
    const onboarding = noah.getByRole('article').filter({ hasText: 'Onboard an employee' })
    await expect(onboarding).toContainText('Not set up')

    await connect(root, /LDAP/, 'directory', async (dialog) => {
      await dialog.getByLabel('Address').fill(lab('TEST_LDAPS_URL'))
      await dialog.getByLabel('Base DN').fill(lab('TEST_LDAP_BASE'))
      await dialog.getByLabel('Sign-in DN').fill(lab('TEST_LDAP_BIND_DN'))
      await dialog.getByLabel('Password').fill(lab('TEST_LDAP_BIND_PASSWORD'))
      await dialog.getByLabel('CA certificate').fill(file('TEST_LDAP_CA'))
    })
    await connect(root, /Mail folder/, 'mail', async (dialog) => {
      await dialog.getByLabel('Sender').fill('Rondo <rondo@example.test>')
    })
    await connect(root, /SSH/, 'servers', async (dialog) => {
      await dialog.getByLabel('Host', { exact: true }).fill('127.0.0.1')
      await dialog.getByLabel('Port', { exact: true }).first().fill(lab('TEST_SSH_PORT'))
      await dialog.getByLabel('Keys of the host').fill(lab('TEST_SSH_HOST_KEY'))
      await dialog.getByLabel('User', { exact: true }).fill(lab('TEST_SSH_USER'))
      await dialog.getByLabel('Private key', { exact: true }).fill(file('TEST_SSH_KEY'))
    })

    await visit(noah, '/catalogue')
    await expect(onboarding).not.toContainText('Not set up')
    await noah.getByRole('link', { name: 'Onboard an employee' }).click()
    await noah.getByRole('link', { name: 'Request', exact: true }).click()
    await noah.getByLabel('Given name').fill('Femke')
    await noah.getByLabel('Family name').fill(`First${process.pid}${database}`)
    await noah.getByLabel('Private mail address').fill('femke@example.test')
    await noah.getByRole('radio', { name: 'Sales' }).check()
    await noah.getByRole('radio', { name: 'Permanent' }).check()
    await noah.getByLabel('Job title').fill('Clerk')
    await noah.getByLabel('First day').fill('2026-12-01')
    await noah.getByRole('button', { name: 'Review' }).last().click()
    await noah.getByRole('button', { name: 'Send request' }).click()
    await expect(noah).toHaveURL(/\/runs\/\d+/)
    const run = noah.url()

    await visit(mara, '/approvals')
    await mara.getByRole('link', { name: /Femke/ }).first().click()
    await mara.getByRole('button', { name: 'Approve', exact: true }).click()
    await visit(noah, run)
    await expect(noah.getByRole('status').filter({ hasText: /^Completed/ })).toBeVisible({ timeout: 30_000 })

    await visit(otto, '/definitions')
    await otto.getByRole('link', { name: 'New definition' }).first().click()
    await otto.getByLabel('Title').fill('Room on a server')
    await otto.getByLabel('Namespace').fill('servers')
    await otto.getByLabel('Technical name').fill('room')
    await otto.getByRole('button', { name: 'Write the text' }).click()
    await expect(otto).toHaveURL('/definitions/servers/room/1.0.0/edit')
    await alive(otto)
    const editor = otto.locator('.cm-content')
    await editor.click()
    await otto.keyboard.press('Control+a')
    await otto.keyboard.insertText(definition())
    await otto.getByRole('button', { name: 'Save draft' }).click()
    await expect(otto.getByText('Saved', { exact: true })).toBeVisible()
    await visit(otto, '/definitions/servers/room/1.0.0')
    await otto.getByRole('button', { name: 'Submit for review' }).click()

    await visit(mara, '/definitions/servers/room/1.0.0')
    await mara.getByRole('link', { name: 'Publish' }).or(mara.getByRole('button', { name: 'Publish' })).first().click()
    const publish = mara.getByRole('dialog').getByRole('button', { name: 'Publish' })
    if (await publish.isVisible()) await publish.click()

    await expect
      .poll(async () => {
        await visit(noah, '/catalogue/servers/room')
        return noah.getByRole('link', { name: 'Request', exact: true }).count()
      })
      .toBe(1)
    await noah.getByRole('link', { name: 'Request', exact: true }).click()
    await noah.getByRole('button', { name: 'Review' }).last().click()
    await noah.getByRole('button', { name: 'Send request' }).click()
    await expect(noah.getByRole('status').filter({ hasText: /^Completed/ })).toBeVisible({ timeout: 30_000 })
    await expect(noah.getByRole('main')).toContainText(/\d+%/)
  } finally {
    // First the pages: their streams would complain that the server has gone.
    for (const page of pages) await page.context().close()
    await server.destroy()
  }
})
