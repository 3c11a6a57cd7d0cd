import { expect, test, visit } from '../fixture.ts'
import { RondoServer } from '../server.ts'

test('an empty directory prints a link that makes the first administrator, once', async ({ visitor, database, tolerate }) => {
  const server = await RondoServer.start({ database, demo: false })
  try {
    await expect.poll(() => server.output).toContain('Create the first administrator within 24 hours at:')
    const link = /http:\S+\/setup\/\S+/.exec(server.output)?.[0] ?? ''
    const page = await visitor({ baseURL: server.url })
    await visit(page, link)
    await expect(page.getByRole('heading', { level: 1, name: 'Create the first administrator' })).toBeVisible()
    await page.getByLabel('Sign-in name').fill('root')
    await page.getByLabel('Your name').fill('Ruth Root')
    await page.getByLabel('New password', { exact: true }).fill('quiet rivers run deep')
    await page.getByLabel('New password again').fill('quiet rivers run deep')
    await page.getByRole('button', { name: 'Create and sign in' }).click()
    await expect(page.getByRole('button', { name: 'Me: Ruth Root' })).toBeVisible()
    await visit(page, '/admin/people')
    await expect(page.getByRole('rowheader', { name: 'Ruth Root' })).toBeVisible()

    await page.context().clearCookies()
    await visit(page, '/sign-in')
    await expect(page.getByText('Demonstration organisation')).toHaveCount(0)
    await page.getByLabel('Sign-in name').fill('root')
    await page.getByLabel('Password', { exact: true }).fill('quiet rivers run deep')
    await page.getByRole('button', { name: 'Sign in', exact: true }).click()
    await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()

    tolerate(/status of 4\d\d/)
    const another = await visitor({ baseURL: server.url })
    await another.goto(link)
    await expect(another.getByText('The link is not valid any more')).toBeVisible()

    await Promise.all([page.close(), another.close()])
    const before = server.output.length
    await server.stop()
    await server.boot()
    await expect.poll(() => server.output.slice(before)).toContain('Rondo is at')
    expect(server.output.slice(before)).not.toContain('first administrator')
  } finally {
    await server.destroy()
  }
})
