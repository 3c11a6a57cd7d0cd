import { bringAxe, violations } from '../axe.ts'
import { expect, test, visit } from '../fixture.ts'
import { completedRequest } from '../onboarding.ts'
import type { Page as List } from '../rest.ts'

interface Entry {
  seq: number
  resourceId: string
  detail: { from?: string; to?: string }
}

test('an auditor asks a question, reads and copies it, and has it answered every week', async ({ as, rondo }) => {
  const [staff, manager, log] = await Promise.all(['staff', 'manager', 'auditor'].map((login) => rondo.rest(login)))
  if (!staff || !manager || !log) throw new Error('nobody to act')
  const run = await completedRequest(staff, manager)
  const auditor = await as('auditor')
  await visit(auditor, '/audit')
  await auditor.getByRole('link', { name: 'Questions', exact: true }).click()
  await expect(auditor.getByRole('heading', { level: 1, name: 'Questions' })).toBeVisible()
  await expect(auditor.getByRole('listitem').filter({ hasText: 'Failed sign-ins by address' })).toBeVisible()
  await auditor.getByRole('link', { name: /Decisions faster than a minute/ }).click()
  await expect(auditor.getByRole('heading', { level: 1, name: 'Decisions faster than a minute' })).toBeVisible()
  const row = auditor.getByRole('row').filter({ hasText: `R-${run.number}` })
  await expect(row).toContainText('manager')
  await expect(row).toContainText('approve')
  await expect(auditor.getByRole('region', { name: 'Query' })).toContainText('WITH asked AS')
  await bringAxe(auditor)
  expect(await violations(auditor)).toEqual([])

  const csv = await auditor.request.get((await auditor.getByRole('link', { name: 'Download CSV' }).getAttribute('href')) ?? '')
  expect(csv.headers()['content-type']).toContain('text/csv')
  expect(await csv.text()).toContain(`"manager","approve"`)

  await auditor.getByLabel('How often').selectOption('week')
  await auditor.getByRole('button', { name: 'Save' }).click()
  await expect(auditor.getByText(/^Next time:/)).toBeVisible()
  await auditor.getByRole('link', { name: 'All questions' }).click()
  const followed = auditor.getByRole('listitem').filter({ hasText: 'Decisions faster than a minute' })
  await expect(followed.getByText('Followed', { exact: true })).toBeVisible()

  await followed.getByRole('link').click()
  await row.getByRole('link', { name: /^#\d+$/ }).click()
  await expect(auditor.getByRole('listitem').filter({ hasText: 'Mina Manager' }).first()).toBeVisible()

  await visit(auditor, '/audit/questions/decisions-within-a-minute?from=2020-01-01&to=2020-01-31')
  await expect(auditor.getByText('Nothing found in this period')).toBeVisible()
  const { body } = await log.get<List<Entry>>('/audit/entries?action=audit.read&resource=decisions-within-a-minute')
  expect(body.items[0]?.detail).toEqual({ from: '2020-01-01T00:00:00.000000Z', to: '2020-02-01T00:00:00.000000Z' })
})

test('questions are asked and followed without JavaScript, in Korean', async ({ as }) => {
  const auditor = await as('auditor', { javaScriptEnabled: false, locale: 'ko-KR' })
  await auditor.goto('/audit/questions')
  await auditor.getByRole('link', { name: /비상 권한 사용과 검토/ }).click()
  await expect(auditor.getByText('이 기간에는 해당 사항이 없습니다')).toBeVisible()
  await auditor.getByLabel('주기').selectOption('day')
  await auditor.getByRole('button', { name: '저장' }).click()
  await expect(auditor.getByText(/^다음 예정:/)).toBeVisible()
  await auditor.locator('#from').fill('2026-01-01')
  await auditor.locator('#to').fill('2026-01-31')
  await auditor.locator('.filters__form button').click()
  await expect(auditor).toHaveURL(/\/audit\/questions\/emergency-access\?from=2026-01-01&to=2026-01-31$/)
  await auditor.getByLabel('주기').selectOption('')
  await auditor.getByRole('button', { name: '저장' }).click()
  await expect(auditor.getByText(/^다음 예정:/)).toHaveCount(0)
})

test('only who reads the log asks questions about it', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 403/)
  const staff = await as('staff')
  await visit(staff, '/audit/questions/failed-sign-ins')
  await expect(staff.getByRole('alert')).toContainText('The role auditor everywhere', { ignoreCase: true })
  const rest = await rondo.rest('staff')
  expect((await rest.get('/audit/questions')).status).toBe(403)
})
