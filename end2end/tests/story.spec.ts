import { readFile, writeFile } from 'node:fs/promises'
import PostalMime from 'postal-mime'
import { alive, expect, test, visit } from '../fixture.ts'
import { fillIn, newcomer } from '../onboarding.ts'
import type { Page as List, AuditEntry } from '../rest.ts'

// One story in chapters: each goes on where the one before ended.
test.describe.configure({ mode: 'serial' })

const person = newcomer({ givenName: 'Zoë', familyName: 'Østergård', privateEmail: 'zoe@example.test' })
const NEW_PASSWORD = 'quiet rivers run deep'
let runPath = ''
let approvalPath = ''
let login = ''

test('staff asks for an account and is told what is missing, then what will happen', async ({ as, rondo }) => {
  const staff = await as('staff')
  await visit(staff, '/catalogue')
  await staff.getByRole('searchbox', { name: 'Search the catalogue' }).fill('employee')
  await expect(staff).toHaveURL(/q=employee/)
  await staff.getByRole('link', { name: 'Onboard an employee' }).click()
  await expect(staff.getByRole('heading', { level: 1, name: 'Onboard an employee' })).toBeVisible()
  await staff.getByRole('link', { name: 'Request', exact: true }).click()

  await staff.getByRole('button', { name: 'Review' }).click()
  const summary = staff.getByRole('alert')
  await expect(summary).toContainText('6 fields need your attention')
  await expect(summary).toBeFocused()
  await expect(staff.getByLabel('Given name')).toHaveAccessibleDescription(/Fill in this field/)
  await staff.getByLabel('Private mail address').fill('not a mail address')
  await staff.getByLabel('Job title').focus()
  await expect(staff.getByLabel('Private mail address')).toHaveAccessibleDescription(/Use a mail address/)

  await fillIn(staff, person)
  await staff.getByRole('radio', { name: 'Fixed term' }).check()
  await expect(staff.getByLabel('Last day')).toBeVisible()
  await staff.getByRole('radio', { name: 'Permanent' }).check()
  await expect(staff.getByLabel('Last day')).toBeHidden()
  await staff.getByRole('button', { name: 'Review' }).click()

  await expect(staff.getByRole('heading', { level: 1, name: 'Review: Onboard an employee' })).toBeVisible()
  const main = staff.getByRole('main')
  await expect(main).toContainText('What will happen')
  await expect(main).toContainText('Mina Manager')
  await expect(main).toContainText('Create the account')
  await expect(main).toContainText('Østergård')
  await staff.getByRole('button', { name: 'Send request' }).click()

  await expect(staff).toHaveURL(/\/runs\/\d+$/)
  await expect(staff.getByRole('status').filter({ hasText: 'Waiting for a decision by Mina Manager' })).toBeVisible()
  runPath = new URL(staff.url()).pathname
  const run = await (await rondo.rest('staff')).run(runPath.split('/').at(-1) ?? '')
  const [approval] = await (await rondo.rest('manager')).approvals(run.id)
  approvalPath = `/approvals/${approval?.id}`
})

test('staff cannot decide on the own request, by no door', async ({ as, rondo }) => {
  const staff = await as('staff')
  await visit(staff, approvalPath)
  await expect(staff.getByText('You cannot decide on your own request')).toBeVisible()
  await expect(staff.getByRole('button', { name: 'Approve' })).toHaveCount(0)

  const rest = await rondo.rest('staff')
  const run = await rest.run(runPath.split('/').at(-1) ?? '')
  const [approval] = await (await rondo.rest('manager')).approvals(run.id)
  if (!approval) throw new Error('there is no approval')
  const refusal = await rest.decide(approval, 'approve')
  expect(refusal.status).toBe(403)
  expect(refusal.body.code).toBe('own-request')
})

test('the manager approves, and two browsers see the run end by themselves', async ({ as }) => {
  const [staff, operator, manager] = await Promise.all([as('staff'), as('operator'), as('manager')])
  await visit(staff, runPath)
  await visit(operator, runPath)
  await visit(manager, '/')
  await expect(manager.getByRole('link', { name: /decisions? waits? for you/ }).first()).toBeVisible()
  await manager.getByRole('main').getByRole('link', { name: /Onboard an employee.*Zoë Østergård/ }).click()
  await expect(manager).toHaveURL(approvalPath)
  await expect(manager.getByText('Sam Staff asks: Account for Zoë Østergård')).toBeVisible()
  await expect(manager.getByText('zoe@example.test')).toBeVisible()
  await manager.getByRole('button', { name: 'Approve' }).click()
  await expect(manager.getByText('You approved. Your decision is recorded.')).toBeVisible()

  for (const page of [staff, operator]) {
    await expect(page.getByRole('status').filter({ hasText: /^Completed/ })).toBeVisible({ timeout: 30_000 })
    await expect(page.getByRole('list', { name: 'Timeline' })).toContainText('Mail the link')
  }
})

