import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Page } from '@playwright/test'
import { demoPassword, expect, test, visit } from '../fixture.ts'
import { ONBOARDING, fillIn, newcomer, waitingRequest } from '../onboarding.ts'
import type { Page as List, Run } from '../rest.ts'

// On PostgreSQL another node may be alive, so that what a dead one held is free only when its lease has ended.
test.use({ serverEnvironment: { RONDO_ENGINE_LEASE: 'PT2S' } })

/** What a browser says of itself while the server is away. */
const AWAY = /net::ERR_|Failed to fetch|status of 50[23]/

async function toReview(page: Page, person = newcomer()): Promise<void> {
  await visit(page, '/catalogue/identity/onboard-employee/request')
  await fillIn(page, person)
  await page.getByRole('button', { name: 'Review' }).click()
  await expect(page.getByRole('heading', { level: 1, name: /^Review/ })).toBeVisible()
}

function story(page: Page, words: string | RegExp) {
  return page.getByRole('status').filter({ hasText: words })
}

/** A service that answers when it is told to. */
async function heldService(): Promise<{ url: string; asked: () => number; release: () => void; server: Server }> {
  let asked = 0
  let released = false
  const waiting: (() => void)[] = []
  const server = createServer((_, response) => {
    asked += 1
    const answer = () => response.end('well')
    if (released) answer()
    else waiting.push(answer)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const release = () => {
    released = true
    for (const answer of waiting.splice(0)) answer()
  }
  return { url: `http://127.0.0.1:${port}/`, asked: () => asked, release, server }
}

test.describe('what was sent twice happens once', () => {
  test('two clicks on send', async ({ as, rondo }) => {
    const staff = await as('staff')
    const person = newcomer()
    await toReview(staff, person)
    await staff.getByRole('button', { name: 'Send request' }).dblclick()
    await expect(staff).toHaveURL(/\/runs\/\d+$/)
    const { body } = await (await rondo.rest('manager')).get<List<{ title: string }>>('/approvals?state=pending&mine=true')
    expect(body.items.filter((approval) => approval.title.includes(person.familyName))).toHaveLength(1)
  })

  test('the same review in two tabs', async ({ as }) => {
    const first = await as('staff')
    await toReview(first)
    const second = await first.context().newPage()
    await visit(second, new URL(first.url()).pathname)
    await Promise.all([first, second].map((page) => page.getByRole('button', { name: 'Send request' }).click()))
    await expect(first).toHaveURL(/\/runs\/\d+$/)
    await expect(second).toHaveURL(first.url())
  })

  test('the same key over REST', async ({ rondo }) => {
    const rest = await rondo.rest('staff')
    const body = { input: newcomer() }
    const send = () => rest.post<Run>(`/workflows/${ONBOARDING}/runs`, body, { 'Idempotency-Key': 'twice-1' })
    const [one, other] = [await send(), await send()]
    expect([one.status, other.status]).toEqual([201, 201])
    expect(other.body.id).toBe(one.body.id)
  })
})

test('a form outlives the end of its session', async ({ as, tolerate }) => {
  tolerate(/status of 401/)
  const staff = await as('staff')
  const person = newcomer()
  await visit(staff, '/catalogue/identity/onboard-employee/request')
  await staff.getByLabel('Given name').fill(person.givenName)
  await expect(staff.getByRole('status').filter({ hasText: /^Saved/ })).toBeVisible()

  const elsewhere = await as('staff')
  await visit(elsewhere, '/account?tab=sessions')
  await elsewhere.getByRole('button', { name: 'Sign out everywhere else' }).click()
  await expect(elsewhere.getByText('All other browsers have been signed out')).toBeVisible()

  await staff.getByLabel('Family name').fill(person.familyName)
  await staff.getByLabel('Words of welcome').fill('typed after the end')
  await expect(staff.getByText('Your sign-in has ended. What you typed is kept in this browser.').first()).toBeVisible()
  await staff.getByRole('link', { name: 'Sign in and continue' }).click()
  await staff.getByLabel('Sign-in name').fill('staff')
  await staff.getByLabel('Password', { exact: true }).fill(demoPassword('staff'))
  await staff.getByRole('button', { name: 'Sign in', exact: true }).click()

  await expect(staff.getByRole('heading', { level: 1, name: 'Request: Onboard an employee' })).toBeVisible()
  await expect(staff.getByLabel('Given name')).toHaveValue(person.givenName)
  await expect(staff.getByLabel('Family name')).toHaveValue(person.familyName)
  await expect(staff.getByLabel('Words of welcome')).toHaveValue('typed after the end')
})

test('a form outlives a reload', async ({ as }) => {
  const staff = await as('staff')
  await visit(staff, '/catalogue/identity/onboard-employee/request')
  await staff.getByLabel('Job title').fill('Glazier')
  await staff.getByRole('radio', { name: 'Finance' }).check()
  await visit(staff, staff.url())
  await expect(staff.getByLabel('Job title')).toHaveValue('Glazier')
  await expect(staff.getByRole('radio', { name: 'Finance' })).toBeChecked()
})

test('a run that waits outlives the server, and its page comes back by itself', async ({ as, rondo, tolerate }) => {
  tolerate(AWAY)
  const [rest, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const { run, approval } = await waitingRequest(rest, manager)
  const staff = await as('staff')
  await visit(staff, `/runs/${run.number}`)
  await rondo.kill()
  await expect(staff.getByText('No connection to the server.')).toBeVisible()
  await rondo.boot()
  expect((await manager.decide(approval, 'approve')).status).toBe(201)
  await expect(staff.getByText('No connection to the server.')).toBeHidden({ timeout: 30_000 })
  await expect(story(staff, /^Completed/)).toBeVisible({ timeout: 30_000 })
})

test('a run that is at work outlives the server', async ({ as, rondo, tolerate }) => {
  test.slow()
  tolerate(AWAY)
  const service = await heldService()
  try {
    const rest = await rondo.rest('staff')
    const run = await rest.launch('incident/service-down', {
      service: 'Intranet',
      url: service.url,
      remedy: { url: service.url, method: 'post' },
      notify: 'duty@example.test',
    })
    await expect.poll(service.asked).toBeGreaterThan(0)
    const staff = await as('staff')
    await visit(staff, `/runs/${run.number}`)
    await expect(story(staff, /Working on/)).toBeVisible()
    await rondo.kill()
    await rondo.boot()
    service.release()
    await expect(story(staff, /^Completed/)).toBeVisible({ timeout: 90_000 })
  } finally {
    service.release()
    service.server.closeAllConnections()
    service.server.close()
  }
})

test('a rejected request says who, when and why', async ({ as, rondo }) => {
  const { run } = await waitingRequest(await rondo.rest('staff'), await rondo.rest('manager'))
  const [staff, manager] = await Promise.all([as('staff'), as('manager')])
  await visit(staff, `/runs/${run.number}`)
  await visit(manager, `/runs/${run.number}`)
  await manager.getByRole('link', { name: 'Decide', exact: true }).first().click()
  await manager.getByLabel('Reason').fill('No budget before April')
  await manager.getByRole('button', { name: 'Reject' }).click()
  await expect(manager.getByText('You rejected. The requester reads your reason.')).toBeVisible()
  await expect(story(staff, /^Rejected by Mina Manager/)).toContainText('No budget before April')
})

test('a request for changes gives the requester the form as it was filled in', async ({ as, rondo }) => {
  const person = newcomer({ jobTitle: 'Cartographer' })
  const { approval } = await waitingRequest(await rondo.rest('staff'), await rondo.rest('manager'), person)
  const manager = await as('manager')
  await visit(manager, `/approvals/${approval.id}`)
  await manager.getByLabel('Reason').fill('Which team is it for?')
  await manager.getByRole('button', { name: 'Ask for changes' }).click()
  await expect(manager.getByText('You asked for changes.')).toBeVisible()

  const staff = await as('staff')
  await visit(staff, '/notifications')
  await staff.getByRole('main').getByRole('listitem').first().getByRole('link').click()
  await expect(staff.getByRole('heading', { level: 1, name: 'Request: Onboard an employee' })).toBeVisible()
  await expect(staff.getByLabel('Job title')).toHaveValue('Cartographer')
  await expect(staff.getByLabel('Family name')).toHaveValue(person.familyName)
  await staff.getByRole('button', { name: 'Review' }).click()
  await staff.getByRole('button', { name: 'Send request' }).click()
  await expect(staff).toHaveURL(/\/runs\/\d+$/)
})

test('a request can be called off, and its approval is void', async ({ as, rondo }) => {
  const { run, approval } = await waitingRequest(await rondo.rest('staff'), await rondo.rest('manager'))
  const [staff, manager] = await Promise.all([as('staff'), as('manager')])
  await visit(manager, `/approvals/${approval.id}`)
  await visit(staff, `/runs/${run.number}`)
  await staff.getByRole('link', { name: 'Cancel run' }).click()
  const dialog = staff.getByRole('dialog', { name: `Cancel run R-${run.number}` })
  await dialog.getByLabel('Reason').fill('Asked for by mistake')
  await dialog.getByRole('button', { name: `Cancel run R-${run.number}` }).click()
  await expect(dialog).toBeHidden()
  await expect(story(staff, /^Cancelled/)).toBeVisible()
  await expect(manager.getByText('Not to be decided any more')).toBeVisible()
})

test.describe('of two decisions at the same moment one counts', () => {
  test('over REST', async ({ rondo }) => {
    const manager = await rondo.rest('manager')
    const { approval } = await waitingRequest(await rondo.rest('staff'), manager)
    const answers = await Promise.all([manager.decide(approval, 'approve'), manager.decide(approval, 'reject', 'no')])
    expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409])
    expect(answers.find((answer) => answer.status === 409)?.body.code).toBe('already-decided')
  })

  test('and the other person is told on the page', async ({ as, rondo, tolerate }) => {
    tolerate(/status of 409/)
    const rest = await rondo.rest('manager')
    const { approval } = await waitingRequest(await rondo.rest('staff'), rest)
    const manager = await as('manager')
    // A page that has not heard of it yet.
    await manager.route('**/api/v1/stream', () => undefined)
    await visit(manager, `/approvals/${approval.id}`)
    expect((await rest.decide(approval, 'reject', 'No desk')).status).toBe(201)
    await manager.getByRole('button', { name: 'Approve' }).click()
    await expect(manager.getByText('The decision has been taken')).toBeVisible()
    await expect(manager.getByText('Rejected. What was asked for is not done.')).toBeVisible()
  })
})

for (const path of [
  '/nothing/here',
  '/runs/999999',
  '/runs/01890a5d-ac96-774b-bcce-b302099a8057',
  '/runs/never',
  '/approvals/01890a5d-ac96-774b-bcce-b302099a8057',
  '/catalogue/no/such',
  '/requests/drafts/01890a5d-ac96-774b-bcce-b302099a8057/review',
]) {
  test(`${path} is not found, and says so`, async ({ as, tolerate }) => {
    tolerate(/status of 404/)
    const staff = await as('staff')
    const answer = await visit(staff, path)
    expect(answer?.status()).toBe(404)
    await expect(staff.getByRole('main')).toContainText('Not found')
  })
}

test('hostile text is shown as text', async ({ as, rondo }) => {
  const person = newcomer({ givenName: '<img src=x onerror=alert(1)>', note: '</textarea><script>alert(1)</script>' })
  const staff = await as('staff')
  await toReview(staff, person)
  await expect(staff.getByRole('main')).toContainText(person.givenName)
  await expect(staff.getByRole('main')).toContainText(person.note ?? '')
  await staff.getByRole('link', { name: 'Back to the form' }).click()
  await visit(staff, staff.url())
  await expect(staff.getByLabel('Words of welcome')).toHaveValue(person.note ?? '')
  await expect(staff.getByLabel('Given name')).toHaveValue(person.givenName)
  await staff.getByRole('button', { name: 'Review' }).click()
  await staff.getByRole('button', { name: 'Send request' }).click()
  await expect(staff.getByRole('main')).toContainText(person.givenName)

  const manager = await as('manager')
  const number = new URL(staff.url()).pathname.split('/').at(-1)
  const { id } = await (await rondo.rest('staff')).run(number ?? '')
  const [approval] = await (await rondo.rest('manager')).approvals(id)
  await visit(manager, `/approvals/${approval?.id}`)
  await expect(manager.getByRole('main')).toContainText(person.givenName)
  await expect(manager.locator('main img, main script')).toHaveCount(0)
})

test('a name of a thousand letters is refused beside its field', async ({ as }) => {
  const staff = await as('staff')
  await visit(staff, '/catalogue/identity/onboard-employee/request')
  await fillIn(staff, newcomer({ givenName: 'N'.repeat(1000) }))
  await staff.getByRole('button', { name: 'Review' }).click()
  await expect(staff.getByLabel('Given name')).toHaveAccessibleDescription(/Use at most 64 characters/)
  await expect(staff.getByLabel('Given name')).toHaveValue('N'.repeat(1000))
})

test('a name of a thousand letters is refused over REST with its place', async ({ rondo }) => {
  const rest = await rondo.rest('staff')
  const input = newcomer({ givenName: 'N'.repeat(1000) })
  const { status, body } = await rest.post<{ errors: { pointer: string }[] }>(`/workflows/${ONBOARDING}/runs`, { input })
  expect(status).toBe(422)
  expect(body.errors.map((error) => error.pointer)).toEqual([expect.stringMatching(/givenName$/)])
})
