import { fileURLToPath } from 'node:url'
import type { Page } from '@playwright/test'
import { expect, test, visit } from '../fixture.ts'
import type { Rest, Run } from '../rest.ts'

test.use({ serverEnvironment: { RONDO_WORKFLOWS: fileURLToPath(new URL('../workflows/trial', import.meta.url)) } })

const WORKFLOW = 'trial/open-access'

/** A run whose first stage waits for the manager, and the page of its decision. */
async function asked(staff: Rest, manager: Rest, days: number): Promise<{ run: Run; path: string }> {
  const run = await staff.launch(WORKFLOW, { days, purpose: 'Audit' })
  return { run, path: await decisionPath(manager, run, 1) }
}

/** The page of the run's n-th approval. */
async function decisionPath(rest: Rest, run: Run, number: number): Promise<string> {
  await expect.poll(async () => (await rest.approvals(run.id)).length).toBe(number)
  const pending = (await rest.approvals(run.id)).find((approval) => approval.state === 'pending')
  return `/approvals/${pending?.id}`
}

async function approve(page: Page, costCentre: string): Promise<void> {
  await page.getByLabel('Cost centre').fill(costCentre)
  await page.getByRole('button', { name: 'Approve' }).click()
  await expect(page.getByText('You approved. Your decision is recorded.')).toBeVisible()
}

test('two stages, a question, changes by the requester, and both versions side by side', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 422/)
  const [staffRest, managerRest] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const { run, path } = await asked(staffRest, managerRest, 30)
  const [staff, manager, operator] = await Promise.all([as('staff'), as('manager'), as('operator')])

  await visit(manager, path)
  const main = manager.getByRole('main')
  await expect(main).toContainText('1. Line')
  await expect(main).toContainText('2. Operations')
  await expect(main).toContainText('comes later')
  await manager.getByLabel('Your question').fill('Why a whole month?')
  await manager.getByRole('button', { name: 'Ask', exact: true }).click()
  await expect(main.getByText('Why a whole month?')).toBeVisible()

  await visit(staff, path)
  await staff.getByLabel('Your answer').fill('The auditors come in week four.')
  await staff.getByRole('button', { name: 'Answer' }).click()
  await expect(manager.getByText('The auditors come in week four.')).toBeVisible()

  await manager.getByLabel('Cost centre').fill('x')
  await manager.getByRole('button', { name: 'Approve' }).click()
  await expect(manager.getByLabel('Cost centre')).toHaveAccessibleDescription(/at least 2/)
  await approve(manager, 'C-1')

  await visit(operator, path)
  await expect(operator.getByRole('main')).toContainText('C-1')
  const decision = operator.locator('form', { has: operator.getByRole('button', { name: 'Ask for changes' }) })
  await decision.getByLabel('Reason').fill('Two weeks are enough.')
  await operator.getByRole('button', { name: 'Ask for changes' }).click()
  await expect(operator.getByText('Back with the requester', { exact: true })).toBeVisible()

  await expect(staff.getByText('You are asked to change your request')).toBeVisible()
  await staff.getByRole('link', { name: 'Change and send again' }).click()
  await expect(staff.getByLabel('Purpose')).toHaveValue('Audit')
  await staff.getByLabel('Days').fill('14')
  await staff.getByRole('button', { name: 'Review' }).click()
  await staff.getByRole('button', { name: 'Send request' }).click()
  await expect(staff).toHaveURL(new RegExp(`/runs/${run.number}$`))

  const again = await decisionPath(managerRest, run, 2)
  await visit(manager, again)
  await expect(main).toContainText('What has changed')
  await expect(main.locator('.versions__one').first()).toContainText('30')
  await expect(main.locator('.versions__one').last()).toContainText('14')
  await expect(main).toContainText('Two weeks are enough.')
  await expect(main).toContainText('The auditors come in week four.')
  await approve(manager, 'C-1')
  await visit(operator, again)
  await approve(operator, 'C-2')
  await expect.poll(async () => (await staffRest.run(run.id)).status).toBe('completed')
})

test('an approver permits less, without JavaScript', async ({ as, rondo }) => {
  const [staffRest, managerRest] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const { run, path } = await asked(staffRest, managerRest, 30)
  const manager = await as('manager', { javaScriptEnabled: false })
  await manager.goto(path)
  const card = manager.locator('section.card', { hasText: 'Permit less' })
  await card.getByLabel('Days').fill('7')
  await card.getByLabel('Reason').fill('A week will do.')
  await card.getByRole('button', { name: 'Ask about this instead' }).click()
  await expect(manager.getByText('You permitted less.')).toBeVisible()
  await manager.goto(await decisionPath(managerRest, run, 2))
  await expect(manager.locator('.versions__one').last()).toContainText('7')
  await manager.getByLabel('Cost centre').fill('C-1')
  await manager.getByRole('button', { name: 'Approve' }).click()
  await expect(manager.getByText('You approved.')).toBeVisible()
})

test('a request that came back is changed and sent again without JavaScript, in Korean', async ({ as, rondo }) => {
  const [staffRest, managerRest] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const { run, path } = await asked(staffRest, managerRest, 30)
  const [approval] = await managerRest.approvals(run.id)
  if (!approval) throw new Error('nobody was asked')
  expect((await managerRest.decide(approval, 'request-changes', '기간이 너무 깁니다')).status).toBe(201)
  const staff = await as('staff', { javaScriptEnabled: false, locale: 'ko-KR' })
  await staff.goto(path)
  await expect(staff.getByText('요청 내용을 수정해 주십시오')).toBeVisible()
  await staff.getByRole('link', { name: '수정하여 다시 보내기' }).click()
  await staff.getByLabel('Days').fill('3')
  await staff.getByRole('button', { name: '검토' }).click()
  await staff.getByRole('button', { name: '요청 보내기' }).click()
  await expect(staff).toHaveURL(new RegExp(`/runs/${run.number}$`))
  await staff.goto(await decisionPath(managerRest, run, 2))
  await expect(staff.getByText('변경 내용')).toBeVisible()
})
