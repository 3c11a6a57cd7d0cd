import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import type { Page } from '@playwright/test'
import { demoPassword, expect, test, visit } from '../fixture.ts'
import { waitingRequest } from '../onboarding.ts'
import type { Approval, Rest } from '../rest.ts'

/** Where the mail server of `scripts/with-services` is. */
const smtp = (what: 'PORT' | 'USER' | 'PASSWORD' | 'CA' | 'HTTP'): string => process.env[`TEST_SMTP_${what}`] ?? ''

test.use({
  serverEnvironment: {
    RONDO_WORKFLOWS: fileURLToPath(new URL('../workflows/trial', import.meta.url)),
    ...(smtp('PORT')
      ? {
          RONDO_MAIL_HOST: '127.0.0.1',
          RONDO_MAIL_PORT: smtp('PORT'),
          RONDO_MAIL_USER: smtp('USER'),
          RONDO_MAIL_PASSWORD: smtp('PASSWORD'),
          RONDO_MAIL_AUTHORITY: smtp('CA'),
          RONDO_MAIL_FROM: 'Rondo <rondo@example.test>',
        }
      : {}),
  },
})

/** The texts of the mails that the mail server beside these tests has taken for somebody, oldest first. */
async function mailsTo(address: string): Promise<string[]> {
  const mails = (await (await fetch(smtp('HTTP'))).json()) as { to: string[]; text: string }[]
  return mails.filter(({ to }) => to.includes(address)).map(({ text }) => text)
}

/** A request to wipe a device, which is of high risk, with its approval as the manager sees it. */
async function wiping(staff: Rest, manager: Rest, device: string): Promise<Approval> {
  const run = await staff.launch('trial/wipe-device', { device })
  await expect.poll(async () => (await manager.approvals(run.id)).length).toBe(1)
  const [approval] = await manager.approvals(run.id)
  if (!approval) throw new Error('nobody was asked')
  return approval
}

async function state(rest: Rest, approval: Approval): Promise<string> {
  return (await rest.get<Approval>(`/approvals/${approval.id}`)).body.state
}

/** The entry of the queue that has the focus. */
function focused(page: Page): Promise<string | null> {
  return page.evaluate(() => document.activeElement?.getAttribute('href') ?? null)
}

test('the queue is worked through with the keyboard alone', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 422/)
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  for (let request = 0; request < 3; request += 1) await waitingRequest(staff, manager)
  const page = await as('manager')
  await visit(page, '/approvals')
  const queue = page.getByRole('navigation', { name: 'Queue of decisions' })
  const open = queue.locator('[aria-current]')
  const rows = await queue.getByRole('link').evaluateAll((links) => links.map((link) => link.getAttribute('href') ?? ''))
  const [first, second, third] = rows as [string, string, string]

  await page.keyboard.press('j')
  await expect(open).toHaveAttribute('href', second)
  await expect.poll(() => focused(page)).toBe(second)
  const outline = await open.evaluate((entry) => getComputedStyle(entry).outlineStyle)
  expect(outline, 'the focus can be seen').not.toBe('none')
  await expect(page.getByRole('status').filter({ hasText: '2 of 3' })).toHaveText(/Onboard an employee/)
  await page.keyboard.press('ArrowDown')
  await expect(open).toHaveAttribute('href', third)
  await expect.poll(() => focused(page)).toBe(third)
  await page.keyboard.press('ArrowUp')
  await expect(open).toHaveAttribute('href', second)
  await page.keyboard.press('k')
  await expect(open).toHaveAttribute('href', first)

  await page.keyboard.press('r')
  const reject = page.getByRole('dialog', { name: 'Reject' })
  const reason = reject.getByLabel('Reason')
  await expect(reason).toBeFocused()
  await expect(reject.locator('.digest--whole')).toHaveText(/^[0-9a-f]{64}$/)
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await expect(reason).toHaveAccessibleDescription(/Fill in this field/)
  await expect(reason).toBeFocused()
  // Letters that are keys elsewhere are letters here.
  await page.keyboard.type('jkarx? not now')
  await expect(reason).toHaveValue('jkarx? not now')
  await page.keyboard.press('Escape')
  await expect(reject).toBeHidden()

  await page.keyboard.press('a')
  const approve = page.getByRole('dialog', { name: 'Approve' })
  await expect(approve.getByLabel('Comment')).toBeFocused()
  await page.keyboard.type('fine')
  await page.keyboard.press('Tab')
  await page.keyboard.press('Enter')
  await expect(page.getByText('You approved. Your decision is recorded.')).toBeVisible()
  await expect(approve).toBeHidden()
  expect((await manager.get<{ decisions: { comment: string }[] }>(first.replace(/\?.*/, ''))).body.decisions[0]?.comment).toBe('fine')
})

