import { type AddressInfo, createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import type { Page } from '@playwright/test'
import { expect, test, visit } from '../fixture.ts'
import { waitingRequest } from '../onboarding.ts'
import type { Rest, Run } from '../rest.ts'

test.use({ serverEnvironment: { RONDO_WORKFLOWS: fileURLToPath(new URL('../workflows/trial', import.meta.url)) } })

interface Task {
  name: string
  status: string
  occurrence: number
  input: unknown
  rawInput: unknown
  output: unknown
}

const story = (page: Page, words: string | RegExp) => page.getByRole('status').filter({ hasText: words })

async function hasStatus(rest: Rest, run: Run, status: string): Promise<void> {
  await expect.poll(async () => (await rest.run(run.id)).status, { timeout: 30_000 }).toBe(status)
}

async function tasks(rest: Rest, run: Run): Promise<Task[]> {
  return (await rest.get<{ items: Task[] }>(`/runs/${run.id}/tasks`)).body.items
}

/** A run that has failed because the sign-in name `staff` is taken. */
async function failedRun(staff: Rest): Promise<Run> {
  const run = await staff.launch('trial/make-guest', { guest: { login: 'staff' } })
  await hasStatus(staff, run, 'faulted')
  return run
}

test('a failed step is skipped with a reason, and the run completes', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 422/)
  const staff = await rondo.rest('staff')
  const run = await failedRun(staff)
  const page = await as('operator')
  await visit(page, `/runs/${run.number}`)
  await expect(story(page, 'Create the guest account failed')).toContainText('It exists already')
  await page.getByRole('link', { name: 'Skip this step' }).click()
  const dialog = page.getByRole('dialog', { name: 'Skip this step' })
  await dialog.getByLabel('Reason').fill('The account was made by hand.')
  await dialog.getByLabel('Output').fill('{not json')
  await dialog.getByRole('button', { name: 'Skip this step' }).click()
  await expect(dialog.getByLabel('Output')).toHaveAttribute('aria-invalid', 'true')
  await expect(dialog.getByLabel('Reason')).toHaveValue('The account was made by hand.')
  await dialog.getByLabel('Output').fill('{"login": "guest1"}')
  await dialog.getByRole('button', { name: 'Skip this step' }).click()
  await expect(dialog).toBeHidden()
  await expect(story(page, /^Completed/)).toBeVisible({ timeout: 30_000 })
  const timeline = page.getByRole('list', { name: 'Timeline' })
  await expect(timeline.getByRole('listitem').filter({ hasText: 'Create the guest account' })).toContainText('Skipped')
  await visit(page, `/runs/${run.number}?tab=journal`)
  await expect(page.getByRole('main')).toContainText('Step skipped by an operator')

  const auditor = await as('auditor')
  await visit(auditor, '/audit?action=run.skip')
  await expect(auditor.getByRole('listitem').filter({ hasText: 'Omar Operator' }).first()).toBeVisible()
})

test('what became of a step whose answer was lost is noted, and the run goes on', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 422/)
  // Takes what is sent, and never says what it did with it.
  const service = createServer((connection) => connection.once('data', () => connection.destroy()))
  await new Promise<void>((listening) => service.listen(0, '127.0.0.1', listening))
  try {
    const staff = await rondo.rest('staff')
    const run = await staff.launch('trial/report-outside', { port: (service.address() as AddressInfo).port })
    const page = await as('operator')
    await visit(page, `/runs/${run.number}`)
    await page.getByRole('link', { name: 'Note the outcome' }).click({ timeout: 30_000 })
    const dialog = page.getByRole('dialog', { name: 'Note the outcome' })
    await dialog.getByLabel('Done').check()
    const detail = dialog.getByLabel('Output or reason')
    await detail.fill('{"ticket": 7')
    // News of the run comes while somebody types.
    const event = { 'ce-specversion': '1.0', 'ce-id': 'news', 'ce-source': '/trial', 'ce-type': 'trial.noticed' }
    expect((await (await rondo.rest('operator')).post('/events', {}, event)).status).toBe(202)
    await expect.poll(async () => (await tasks(staff, run)).find((task) => task.name === 'notice')?.status).toBe('completed')
    await expect(detail).toHaveValue('{"ticket": 7')
    await dialog.getByRole('button', { name: 'Note the outcome' }).click()
    await expect(detail).toHaveAttribute('aria-invalid', 'true')
    await detail.fill('{"ticket": 7}')
    await dialog.getByRole('button', { name: 'Note the outcome' }).click()
    await expect(dialog).toBeHidden()
    await expect(story(page, /^Completed/)).toBeVisible({ timeout: 30_000 })
    const report = (await tasks(staff, run)).find((task) => task.name === 'report')
    expect(report?.output).toEqual({ ticket: 7 })
  } finally {
    service.close()
  }
})

test('a run goes on from a step with the input that the step was given', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 422/)
  const staff = await rondo.rest('staff')
  const run = await failedRun(staff)
  const page = await as('operator')
  await visit(page, `/runs/${run.number}`)
  await page.getByRole('link', { name: 'Go on from here with another input' }).click()
  const dialog = page.getByRole('dialog', { name: 'Go on from here with another input' })
  const input = dialog.getByLabel('Input')
  // Not what `input.from` made of it: the step makes that again.
  await expect(input).toHaveValue(/"prepared": true/)
  const given = JSON.parse(await input.inputValue())
  expect(given).toEqual({ guest: { login: 'staff' }, prepared: true })
  await dialog.getByLabel('Reason').fill('The name was taken.')
  await input.fill(JSON.stringify({ ...given, guest: { login: 'guest2' } }))
  await dialog.getByRole('button', { name: 'Go on from here' }).click()
  await expect(dialog).toBeHidden()
  await expect(story(page, /^Completed/)).toBeVisible({ timeout: 30_000 })
  const created = (await tasks(await rondo.rest('operator'), run)).filter((task) => task.name === 'createGuest')
  expect(created.map(({ status, input }) => [status, input])).toEqual([
    ['faulted', { login: 'staff' }],
    ['completed', { login: 'guest2' }],
  ])
})

