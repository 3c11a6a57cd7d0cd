import type { Locator, Page } from '@playwright/test'
import { draft, lendLaptop, makePublisher, publish, submit, words } from '../definitions.ts'
import { alive, expect, test, visit } from '../fixture.ts'

test.beforeAll(async ({ rondo }) => {
  await makePublisher(await rondo.rest('admin'), 'manager')
})

const badge = (page: Page, state: string): Locator => page.locator('.page-header .badge').filter({ hasText: state })
/** What the form sends: the text area, which the editor stands in the place of. */
const source = (page: Page): Locator => page.locator('#definition-source')
const editor = (page: Page): Locator => page.locator('.cm-content')
const main = (page: Page): Locator => page.getByRole('main')

/** Writes another text into the editor. */
async function write(page: Page, text: string): Promise<void> {
  await editor(page).focus()
  await page.keyboard.press('ControlOrMeta+a')
  await page.keyboard.insertText(text)
  await expect(source(page)).toHaveValue(text)
}

for (const language of ['en', 'ko'] as const) {
  const t = words(language, 'definitions')
  const frame = words(language, 'frame')
  const text = (key: string, places: Record<string, string | number> = {}): string =>
    Object.entries(places).reduce((words, [place, value]) => words.replace(`{${place}}`, String(value)), t[key] ?? '')

  test(`a draft is written, found wrong, mended, reviewed by somebody else and published (${language})`, async ({ as, rondo, tolerate }) => {
    test.slow()
    tolerate(/status of 422/)
    const title = `Water the plants (${language})`
    const page = `/definitions/office/water-${language}/1.0.0`
    const author = await as('author', { locale: language })
    await visit(author, '/')
    await author.getByRole('navigation').first().getByRole('link', { name: frame['definitions'] ?? '' }).click()
    await expect(author.getByRole('heading', { level: 1, name: text('title') })).toBeVisible()
    await author.getByRole('link', { name: text('new_definition') }).click()
    await author.getByLabel(text('new_title')).fill(title)
    await author.getByLabel(text('namespace')).fill('office')
    await author.locator('#name').fill('Water')
    await author.getByRole('button', { name: text('begin') }).click()
    await expect(author.locator('#name')).toHaveAccessibleDescription(/./)
    await expect(author.locator('#name')).toHaveAttribute('aria-invalid', 'true')
    await author.locator('#name').fill(`water-${language}`)
    await author.getByRole('button', { name: text('begin') }).click()
    await expect(author).toHaveURL(`${page}/edit`)

    // What it begins with is a definition, and its graph stands beside it.
    await expect(author.getByText(text('no_errors'))).toBeVisible()
    await expect(author.locator('.graph')).toBeVisible()
    const begun = await source(author).inputValue()
    expect(begun).toContain(title)

    // An error is marked at its line, said in words, and kept with the draft.
    await write(author, begun.replace(/set:\n.*/, 'set: 5'))
    const place = author.getByRole('complementary').getByRole('link', { name: language === 'en' ? /^Line \d+, column \d+$/ : /^\d+행 \d+열$/ })
    await expect(place.first()).toBeVisible()
    const line = ((await place.first().getAttribute('href')) ?? '').replace('#L', '')
    await expect(author.locator('.cm-lintRange-error')).toHaveText('5')
    await place.first().click()
    await expect(editor(author)).toBeFocused()
    await expect(author.getByText(text('graph_before'))).toBeVisible()
    await editor(author).press('Control+s')
    await expect(author.getByText(text('saved'), { exact: true })).toBeVisible()

    await author.getByRole('link', { name: text('to_version') }).click()
    await expect(author).toHaveURL(page)
    await expect(author.locator(`#L${line}`)).toHaveClass(/source__line--wrong/)
    await author.getByRole('button', { name: text('submit') }).click()
    await expect(author.getByRole('alert')).toBeVisible()
    await expect(badge(author, text('state_draft'))).toBeVisible()

    await author.getByRole('link', { name: text('edit'), exact: true }).click()
    await write(author, begun)
    await expect(author.getByText(text('no_errors'))).toBeVisible()
    await author.getByRole('button', { name: text('save') }).click()
    await expect(author.getByText(text('saved'), { exact: true })).toBeVisible()
    await author.getByRole('link', { name: text('to_version') }).click()
    await author.getByRole('button', { name: text('submit') }).click()
    await expect(badge(author, text('state_in_review'))).toBeVisible()
    await expect(main(author)).toContainText(text('waits_for_publisher'))
    await expect(author.getByRole('button', { name: text('publish'), exact: true })).toHaveCount(0)

    // The second person is told, comments on a line, and publishes.
    const publisher = await as('manager', { locale: language })
    await visit(publisher, '/notifications')
    await publisher.getByRole('main').getByRole('link').filter({ hasText: title }).first().click()
    await expect(publisher).toHaveURL(page)
    await expect(main(publisher)).toContainText(text('waits_for_you'))
    await publisher.getByRole('link', { name: text('comment_on', { line: 4 }), exact: true }).click()
    await expect(publisher.getByRole('spinbutton', { name: text('line') })).toHaveValue('4')
    await publisher.getByRole('textbox', { name: text('comment'), exact: true }).fill('A good name.')
    await publisher.getByRole('button', { name: text('say') }).click()
    await expect(publisher.locator('#L4')).toContainText('A good name.')
    await publisher.getByRole('button', { name: text('publish'), exact: true }).click()
    await expect(badge(publisher, text('state_published'))).toBeVisible()

    const staff = await as('staff', { locale: language })
    await visit(staff, '/catalogue')
    await expect(staff.getByRole('link', { name: title })).toBeVisible()
    const log = await (await rondo.rest('auditor')).get<{ items: { actor: string }[] }>('/audit/entries?action=definition.publish&outcome=done')
    expect(log.body.items.map((entry) => entry.actor)).toContain('manager')
  })
}

