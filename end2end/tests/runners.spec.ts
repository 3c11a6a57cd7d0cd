import { expect, test, visit } from '../fixture.ts'
import { Rest } from '../rest.ts'

test('the page of runners follows what they do, and asks before it changes anything', async ({ as, rondo }) => {
  const rest = await rondo.rest('admin')
  const admin = await as('admin')
  await visit(admin, '/admin/runners')
  await expect(admin.getByRole('main')).toContainText('No runner is enrolled')
  const enrolled = await rest.post<{ token: string }>('/runners', { name: 'dmz-1', labels: ['dmz'], namespaces: ['*'] })
  const row = admin.getByRole('listitem').filter({ hasText: 'dmz-1' })
  await expect(row).toContainText('Never heard of')
  const hello = { protocol: 1, instance: 'one', version: '9.9.9', capacity: 4 }
  const session = await new Rest(rondo.url, enrolled.body.token).post('/runner/session', hello)
  expect(session.status).toBe(200)
  await expect(row).toContainText('At work')
  await expect(row).toContainText('0 of 4 tasks')

  await row.getByLabel('Actions for dmz-1').click()
  await row.getByRole('link', { name: 'Drain' }).click()
  const dialog = admin.getByRole('dialog', { name: 'Drain: dmz-1' })
  await expect(dialog).toContainText('It takes no more tasks')
  await dialog.getByRole('button', { name: 'Drain' }).click()
  await expect(dialog).toBeHidden()
  await expect(row).toContainText('Drained')
  await rest.delete('/runners/dmz-1')
  await expect(admin.getByRole('main')).toContainText('No runner is enrolled')
})