test('what an operator may change is told to operators alone', async ({ rondo }) => {
  const [staff, operator] = await Promise.all([rondo.rest('staff'), rondo.rest('operator')])
  const run = await failedRun(staff)
  const rawInput = async (rest: Rest) => (await tasks(rest, run)).find((task) => task.name === 'createGuest')?.rawInput
  expect(await rawInput(operator)).toEqual({ guest: { login: 'staff' }, prepared: true })
  expect(await rawInput(staff)).toBeNull()
})

test('an approval is not skipped, and the page says why', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 409/)
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const { run } = await waitingRequest(staff, manager)
  const page = await as('operator')
  await visit(page, `/runs/${run.number}`)
  await page.getByRole('link', { name: 'Skip this step' }).click()
  const dialog = page.getByRole('dialog', { name: 'Skip this step' })
  await dialog.getByLabel('Reason').fill('In a hurry.')
  await dialog.getByRole('button', { name: 'Skip this step' }).click()
  await expect(dialog.getByText('This step cannot be skipped')).toBeVisible()
  await expect(dialog.getByText('A decision rests on it.')).toBeVisible()
  await expect(dialog.getByLabel('Reason')).toHaveValue('In a hurry.')
  await hasStatus(staff, run, 'waiting')

  const asker = await as('staff')
  await visit(asker, `/runs/${run.number}`)
  await expect(asker.getByRole('link', { name: 'Skip this step' })).toHaveCount(0)
})

test('a run that waits for its turn says so, and goes on when it comes', async ({ as, rondo }) => {
  const [staff, operator] = await Promise.all([rondo.rest('staff'), rondo.rest('operator')])
  const first = await staff.launch('trial/take-turns', {})
  await hasStatus(staff, first, 'waiting')
  const second = await staff.launch('trial/take-turns', {})
  const page = await as('staff')
  await visit(page, `/runs/${second.number}`)
  await expect(story(page, 'It waits for its turn: no more runs of this workflow may be executed now.')).toBeVisible()
  const korean = await as('staff', { locale: 'ko' })
  await visit(korean, `/runs/${second.number}`)
  await expect(story(korean, '이 워크플로는 지금 더 실행할 수 없어 차례를 기다립니다.')).toBeVisible()

  await operator.post(`/runs/${first.id}/cancel`, { reason: 'The next may come.' })
  await expect(story(page, 'Waiting at Hold the place')).toBeVisible({ timeout: 30_000 })
  await operator.post(`/runs/${second.id}/cancel`, {})
  await hasStatus(staff, second, 'cancelled')
})

test('a secret goes in by the page, serves a workflow and is never seen again', async ({ as, rondo }) => {
  const code = 'canary-that-sings-5f20'
  const [staff, operator, administrator, auditor] = await Promise.all(
    ['staff', 'operator', 'admin', 'auditor'].map((login) => rondo.rest(login)),
  ) as [Rest, Rest, Rest, Rest]
  const missing = await staff.post<{ code: string }>('/workflows/trial/tell-code/runs', { input: {} })
  expect(missing.body.code).toBe('secret-missing')

  const page = await as('admin')
  await visit(page, '/admin/connections')
  await page.getByRole('link', { name: 'New secret' }).click()
  const dialog = page.getByRole('dialog', { name: 'New secret' })
  await dialog.getByLabel('Namespace').fill('trial')
  await dialog.getByLabel('Name', { exact: true }).fill('door-code')
  await dialog.getByLabel('Value').fill(code)
  await dialog.getByRole('button', { name: 'Save' }).click()
  await expect(dialog).toBeHidden()
  await expect(page.getByRole('listitem').filter({ hasText: 'trial/door-code' })).toContainText('Ana Admin')
  const seen = [await page.content()]
  await page.getByRole('link', { name: 'New secret' }).click()
  await expect(dialog.getByLabel('Value')).toHaveValue('')

  const run = await staff.launch('trial/tell-code', {})
  await hasStatus(staff, run, 'completed')
  expect((await rondo.mails()).some((mail) => mail.includes(code))).toBe(true)

  for (const path of ['', '/tasks', '/journal', '/logs']) {
    seen.push(JSON.stringify((await operator.get(`/runs/${run.id}${path}`)).body))
  }
  seen.push(JSON.stringify((await administrator.get('/secrets')).body))
  const entries = await auditor.get<{ items: { action: string }[] }>('/audit/entries?limit=200')
  expect(entries.body.items.map((entry) => entry.action)).toContain('secret.update')
  seen.push(JSON.stringify(entries.body), rondo.output)
  const watcher = await as('operator')
  for (const part of ['', '?task=%2Fdo%2F0%2Ftell', '?tab=log', '?tab=journal']) {
    await visit(watcher, `/runs/${run.number}${part}`)
    seen.push(await watcher.content())
  }
  for (const text of seen) expect(text).not.toContain(code)
})
