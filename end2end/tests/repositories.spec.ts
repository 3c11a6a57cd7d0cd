import { createHmac } from 'node:crypto'
import { draft, lendLaptop, makePublisher, words } from '../definitions.ts'
import { expect, test, visit } from '../fixture.ts'
import { Repository } from '../repositories.ts'

test.beforeAll(async ({ rondo }) => {
  await makePublisher(await rondo.rest('admin'), 'manager')
})

for (const language of ['en', 'ko'] as const) {
  const t = words(language, 'repositories')
  const common = words(language, 'common')
  const definitions = words(language, 'definitions')
  const text = (key: string, places: Record<string, string | number> = {}): string =>
    Object.entries(places).reduce((words, [place, value]) => words.replace(`{${place}}`, String(value)), t[key] ?? '')

  test(`a branch is followed, its files are reviewed here, and a conflict is shown (${language})`, async ({ as, rondo, tolerate }) => {
    test.slow()
    tolerate(/status of 422/)
    const namespace = `git-${language}`
    const workflow = `${namespace}/lend-laptop`
    const repository = Repository.make(namespace)
    repository.push({
      'flows/lend.yaml': lendLaptop(workflow, '1.0.0', 30),
      'flows/broken.yaml': lendLaptop(`${namespace}/broken`, '1.0.0', 30).replace('call: approval', 'call: aproval'),
      'elsewhere.yaml': lendLaptop(`${namespace}/elsewhere`, '1.0.0', 30),
      'flows/README.md': 'Definitions of a test.',
    })
    const admin = await as('admin', { locale: language })
    await visit(admin, '/repositories')
    // Later tests of this file find what earlier ones have set up.
    if (language === 'en') await expect(admin.getByText(text('none'), { exact: true })).toBeVisible()
    await admin.getByRole('link', { name: text('add') }).click()
    const dialog = admin.getByRole('dialog')
    await dialog.locator('#namespace').fill(namespace)
    await dialog.locator('#name').fill('definitions')
    await dialog.locator('#url').fill(repository.url)
    await dialog.locator('#folder').fill('flows')
    await dialog.locator('#account').fill(repository.account)

    // Without its password the account is refused beside the field, and what was typed stays.
    await dialog.getByRole('button', { name: text('keep') }).click()
    await expect(dialog.locator('#password')).toHaveAttribute('aria-invalid', 'true')
    await expect(dialog.locator('#url')).toHaveValue(repository.url)
    await dialog.locator('#password').fill(repository.password)
    await dialog.locator('#hook_secret').fill('a secret of the tests')
    await dialog.getByRole('button', { name: text('keep') }).click()
    await expect(dialog).toBeHidden()

    // The look is done by the server, and shows by itself.
    const card = admin.locator('.card').filter({ hasText: `${namespace}/definitions` })
    await expect(card.getByText(text('state_left'))).toBeVisible()
    const row = (path: string) => card.getByRole('row').filter({ hasText: path })
    await expect(row('flows/lend.yaml')).toContainText(definitions['file_added'] ?? '')
    await expect(row('flows/broken.yaml')).toContainText(definitions['file_refused'] ?? '')
    await expect(card.getByRole('row')).toHaveCount(3)
    expect(await admin.content()).not.toContain(repository.password)

    // Its version waits for a review, by anybody but whoever set the repository up.
    const manager = await as('manager', { locale: language })
    await visit(manager, `/definitions/${workflow}/1.0.0`)
    await manager.getByRole('button', { name: definitions['publish'] ?? '', exact: true }).click()
    await expect(manager.locator('.page-header .badge').filter({ hasText: definitions['state_published'] ?? '' })).toBeVisible()

    // Somebody writes the next version here while another text of it comes by the branch: neither is lost.
    const author = await rondo.rest('author')
    await draft(author, workflow, '1.1.0', lendLaptop(workflow, '1.1.0', 10))
    repository.push({ 'flows/lend.yaml': lendLaptop(workflow, '1.1.0', 20), 'flows/broken.yaml': lendLaptop(`${namespace}/broken`, '1.0.0', 30) })
    const body = JSON.stringify({ ref: 'refs/heads/main' })
    const call = (signature: string) =>
      fetch(`${rondo.url}/api/v1/hooks/repositories/${namespace}/definitions`, { method: 'POST', body, headers: { 'x-hub-signature-256': `sha256=${signature}` } })
    expect((await call('00')).status).toBe(404)
    expect((await call(createHmac('sha256', 'a secret of the tests').update(body).digest('hex'))).status).toBe(202)
    await expect(row('flows/lend.yaml')).toContainText(definitions['file_conflict'] ?? '')
    await expect(row('flows/broken.yaml')).toContainText(definitions['file_added'] ?? '')
    const kept = await author.get<{ source: string }>(`/workflows/${workflow}/versions/1.1.0`)
    expect(kept.body.source).toBe(lendLaptop(workflow, '1.1.0', 10))

    // A wrong branch is said in words, and mended.
    await card.locator('.menu summary').click()
    await card.getByRole('link', { name: common['change'] ?? '' }).click()
    await dialog.locator('#branch').fill('no-such-branch')
    await dialog.getByRole('button', { name: text('keep') }).click()
    await expect(card.getByText(text('state_failing'))).toBeVisible()
    await expect(card.getByRole('alert')).toContainText('no-such-branch')
  })
}

test.describe('without JavaScript', () => {
  test('a repository is followed, looked at and left', async ({ as }) => {
    const t = words('en', 'repositories')
    const repository = Repository.make('plain')
    repository.push({ 'lend.yaml': lendLaptop('plain/lend-laptop', '1.0.0', 30) })
    const admin = await as('admin', { javaScriptEnabled: false })
    await admin.goto('/repositories?dialog=new')
    await admin.locator('#namespace').fill('plain')
    await admin.locator('#name').fill('definitions')
    await admin.locator('#url').fill(repository.url)
    await admin.locator('#account').fill(repository.account)
    await admin.locator('#password').fill(repository.password)
    await admin.getByRole('button', { name: t['keep'] ?? '' }).click()
    const card = admin.locator('.card').filter({ hasText: 'plain/definitions' })
    await expect(async () => {
      await admin.goto('/repositories')
      await expect(card.getByText(t['state_in_step'] ?? '')).toBeVisible({ timeout: 500 })
    }).toPass()
    await card.getByRole('button', { name: t['look'] ?? '' }).click()
    await expect(admin).toHaveURL(/\/repositories$/)
    await admin.goto('/repositories?dialog=delete-plain/definitions')
    await admin.getByRole('dialog').getByRole('button', { name: t['remove'] ?? '' }).click()
    await expect(admin.locator('.card').filter({ hasText: 'plain/definitions' })).toHaveCount(0)
  })
})