const en = words('en', 'definitions')

test('the list shows those that stand so, and leads to each', async ({ as, rondo }) => {
  const [author, manager] = await Promise.all([rondo.rest('author'), rondo.rest('manager')])
  await publish(author, manager, 'office/listed', '1.0.0', lendLaptop('office/listed', '1.0.0', 30))
  await draft(author, 'office/listed', '1.1.0', lendLaptop('office/listed', '1.1.0', 30))
  const page = await as('author')
  await visit(page, '/definitions')
  const rows = page.getByRole('row').filter({ hasText: 'office/listed' })
  await expect(rows).toHaveCount(2)
  await page.getByRole('link', { name: 'Drafts' }).click()
  await expect(page).toHaveURL(/state=draft/)
  await expect(rows).toHaveCount(1)
  await expect(rows).toContainText('1.1.0')
  await expect(rows).toContainText('Ada Author')
  await rows.getByRole('link').click()
  await expect(page).toHaveURL('/definitions/office/listed/1.1.0')
  await page.getByRole('link', { name: 'Changes since 1.0.0' }).click()
  const table = page.getByRole('table', { name: 'Version 1.1.0 beside version 1.0.0, where they differ' })
  await expect(table.getByRole('row').filter({ hasText: 'version: 1.1.0' })).toContainText('version: 1.0.0')

  const staff = await as('staff')
  await visit(staff, '/')
  await expect(staff.getByRole('navigation').first().getByRole('link', { name: 'Definitions' })).toHaveCount(0)
})