test('several are decided at once, each with its reason and its answer', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 422/)
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const asked: Approval[] = []
  for (let request = 0; request < 3; request += 1) asked.push((await waitingRequest(staff, manager)).approval)
  const grave = await wiping(staff, manager, 'L-1')
  const [one, two, gone] = asked as [Approval, Approval, Approval]
  const page = await as('manager')
  await visit(page, `/approvals/${one.id}`)
  const choose = (approval: Approval) => page.locator(`#choose-${approval.id}`)
  await page.keyboard.press('x')
  await expect(choose(one)).toBeChecked()
  for (const approval of [two, gone, grave]) await choose(approval).check()
  await expect(page.getByText('4 chosen')).toBeVisible()
  await page.getByRole('button', { name: 'Decide about the chosen' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Decide about the chosen' })).toBeVisible()
  const card = (approval: Approval) => page.locator('section.card', { has: page.locator(`a[href="/approvals/${approval.id}"]`) })
  await expect(card(grave)).toContainText('It needs your password again')
  await expect(card(grave).getByRole('combobox')).toHaveCount(0)

  await card(one).getByLabel('Your decision').selectOption('approve')
  await card(two).getByLabel('Your decision').selectOption('reject')
  await card(gone).getByLabel('Your decision').selectOption('approve')
  await page.getByRole('button', { name: 'Decide', exact: true }).click()
  await expect(card(two).getByLabel('Reason')).toHaveAccessibleDescription(/Fill in this field/)
  expect(await state(manager, one), 'nothing is decided while a reason is missing').toBe('pending')
  await page.getByLabel('Reason', { exact: true }).first().fill('Ask again in April.')
  expect((await staff.post(`/runs/${gone.run}/cancel`, {})).status).toBe(200)
  await expect.poll(() => state(manager, gone)).toBe('void')
  await page.getByRole('button', { name: 'Decide', exact: true }).click()
  await expect(page.getByText('Decided by you: 2 of 4')).toBeVisible()
  await expect(card(one)).toContainText('You approved.')
  await expect(card(two)).toContainText('You rejected.')
  await expect(card(gone)).toContainText('The decision has been taken')
  expect(await Promise.all([one, two, grave].map((approval) => state(manager, approval)))).toEqual(['approved', 'rejected', 'pending'])
  const said = await manager.get<{ decisions: { comment: string }[] }>(`/approvals/${two.id}`)
  expect(said.body.decisions[0]?.comment).toBe('Ask again in April.')
})

test('several are decided at once without JavaScript, in Korean', async ({ as, rondo }) => {
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const asked: Approval[] = []
  for (let request = 0; request < 2; request += 1) asked.push((await waitingRequest(staff, manager)).approval)
  const page = await as('manager', { javaScriptEnabled: false, locale: 'ko-KR' })
  await page.goto('/approvals')
  for (const approval of asked) await page.locator(`#choose-${approval.id}`).check()
  await page.getByRole('button', { name: '선택한 항목 결정' }).click()
  await expect(page.getByRole('heading', { level: 1, name: '선택한 항목 결정' })).toBeVisible()
  const [one, two] = asked as [Approval, Approval]
  await page.locator(`#decision-${one.id}`).selectOption('approve')
  await page.locator(`#decision-${two.id}`).selectOption('reject')
  await page.locator(`#comment-${two.id}`).fill('자리가 없습니다')
  await page.getByRole('button', { name: '결정', exact: true }).click()
  await expect(page.getByText('내가 결정한 항목: 2건 중 2건')).toBeVisible()
  expect([await state(manager, one), await state(manager, two)]).toEqual(['approved', 'rejected'])
})

