import type { Locator, Page } from '@playwright/test'
import { bringAxe, coloursAtRest, violations } from '../axe.ts'
import { makePublisher, words } from '../definitions.ts'
import { expect, test, visit } from '../fixture.ts'
import { press, tabTo, type } from '../keyboard.ts'

test.beforeAll(async ({ rondo }) => {
  await makePublisher(await rondo.rest('admin'), 'operator')
})

/** A definition that two people agree to, one after the other; with a test of its own. */
function lendRoom(name: string): string {
  return `document:
  dsl: 1.0.3
  namespace: office
  name: ${name}
  version: 1.0.0
  title: Lend a room (${name})
  summary: Lends a room for some days. Two people agree.
  metadata:
    rondo:
      category: access
      risk: low
      owner: it-operations
      tests: [{title: Three days, input: {days: 3}, expect: {output: {lent: 3}}}]
input:
  schema:
    document:
      type: object
      required: [days]
      properties:
        days: {type: integer, title: Days, minimum: 1, maximum: 30}
do:
  - decide:
      call: approval
      with:
        title: May they have the room?
        distinct: true
        stages:
          - {title: Line, approvers: {managerOf: requester}}
          - {title: Operations, approvers: {user: operator}}
  - lend:
      set: {lent: "\${ $workflow.input.days }"}
`
}

const editor = (page: Page): Locator => page.locator('.cm-content')
const badge = (page: Page, state: string): Locator => page.locator('.page-header .badge').filter({ hasText: state })

/** A week from now, as people type it into a date field: month, day and year, in digits. */
function nextWeek(): { typed: string; value: string } {
  const value = new Date(Date.now() + 7 * 86_400_000).toISOString().slice(0, 10)
  const [year, month, day] = value.split('-')
  return { typed: `${month}${day}${year}`, value }
}