test('the graph and the text show each other', async ({ as, rondo }) => {
  const source = lendLaptop('office/linked', '1.0.0', 30)
  const line = source.split('\n').findIndex((line) => line.includes('- insure:')) + 1
  await draft(await rondo.rest('author'), 'office/linked', '1.0.0', source)
  const page = await as('author')
  await visit(page, '/definitions/office/linked/1.0.0')
  const task = page.locator('.graph').getByRole('link', { name: 'Insure the laptop' })
  await task.click()
  await expect(page).toHaveURL(new RegExp(`line=${line}#L${line}$`))
  await expect(page.locator(`#L${line}`)).toHaveClass(/source__line--chosen/)
  await expect(page.locator(`#L${line}`)).toBeInViewport()
  await expect(task).toHaveAttribute('aria-current', 'true')
  await page.getByRole('link', { name: `Comment on line ${line + 5}`, exact: true }).click()
  await expect(page.locator('.graph').getByRole('link', { name: 'Lend the laptop' })).toHaveAttribute('aria-current', 'true')
})

test('the editor completes what belongs to a place, explains it, and marks what is wrong', async ({ as, rondo }) => {
  const text = lendLaptop('office/helped', '1.0.0', 30)
  await draft(await rondo.rest('author'), 'office/helped', '1.0.0', text)
  const page = await as('author')
  await visit(page, '/definitions/office/helped/1.0.0/edit')
  await editor(page).focus()
  await page.keyboard.press('ControlOrMeta+End')
  await page.keyboard.insertText('  - tell:\n      ')
  await page.keyboard.type('ca')
  const options = page.getByRole('listbox', { name: 'Completions' }).getByRole('option')
  await options.filter({ hasText: /^call/ }).click()
  await page.keyboard.press('Control+Space')
  await expect(options.filter({ hasText: 'smtp' })).toContainText('Mail')
  await page.keyboard.type('smt')
  await options.filter({ hasText: 'smtp' }).click()
  await page.keyboard.insertText('\n      with:\n        ')
  await page.keyboard.type('su')
  await options.filter({ hasText: 'subject' }).click()
  await expect(source(page)).toHaveValue(/  - tell:\n      call: smtp\n      with:\n        subject: $/)
  await expect(page.getByRole('complementary').getByText(/errors? in the text/)).toBeVisible()

  await page.locator('.cm-line').filter({ hasText: 'namespace: office' }).getByText('namespace').hover()
  await expect(page.locator('.editor__meaning')).toContainText("The workflow's namespace.")
})

test('whoever may not see a definition is not told that there is one', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 40[34]/)
  await draft(await rondo.rest('author'), 'office/hidden', '1.0.0', lendLaptop('office/hidden', '1.0.0', 30))
  const staff = await as('staff')
  for (const path of ['/definitions', '/definitions/office/hidden/1.0.0', '/definitions/office/hidden/1.0.0/edit', '/definitions/office/hidden/1.0.0/form']) {
    const answer = await staff.goto(path)
    await alive(staff)
    expect.soft([403, 404], path).toContain(answer?.status())
    await expect.soft(main(staff), path).toContainText(/You may not do this|Not found/)
  }
})

test('an author who is publisher as well is told why somebody else has to publish', async ({ as, rondo }) => {
  const author = await rondo.rest('author')
  await makePublisher(await rondo.rest('admin'), 'author')
  await draft(author, 'office/own', '1.0.0', lendLaptop('office/own', '1.0.0', 30))
  await submit(author, 'office/own', '1.0.0')
  const page = await as('author')
  await visit(page, '/definitions/office/own/1.0.0')
  await expect(main(page)).toContainText(en['own_text'] ?? '')
  await expect(page.getByRole('button', { name: 'Publish', exact: true })).toHaveCount(0)
  await page.getByRole('button', { name: 'Withdraw' }).click()
  await expect(badge(page, 'Draft')).toBeVisible()
})