test('what can do much harm is decided with the password again, which counts for a while', async ({ as, rondo, tolerate }) => {
  tolerate(/status of (403|422)/)
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const [one, two] = [await wiping(staff, manager, 'L-2'), await wiping(staff, manager, 'L-3')]
  const refused = await manager.decide(one, 'approve')
  expect([refused.status, refused.body.code]).toEqual([403, 'step-up-required'])
  const page = await as('manager')
  await visit(page, `/approvals/${one.id}`)
  const approve = page.locator('.decide__way--approve')
  await approve.getByLabel('Comment').fill('It was lost.')
  await approve.getByLabel('Password').fill('wrong')
  await approve.getByRole('button', { name: 'Approve' }).click()
  await expect(approve.getByLabel('Password')).toHaveAccessibleDescription(/This is not your password/)
  await expect(approve.getByLabel('Comment')).toHaveValue('It was lost.')
  await approve.getByLabel('Password').fill(demoPassword('manager'))
  await approve.getByRole('button', { name: 'Approve' }).click()
  await expect(page.getByText('You approved. Your decision is recorded.')).toBeVisible()

  await visit(page, `/approvals/${two.id}`)
  await expect(approve.getByRole('button', { name: 'Approve' })).toBeVisible()
  await expect(page.getByLabel('Password')).toHaveCount(0)
  await approve.getByRole('button', { name: 'Approve' }).click()
  await expect(page.getByText('You approved. Your decision is recorded.')).toBeVisible()
})

test('the password is given again without JavaScript', async ({ as, rondo }) => {
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const approval = await wiping(staff, manager, 'L-4')
  const page = await as('manager', { javaScriptEnabled: false })
  await page.goto(`/approvals/${approval.id}`)
  const approve = page.locator('.decide__way--approve')
  await approve.getByLabel('Password').fill('wrong')
  await approve.getByRole('button', { name: 'Approve' }).click()
  await expect(approve.getByLabel('Password')).toHaveAccessibleDescription(/This is not your password/)
  await approve.getByLabel('Password').fill(demoPassword('manager'))
  await approve.getByRole('button', { name: 'Approve' }).click()
  await expect(page.getByText('You approved.')).toBeVisible()
})

test('a mail leads to the decision, once and only the person whom it was sent to', async ({ as, visitor, rondo, tolerate }) => {
  test.skip(!smtp('PORT'), 'without a mail server no mails are sent')
  tolerate(/status of (409|410)/)
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const { approval, run } = await waitingRequest(staff, manager)
  const about = async () => (await mailsTo('manager@example.test')).find((text) => text.includes(`R-${run.number})`) && text.includes(rondo.url))
  await expect.poll(about, { timeout: 20_000 }).toBeTruthy()
  const links = [...((await about()) ?? '').matchAll(/\/decide\/\S+/g)].map(([path]) => path)
  expect(links.map((path) => new URL(path, 'http://rondo').searchParams.get('choice'))).toEqual(['approve', 'reject'])
  const reject = links[1] ?? ''

  const page = await visitor()
  await page.goto(reject)
  await expect(page).toHaveURL(/\/sign-in\?next=/)
  await page.getByLabel('Sign-in name').fill('manager')
  await page.getByLabel('Password', { exact: true }).fill(demoPassword('manager'))
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'A decision is asked of you' })).toBeVisible()
  await expect(page.getByRole('radio', { name: 'Reject' })).toBeChecked()
  expect(await state(manager, approval), 'opening decides nothing').toBe('pending')
  for (const width of [1280, 390]) {
    await page.setViewportSize({ width, height: 844 })
    await page.evaluate(axe.source)
    const { violations } = await page.evaluate(() => axe.run(document))
    expect.soft(violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.target.join(' ')).join(', ')}`)).toEqual([])
    await page.screenshot({ path: fileURLToPath(new URL(`../screenshots/decide-link-${width}.png`, import.meta.url)), fullPage: true })
  }
  const other = await as('operator')
  await visit(other, reject)
  await expect(other.getByText('The link is not valid any more')).toBeVisible()

  await page.getByLabel('Reason').fill('There is no desk free.')
  await page.getByRole('button', { name: 'Confirm the decision' }).click()
  await expect(page.getByText('You rejected.')).toBeVisible()
  expect(await state(manager, approval)).toBe('rejected')
  await visit(page, links[0] ?? '')
  await expect(page.getByText('this link is used')).toBeVisible()
})