for (const language of ['en', 'ko'] as const) {
  const [definitions, approvals, catalogue, account, common] = ['definitions', 'approvals', 'catalogue', 'account', 'common'].map((area) => words(language, area))
  const say = (area: Record<string, string> | undefined, key: string): string => {
    const text = area?.[key]
    if (!text) throw new Error(`there is no text called ${key}`)
    return text
  }
  const button = (page: Page, area: Record<string, string> | undefined, key: string): Locator =>
    page.getByRole('main').getByRole('button', { name: say(area, key), exact: true })
  const link = (page: Page, area: Record<string, string> | undefined, key: string): Locator =>
    page.getByRole('main').getByRole('link', { name: say(area, key), exact: true })

  test(`from the first line of a draft to the end of a run, by the keyboard alone (${language})`, async ({ as, rondo, tolerate }) => {
    test.slow()
    tolerate(/status of 422/)
    const name = `room-${language}`
    const page = `/definitions/office/${name}/1.0.0`
    /** Nobody is kept out, wherever the way has come to. */
    const forEverybody = async (page: Page) => {
      await bringAxe(page)
      await coloursAtRest(page)
      expect.soft(await violations(page), page.url()).toEqual([])
    }

    // A draft, which is wrong at first.
    const author = await as('author', { locale: language })
    await visit(author, '/definitions/new')
    await type(author, author.getByLabel(say(definitions, 'new_title')), 'A room')
    await type(author, author.getByLabel(say(definitions, 'namespace')), 'office')
    await type(author, author.locator('#name'), name)
    await author.keyboard.press('Enter')
    await expect(author).toHaveURL(`${page}/edit`)
    await type(author, editor(author), lendRoom(name).replace('call: approval', 'call: aproval'))
    await expect(author.locator('.cm-lintRange-error').first()).toBeVisible()
    await forEverybody(author)
    await author.keyboard.press('Control+s')
    await expect(author.getByText(say(definitions, 'saved'), { exact: true })).toBeVisible()
    await author.keyboard.press('ControlOrMeta+a')
    await author.keyboard.insertText(lendRoom(name))
    await expect(author.getByText(say(definitions, 'no_errors'))).toBeVisible()

    // Tried out, without anything being done.
    await press(author, button(author, definitions, 'save_and_try'))
    await expect(author).toHaveURL(`${page}/try`)
    await expect(author.locator('.test')).toContainText(say(definitions, 'test_passed'))
    await type(author, author.getByLabel(/^Days/), '5')
    await author.keyboard.press('Enter')
    await expect(author.locator('.trial__verdict')).toContainText(say(common, 'state_completed'))
    await forEverybody(author)
    await press(author, link(author, definitions, 'to_version'))
    await expect(author).toHaveURL(page)
    await press(author, button(author, definitions, 'submit'))
    await expect(badge(author, say(definitions, 'state_in_review'))).toBeVisible()

    // Reviewed and published by a second person.
    const operator = await as('operator', { locale: language })
    await visit(operator, page)
    await forEverybody(operator)
    await press(operator, button(operator, definitions, 'publish'))
    await expect(badge(operator, say(definitions, 'state_published'))).toBeVisible()

    // The manager goes on holiday, and the author stands in.
    const manager = await as('manager', { locale: language })
    await visit(manager, '/account?tab=substitutes')
    await type(manager, manager.getByRole('textbox', { name: say(account, 'substitute_who'), exact: true }), 'author')
    const until = manager.getByLabel(say(account, 'substitute_until'))
    const { typed, value } = nextWeek()
    await tabTo(manager, until)
    await manager.keyboard.type(typed)
    await expect(until).toHaveValue(value)
    await press(manager, button(manager, account, 'substitute_name'))
    await expect(manager.getByRole('row').filter({ hasText: /Author/ }).first()).toBeVisible()
    await forEverybody(manager)

    // Somebody asks for it.
    const staff = await as('staff', { locale: language })
    await visit(staff, `/catalogue/office/${name}/request`)
    await type(staff, staff.getByLabel(/^Days/), '30')
    await press(staff, button(staff, catalogue, 'review'))
    await press(staff, button(staff, catalogue, 'send'))
    await expect(staff).toHaveURL(/\/runs\/\d+$/)
    const number = Number(staff.url().split('/').at(-1))
    const rest = await rondo.rest('staff')
    const run = await rest.run(number)
    const pending = async (count: number): Promise<string> => {
      await expect.poll(async () => (await rest.approvals(run.id)).length).toBe(count)
      const open = (await rest.approvals(run.id)).find((approval) => approval.state === 'pending')
      return `/approvals/${open?.id}`
    }

    // The substitute agrees in the first stage; in the second something else is wanted.
    const first = await pending(1)
    await visit(author, first)
    await expect(author.getByText(say(approvals, 'you_stand_in').replace('{person}', 'Mina Manager'))).toBeVisible()
    await forEverybody(author)
    await press(author, button(author, approvals, 'approve'))
    await expect(author.getByText(say(approvals, 'done_approve'))).toBeVisible()
    await visit(operator, first)
    const wanted = operator.locator('form', { has: operator.getByRole('button', { name: say(approvals, 'request_changes') }) })
    await type(operator, wanted.getByLabel(say(approvals, 'reason')), 'A week is enough.')
    await press(operator, button(operator, approvals, 'request_changes'))
    await expect(operator.getByText(say(approvals, 'returned'), { exact: true })).toBeVisible()

    // Sent again, and everybody is asked anew.
    await visit(staff, first)
    await expect(staff.getByText(say(approvals, 'returned_mine'))).toBeVisible()
    await forEverybody(staff)
    await press(staff, link(staff, approvals, 'edit'))
    await expect(staff.getByLabel(/^Days/)).toHaveValue('30')
    await type(staff, staff.getByLabel(/^Days/), '7')
    await press(staff, button(staff, catalogue, 'review'))
    await press(staff, button(staff, catalogue, 'send'))
    await expect(staff).toHaveURL(`/runs/${number}`)
    const second = await pending(2)
    for (const page of [author, operator]) {
      await visit(page, second)
      await expect(page.getByRole('main')).toContainText(say(approvals, 'versions'))
      await forEverybody(page)
      await press(page, button(page, approvals, 'approve'))
      await expect(page.getByText(say(approvals, 'done_approve'))).toBeVisible()
    }

    // It did what was agreed to.
    await visit(staff, `/runs/${number}`)
    await expect(staff.getByRole('status').filter({ hasText: say(common, 'state_completed') }).first()).toBeVisible({ timeout: 30_000 })
    await forEverybody(staff)
    const ended = await rest.get<{ output: unknown }>(`/runs/${run.id}`)
    expect(ended.body.output).toEqual({ lent: 7 })
    const auditor = await rondo.rest('auditor')
    const entries = await auditor.get<{ items: { actor: string }[] }>('/audit/entries?action=approval.decide&outcome=done')
    expect(entries.body.items.map((entry) => entry.actor)).not.toContain('manager')
  })
}