test('of two who change the same draft the second is told, and keeps what was typed', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 409/)
  const author = await rondo.rest('author')
  const text = lendLaptop('office/shared', '1.0.0', 30)
  const { digest } = await draft(author, 'office/shared', '1.0.0', text)
  const page = await as('author')
  await visit(page, '/definitions/office/shared/1.0.0/edit')
  const other = lendLaptop('office/shared', '1.0.0', 20)
  expect((await author.put('/workflows/office/shared/versions/1.0.0', { source: other, digest })).status).toBe(200)

  const mine = lendLaptop('office/shared', '1.0.0', 10)
  await write(page, mine)
  await page.getByRole('button', { name: 'Save draft' }).click()
  await expect(page.getByRole('alert')).toContainText('read it again')
  await expect(source(page)).toHaveValue(mine)

  // Also after a reload, and still as the change of what it was.
  await visit(page, '/definitions/office/shared/1.0.0/edit')
  await expect(page.getByText(en['restored'] ?? '')).toBeVisible()
  await expect(source(page)).toHaveValue(mine)
  await page.getByRole('button', { name: 'Save draft' }).click()
  await expect(page.getByRole('alert')).toContainText('read it again')
})

test('what is used is retired only when one says so, and its text lives on as a copy', async ({ as, rondo, tolerate }) => {
  tolerate(/status of 409/)
  const [author, manager, staff] = await Promise.all([rondo.rest('author'), rondo.rest('manager'), rondo.rest('staff')])
  await publish(author, manager, 'office/lend', '1.0.0', lendLaptop('office/lend', '1.0.0', 30))
  const run = await staff.launch('office/lend', { model: 'light', days: 3 })
  await expect.poll(async () => (await staff.run(run.id)).status).toBe('waiting')

  const publisher = await as('manager')
  await visit(publisher, '/definitions/office/lend/1.0.0')
  await expect(publisher.getByRole('complementary', { name: 'Details' })).toContainText('1 run of it has not ended.')
  await publisher.getByRole('link', { name: 'Retire' }).click()
  const question = publisher.getByRole('dialog', { name: 'Retire Lend a laptop 1.0.0' })
  await expect(question).toContainText('1 run of it has not ended.')
  await question.getByRole('button', { name: 'Retire Lend a laptop 1.0.0' }).click()
  await expect(question.getByRole('alert')).toBeVisible()
  await question.getByRole('switch', { name: en['anyway'] ?? '' }).check()
  await question.getByRole('button', { name: 'Retire Lend a laptop 1.0.0' }).click()
  await expect(badge(publisher, 'Retired')).toBeVisible()

  const page = await as('author')
  await visit(page, '/definitions/office/lend/1.0.0')
  await page.getByRole('link', { name: 'Copy as new draft' }).click()
  await page.getByLabel('New version').fill('1.0.1')
  await page.getByRole('dialog').getByRole('button', { name: 'Copy as new draft' }).click()
  await expect(page).toHaveURL('/definitions/office/lend/1.0.1/edit')
  await expect(source(page)).toHaveValue(lendLaptop('office/lend', '1.0.1', 30))
})

/** Moves on by the keyboard until this has the focus. */
async function tabTo(page: Page, target: Locator): Promise<void> {
  for (let stop = 0; stop < 60; stop += 1) {
    if (await target.evaluate((element) => element === document.activeElement)) return
    await page.keyboard.press('Tab')
  }
  throw new Error('the keyboard does not come there')
}