test('the new person sets a password by the mailed link and signs in', async ({ visitor, rondo, tolerate }) => {
  const letters = await Promise.all((await rondo.mails()).map((mail) => PostalMime.parse(mail)))
  const welcome = letters.find((letter) => letter.to?.some((to) => to.address === person.privateEmail))
  login = /Your sign-in name is: (\S+)/.exec(welcome?.text ?? '')?.[1] ?? ''
  const link = /http\S+/.exec(welcome?.text ?? '')?.[0] ?? ''
  expect(login).toBe('zostergard')

  const page = await visitor()
  await visit(page, link)
  await expect(page.getByRole('heading', { level: 1, name: 'Set your password' })).toBeVisible()
  await page.getByLabel('New password', { exact: true }).fill(NEW_PASSWORD)
  await page.getByLabel('New password again').fill(NEW_PASSWORD)
  await page.getByRole('button', { name: 'Set password and sign in' }).click()
  await expect(page.getByRole('heading', { level: 1, name: 'Home' })).toBeVisible()

  await page.context().clearCookies()
  await visit(page, '/sign-in')
  await page.getByLabel('Sign-in name').fill(login)
  await page.getByLabel('Password', { exact: true }).fill(NEW_PASSWORD)
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await expect(page.getByRole('button', { name: 'Me: Zoë Østergård' })).toBeVisible()

  tolerate(/status of 4\d\d/)
  await page.context().clearCookies()
  await page.goto(link)
  await expect(page.getByText('The link is not valid any more')).toBeVisible()
})

test('the auditor finds every entry, and proves the log', async ({ as, rondo }, testInfo) => {
  const auditor = await as('auditor')
  const rest = await rondo.rest('auditor')
  const done = async (action: string) =>
    (await rest.get<List<AuditEntry>>(`/audit/entries?action=${action}&outcome=done&limit=200`)).body.items
  for (const [action, actor] of [
    ['run.launch', 'staff'],
    ['approval.decide', 'manager'],
    ['task.execute', 'system'],
    ['run.end', 'system'],
    ['password.claim', login],
    ['session.create', login],
  ] as const) {
    expect.soft((await done(action)).map((entry) => entry.actor), action).toContain(actor)
  }
  const refused = await rest.get<List<AuditEntry>>('/audit/entries?action=approval.decide&outcome=refused')
  expect(refused.body.items.map((entry) => entry.actor)).toContain('staff')

  await visit(auditor, '/audit')
  await auditor.getByRole('region', { name: 'Filters' }).getByRole('link', { name: 'Decisions', exact: true }).click()
  await expect(auditor).toHaveURL(/action=approval/)
  await expect(auditor.getByRole('listitem').filter({ hasText: /Mina Manager.*approved|Mina Manager decided/ }).first()).toBeVisible()
  await auditor.getByRole('link', { name: 'Verify' }).click()
  await expect(auditor.getByText('The log is sound')).toBeVisible()

  const downloading = auditor.waitForEvent('download')
  await auditor.getByRole('link', { name: 'Export JSON Lines' }).click()
  const file = testInfo.outputPath('audit.jsonl')
  await (await downloading).saveAs(file)
  expect((await rondo.command('audit', 'verify', file)).code).toBe(0)

  const altered = testInfo.outputPath('altered.jsonl')
  await writeFile(altered, (await readFile(file, 'utf8')).replace('"manager"', '"admin"'))
  const verdict = await rondo.command('audit', 'verify', altered)
  expect(verdict.code).toBe(1)

  const entry = auditor.locator('.entry').first()
  await entry.locator('summary').click()
  const proving = auditor.waitForEvent('download')
  await entry.getByRole('link', { name: 'Download the proof' }).click()
  const proof = testInfo.outputPath('proof.json')
  await (await proving).saveAs(proof)
  expect((await rondo.command('audit', 'verify', proof)).code).toBe(0)
  await writeFile(altered, (await readFile(proof, 'utf8')).replace('"done"', '"failed"').replace('"refused"', '"done"'))
  expect((await rondo.command('audit', 'verify', altered)).code).toBe(1)
})

test('the auditor can open nothing else', async ({ as, tolerate }) => {
  tolerate(/status of 40[34]/)
  const auditor = await as('auditor')
  await visit(auditor, '/')
  const places = auditor.getByRole('navigation', { name: 'Main navigation' }).first().getByRole('listitem')
  await expect(places).toHaveText([/Home/, /Decisions/, /Emergency access/, /Audit log/, /Compliance/, /Policies/, /Access reviews/, /Value/])
  for (const path of ['/catalogue', '/catalogue/identity/onboard-employee', runPath, approvalPath, '/admin/people', '/admin/grants', '/admin/connections']) {
    const answer = await auditor.goto(path)
    await alive(auditor)
    expect.soft([403, 404], path).toContain(answer?.status())
    await expect.soft(auditor.getByRole('main'), path).toContainText(/You may not do this|Not found/)
  }
})
