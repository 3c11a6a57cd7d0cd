import { bringAxe, violations } from '../axe.ts'
import { expect, test, visit } from '../fixture.ts'
import { completedRequest } from '../onboarding.ts'

interface Value {
  total: { started: number; completed: number; savedSeconds: number }
  rows: { key: string; seesRuns: boolean; figures: { completed: number; savedSeconds: number } }[]
}

test('an operator sees what runs were worth, sorts, and goes on to them', async ({ as, rondo }) => {
  const [staff, manager, rest] = await Promise.all(['staff', 'manager', 'operator'].map((login) => rondo.rest(login)))
  if (!staff || !manager || !rest) throw new Error('nobody to act')
  await completedRequest(staff, manager)
  const { body } = await rest.get<Value>('/value?period=last-7-days')
  expect(body.total.completed).toBeGreaterThan(0)
  const onboarding = body.rows.find(({ key }) => key === 'identity/onboard-employee')
  expect(onboarding?.seesRuns).toBe(true)
  expect(onboarding?.figures.savedSeconds).toBe((onboarding?.figures.completed ?? 0) * 45 * 60)

  const operator = await as('operator')
  await visit(operator, '/value')
  await expect(operator.getByRole('heading', { level: 1, name: 'Value' })).toBeVisible()
  await operator.getByRole('link', { name: 'Last 7 days' }).click()
  await expect(operator).toHaveURL(/period=last-7-days/)
  await expect(operator.getByRole('link', { name: 'Last 7 days' })).toHaveAttribute('aria-current', 'true')
  await expect(operator.getByRole('img', { name: 'Runs that ended' })).toBeVisible()
  await operator.getByText('Values as a table').first().click()
  await expect(operator.getByRole('table', { name: 'Runs that ended' }).getByRole('columnheader', { name: 'Rejected' })).toBeVisible()
  await bringAxe(operator)
  expect(await violations(operator)).toEqual([])

  const table = operator.getByRole('table', { name: 'By workflow' })
  await table.getByRole('link', { name: 'Completed' }).click()
  await expect(operator).toHaveURL(/sort=completed/)
  await expect(table.getByRole('columnheader', { name: 'Completed' })).toHaveAttribute('aria-sort', 'ascending')
  const csv = await operator.request.get((await operator.getByRole('link', { name: 'Download CSV' }).getAttribute('href')) ?? '')
  expect(csv.headers()['content-type']).toContain('text/csv')
  expect(await csv.text()).toContain('"identity/onboard-employee"')

  await table.getByRole('row').filter({ hasText: 'identity/onboard-employee' }).getByRole('link').click()
  await expect(operator).toHaveURL(/\/runs\?workflow=identity%2Fonboard-employee/)
  await expect(operator.getByRole('row').filter({ hasText: 'R-' }).first()).toBeVisible()
  await operator.getByRole('link', { name: /identity\/onboard-employee/ }).click()
  await expect(operator).toHaveURL(/\/runs$/)
})

test('a browser in Seoul sees days of Seoul', async ({ as }) => {
  const auditor = await as('auditor', { timezoneId: 'Asia/Seoul' })
  await visit(auditor, '/value')
  await expect(auditor).toHaveURL(/zone=Asia%2FSeoul/)
  await expect(auditor.getByText('Days of the time zone Asia/Seoul')).toBeVisible()
})

test('figures are narrowed without JavaScript, in Korean', async ({ as }) => {
  const auditor = await as('auditor', { javaScriptEnabled: false, locale: 'ko-KR' })
  await auditor.goto('/value?by=team')
  await expect(auditor.getByRole('heading', { level: 1, name: '성과' })).toBeVisible()
  await auditor.getByText('날짜 지정과 필터').click()
  await auditor.locator('#from').fill('2020-01-01')
  await auditor.locator('#to').fill('2020-01-31')
  await auditor.locator('.filters__form button').click()
  await expect(auditor).toHaveURL(/by=team&from=2020-01-01&to=2020-01-31/)
  await expect(auditor.getByText('이 기간에 실행이 없습니다')).toBeVisible()
})

test('who only asks for things sees no figures', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 403/)
  const staff = await as('staff')
  await visit(staff, '/value')
  await expect(staff.getByRole('alert')).toContainText('The role operator, publisher, auditor or administrator', { ignoreCase: true })
  await expect(staff.getByRole('link', { name: 'Value', exact: true })).toHaveCount(0)
  const rest = await rondo.rest('staff')
  expect((await rest.get('/value')).status).toBe(403)
})