test('a draft is written, submitted, returned and published without a mouse', async ({ as }) => {
  test.slow()
  const author = await as('author')
  await visit(author, '/definitions')
  await tabTo(author, author.getByRole('link', { name: 'New definition' }))
  await author.keyboard.press('Enter')
  await tabTo(author, author.getByLabel('Title'))
  await author.keyboard.type('By hand')
  await author.keyboard.press('Tab')
  await author.keyboard.type('office')
  await author.keyboard.press('Tab')
  await author.keyboard.type('by-hand')
  await author.keyboard.press('Enter')
  await expect(author).toHaveURL('/definitions/office/by-hand/1.0.0/edit')
  await tabTo(author, editor(author))
  await author.keyboard.press('Control+End')
  await author.keyboard.type('# by hand')
  await author.keyboard.press('Control+s')
  await expect(author.getByText('Saved', { exact: true })).toBeVisible()
  // Tab leaves the editor: nobody is caught in it.
  await author.keyboard.press('Tab')
  await expect(editor(author)).not.toBeFocused()
  await visit(author, '/definitions/office/by-hand/1.0.0')
  await tabTo(author, author.getByRole('button', { name: 'Submit for review' }))
  await author.keyboard.press('Enter')
  await expect(badge(author, 'In review')).toBeVisible()

  const publisher = await as('manager')
  await visit(publisher, '/definitions/office/by-hand/1.0.0')
  await tabTo(publisher, publisher.getByRole('textbox', { name: 'Comment' }))
  await publisher.keyboard.type('Is it tried?')
  await publisher.keyboard.press('Tab')
  await publisher.keyboard.type('2')
  await publisher.keyboard.press('Enter')
  await expect(publisher.locator('#L2')).toContainText('Is it tried?')
  await tabTo(publisher, publisher.getByRole('link', { name: 'Return', exact: true }))
  await publisher.keyboard.press('Enter')
  await expect(publisher.getByRole('dialog')).toBeVisible()
  await tabTo(publisher, publisher.getByRole('dialog').getByRole('textbox'))
  await publisher.keyboard.type('Try it first.')
  await publisher.keyboard.press('Tab')
  await publisher.keyboard.press('Enter')
  await expect(badge(publisher, 'Draft')).toBeVisible()
  await expect(main(publisher)).toContainText('Try it first.')

  await visit(author, '/definitions/office/by-hand/1.0.0')
  await tabTo(author, author.locator('#L2').getByRole('button', { name: 'Resolve' }))
  await author.keyboard.press('Enter')
  await expect(author.locator('#L2')).toContainText('Comment by Mina Manager, resolved by Ada Author')
})

test('all of it works without JavaScript', async ({ as }) => {
  test.slow()
  const [author, publisher] = await Promise.all([as('author', { javaScriptEnabled: false }), as('manager', { javaScriptEnabled: false })])
  const page = '/definitions/office/plain/1.0.0'
  await author.goto('/definitions/new')
  await author.getByLabel('Title').fill('Plain')
  await author.getByLabel('Namespace').fill('office')
  await author.locator('#name').fill('plain')
  await author.getByRole('button', { name: 'Write the text' }).click()
  await expect(author).toHaveURL(`${page}/edit`)
  const begun = await source(author).inputValue()
  await source(author).fill(begun.replace(/^do:/m, 'does:') + '# </textarea><script>alert(1)</script>')
  await author.getByRole('button', { name: 'Save draft' }).click()
  await expect(author.getByRole('complementary')).toContainText(/Line \d+, column \d+/)
  await expect(source(author)).toHaveValue(/<\/textarea><script>/)
  await source(author).fill(begun)
  await author.getByRole('button', { name: 'Save draft' }).click()
  await expect(author.getByText(en['no_errors'] ?? '')).toBeVisible()
  await author.getByRole('link', { name: en['to_version'] ?? '' }).click()
  await author.getByRole('button', { name: 'Submit for review' }).click()
  await expect(badge(author, 'In review')).toBeVisible()

  await publisher.goto(page)
  await publisher.getByRole('textbox', { name: 'Comment' }).fill('Fine.')
  await publisher.getByRole('spinbutton', { name: 'Line' }).fill('3')
  await publisher.getByRole('button', { name: 'Add comment' }).click()
  await expect(publisher.locator('#L3')).toContainText('Fine.')
  await publisher.getByRole('link', { name: 'Return', exact: true }).click()
  await publisher.getByRole('dialog').getByRole('textbox').fill('A title in a sentence.')
  await publisher.getByRole('dialog').getByRole('button', { name: 'Return Plain 1.0.0' }).click()
  await expect(badge(publisher, 'Draft')).toBeVisible()
  await expect(main(publisher)).toContainText('A title in a sentence.')

  await author.goto(page)
  await author.getByRole('button', { name: 'Submit for review' }).click()
  await publisher.goto(page)
  await publisher.getByRole('button', { name: 'Publish', exact: true }).click()
  await expect(badge(publisher, 'Published')).toBeVisible()
})
