import { readdirSync } from 'node:fs'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Page } from '@playwright/test'
import { bringAxe, coloursAtRest, violations } from '../axe.ts'
import { draft as draftDefinition, lendLaptop, makePublisher, publish, submit, versionPath } from '../definitions.ts'
import { expect, test, visit } from '../fixture.ts'
import { Repository } from '../repositories.ts'
import { Hook } from '../triggers.ts'
import { ONBOARDING, completedRequest, newcomer, waitingRequest } from '../onboarding.ts'
import { type Page as List, Rest, type Run } from '../rest.ts'

test.use({
  serverEnvironment: {
    RONDO_WORKFLOWS: fileURLToPath(new URL('../workflows/showcase', import.meta.url)),
    RONDO_CONFIG: fileURLToPath(new URL('../receivers.toml', import.meta.url)),
    ARCHIVE_SECRET: 'secret',
  },
})

const SIZES = { wide: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } }
const SHIPPED = fileURLToPath(new URL('../../workflows/', import.meta.url))
const PICTURES = fileURLToPath(new URL('../screenshots/', import.meta.url))
/** Pictures are for people to look at, and no check: they are taken when somebody wants to. */
const TAKE_PICTURES = Boolean(process.env['RONDO_PICTURES'])

/** Addresses that depend on what is there. */
interface World {
  waiting: number
  completed: number
  rejected: number
  faulted: number
  large: number
  scheduled: number
  approval: string
  /** All that waits for the manager. */
  approvals: string[]
  draft: string
  link: string
  review: string
  manager: string
  emergency: string
  trigger: string
}

let world: World

test.beforeAll(async ({ rondo }) => {
  test.setTimeout(180_000)
  const [staff, manager] = await Promise.all([rondo.rest('staff'), rondo.rest('manager')])
  const people: [string, string][] = [['Mateo', 'Ibarra'], ['소연', '김'], ['Ingrid', 'Lindqvist']]
  const [mateo, soyeon, ingrid] = people.map(([givenName, familyName]) => newcomer({ givenName, familyName }))
  const completed = await completedRequest(staff, manager, mateo)
  const { run: rejected, approval: refused } = await waitingRequest(staff, manager, soyeon)
  await manager.decide(refused, 'reject', 'There is no desk free before April. Ask again with a later first day.')
  const faulted = await staff.launch('showcase/failing', { login: 'guest1', room: 'Hanbit' })
  const large = await staff.launch('showcase/move-office', { floor: 7 })
  for (const run of [faulted, large]) await ended(staff, run.id)
  const operator = await rondo.rest('operator')
  const byItself = async () => (await operator.get<List<Run>>('/runs?workflow=showcase/tidy-guests&status=completed')).body.items
  await expect.poll(async () => (await byItself()).length, { timeout: 30_000 }).toBe(1)
  const [scheduled] = await byItself()
  const admin = await rondo.rest('admin')
  for (const namespace of ['showcase', 'network']) {
    await admin.put(`/limits/${namespace}`, namespace === 'network' ? { runs: 1 } : { runs: 20, calls: 5 })
    await admin.put(`/process-permissions/${namespace}`, {})
    await admin.put(`/secrets/${namespace}/mail-password`, { value: 'slow winds over the sea' })
  }
  // Administrators give no role to themselves.
  await makePublisher(admin, 'operator')
  await definitions(await rondo.rest('author'), operator)
  await waitingRequest(staff, manager, newcomer({ givenName: 'Ama', familyName: 'Owusu', note: 'See you on Monday.' }))
  const { run: waiting, approval } = await waitingRequest(staff, manager, ingrid)
  await staff.post('/me/tokens', { name: 'Nightly report' })
  const source = `// Whoever works at night lets runs end.
@id("nobody-calls-off")
@because("to let it end")
forbid (principal is User, action == Action::"run.cancel", resource is Run);
`
  await admin.post('/policy-sets', { source, note: 'Runs end by themselves' })
  const review = await admin.post<{ id: string }>('/access-reviews', { title: 'Autumn', scope: '*', dueAt: '2099-12-31T23:59:59Z' })
  const until = new Date(Date.now() + 7 * 86_400_000).toISOString()
  await manager.post('/delegations', { substitute: 'author', until, reason: 'A week at the sea' })
  const me = await manager.get<{ id: string }>('/me')
  const emergency = await operator.post<{ id: string }>('/emergencies', {
    role: 'approver',
    scope: 'network',
    reason: 'The line to Busan is down, and nobody who may decide about the detour can be reached.',
    minutes: 30,
  })
  await manager.post(`/emergencies/${emergency.body.id}/confirm`, {})
  await operator.post(`/emergencies/${emergency.body.id}/end`, {})
  await followed(admin, await rondo.rest('author'))
  await enrolled(admin, rondo.url)
  const invited = await rondo.command('user', 'add', 'ivo', '--name', 'Ivo Invited')
  const draft = await staff.post<{ id: string }>('/drafts', { namespace: 'identity', name: 'onboard-employee', values: newcomer() })
  world = {
    waiting: waiting.number,
    completed: completed.number,
    rejected: rejected.number,
    faulted: faulted.number,
    large: large.number,
    scheduled: scheduled?.number ?? 0,
    approval: approval.id,
    approvals: (await manager.get<List<{ id: string }>>('/approvals?state=pending&mine=true')).body.items.map(({ id }) => id),
    draft: draft.body.id,
    link: new URL(invited.stdout.trim()).pathname,
    review: review.body.id,
    manager: me.body.id,
    emergency: emergency.body.id,
    trigger: await delivered(admin, rondo.url),
  }
})

/** A definition in every state of its life, with what was said of it. */
async function definitions(author: Rest, publisher: Rest): Promise<void> {
  await publish(author, publisher, LAPTOP, '1.0.0', lendLaptop(LAPTOP, '1.0.0', 90))
  await publisher.post(`${versionPath(LAPTOP, '1.0.0')}/retire`, { anyway: true })
  await publish(author, publisher, LAPTOP, '1.1.0', lendLaptop(LAPTOP, '1.1.0', 60))
  const tests = 'tests: [{title: A light one for three days, input: {model: light, days: 3}, expect: {output: {lent: true}}}]'
  await draftDefinition(author, LAPTOP, '1.2.0', lendLaptop(LAPTOP, '1.2.0', 30).replace('owner: it-operations}', `owner: it-operations, ${tests}}`))
  const digest = await submit(author, LAPTOP, '1.2.0')
  const say = (who: Rest, comment: string, line?: number) => who.post<{ id: string }>(`${versionPath(LAPTOP, '1.2.0')}/comments`, { comment, line, digest })
  await say(publisher, 'Sixty days were asked for by the sales team. Do they know?', 19)
  const settled = await say(publisher, 'Who owns the pool?', 9)
  await author.post(`${versionPath(LAPTOP, '1.2.0')}/comments/${settled.body.id}/resolve`, {})
  await say(author, 'They agreed in the meeting of Tuesday.')
  await draftDefinition(author, LAPTOP, '2.0.0', lendLaptop(LAPTOP, '2.0.0', 30).replace('call: approval', 'call: aproval').replace('then: insure', 'then: nowhere'))
  await draftDefinition(author, LAPTOP, '2.1.0', lendLaptop(LAPTOP, '2.1.0', 30).replace('  - insure:', () => `${IN_TURN}  - insure:`))
}

/** Repositories: one whose files were taken, were in the way or were wrong, and one that nobody can read. */
async function followed(admin: Rest, author: Rest): Promise<void> {
  const repository = Repository.make('showcase')
  await draftDefinition(author, 'showcase/lend-bicycle', '1.0.0', lendLaptop('showcase/lend-bicycle', '1.0.0', 7))
  repository.push({
    'workflows/lend-projector.yaml': lendLaptop('showcase/lend-projector', '1.0.0', 2),
    'workflows/lend-bicycle.yaml': lendLaptop('showcase/lend-bicycle', '1.0.0', 14),
    'workflows/lend-van.yaml': lendLaptop('showcase/lend-van', '1.0.0', 1).replace('call: approval', 'call: aproval'),
  })
  const { account, password, url } = repository
  await admin.put('/repositories/showcase/definitions', { url, branch: 'main', folder: 'workflows', account, password, hookSecret: 'slow winds over the sea', everyMinutes: 60 })
  await admin.put('/repositories/showcase/tools', { url, branch: 'release/2026-11', account, password })
  const looked = async () => (await admin.get<List<{ lookedAt?: string }>>('/repositories')).body.items.every(({ lookedAt }) => lookedAt)
  await expect.poll(looked, { timeout: 30_000 }).toBe(true)
}

/** Runners: one at work, one that was never heard of, one that is drained, and one that is disabled. */
async function enrolled(admin: Rest, url: string): Promise<void> {
  for (const name of ['branch-busan', 'dmz-1', 'dmz-2', 'old-site']) {
    const { body } = await admin.post<{ token: string }>('/runners', { name, labels: [name, 'linux'], namespaces: ['network', 'showcase'] })
    const hello = { protocol: 1, instance: name, version: '1.0.0', capacity: 4 }
    if (name.startsWith('dmz')) await new Rest(url, body.token).post('/runner/session', hello)
  }
  await admin.put('/runners/dmz-2', { state: 'draining' })
  await admin.put('/runners/old-site', { state: 'disabled' })
}

/** A trigger with a delivery that launched a run, one that the workflow does not take, and one that came again. */
async function delivered(admin: Rest, url: string): Promise<string> {
  const hook = await Hook.make(admin, url, { namespace: 'showcase', name: 'moves', workflow: 'move-office', mapping: '.payload', filter: '.headers["x-github-event"] == "push"' })
  for (const [delivery, payload] of [['1', { floor: 7 }], ['1', { floor: 7 }], ['2', { floor: 'top' }]] as const) await hook.send(delivery, payload)
  return hook.trigger.id
}

/** Steps within steps, of which one lacks something. */
const IN_TURN = `  - inTurn:
      do:
        - tell:
            call: smtp
            with: {connection: mail, to: "\${ .mail }", subject: Your laptop}
            metadata: {title: Tell who asked for it}
        - make:
            try:
              - order: {wait: {days: 1}}
            catch:
              do:
                - giveUp: {raise: {error: {type: "https://rondo.dev/errors/refused", status: 400}}}
      metadata: {title: In turn}
`

async function ended(rest: Rest, run: string): Promise<void> {
  await expect.poll(async () => (await rest.run(run)).status, { timeout: 30_000 }).toMatch(/completed|faulted/)
}

const LAPTOP = 'showcase/lend-laptop'

/** Every page: its name, who opens it, and its address. */
const PAGES: [name: string, who: string | undefined, path: () => string][] = [
  ['sign-in', undefined, () => '/sign-in'],
  ['link', undefined, () => world.link],
  ['home', 'staff', () => '/'],
  ['home-manager', 'manager', () => '/'],
  ['home-operator', 'operator', () => '/'],
  ['home-auditor', 'auditor', () => '/'],
  ['catalogue', 'staff', () => '/catalogue'],
  ['catalogue-nothing', 'staff', () => '/catalogue?q=nothing+like+this'],
  ['workflow', 'staff', () => `/catalogue/${ONBOARDING}`],
  ['workflow-scheduled', 'staff', () => '/catalogue/showcase/tidy-guests'],
  ['request', 'staff', () => `/catalogue/${ONBOARDING}/request?draft=${world.draft}`],
  ['request-errors', 'staff', () => `/catalogue/incident/service-down/request?check=true`],
  ['review', 'staff', () => `/requests/drafts/${world.draft}/review`],
  ['requests', 'staff', () => '/requests'],
  ['runs', 'operator', () => '/runs'],
  ['run', 'staff', () => `/runs/${world.completed}`],
  ['run-task', 'operator', () => `/runs/${world.completed}?task=${encodeURIComponent('/do/6/createAccount')}`],
  ['run-waiting', 'staff', () => `/runs/${world.waiting}`],
  ['run-rejected', 'staff', () => `/runs/${world.rejected}`],
  ['run-faulted', 'operator', () => `/runs/${world.faulted}`],
  ['run-large', 'staff', () => `/runs/${world.large}`],
  ['run-scheduled', 'operator', () => `/runs/${world.scheduled}`],
  ['run-skip', 'operator', () => `/runs/${world.waiting}?dialog=skip`],
  ['run-resume-from', 'operator', () => `/runs/${world.waiting}?dialog=resume-from`],
  ['run-log', 'operator', () => `/runs/${world.completed}?tab=log`],
  ['run-journal', 'operator', () => `/runs/${world.completed}?tab=journal`],
  ['run-cancel', 'staff', () => `/runs/${world.waiting}?dialog=cancel`],
  ['decisions', 'manager', () => '/approvals'],
  ['decision', 'manager', () => `/approvals/${world.approval}`],
  ['decision-next', 'manager', () => `/approvals/${world.approval}/next`],
  ['decision-own', 'staff', () => `/approvals/${world.approval}`],
  ['decision-substitute', 'author', () => `/approvals/${world.approval}`],
  ['decisions-none', 'operator', () => '/approvals'],
  ['decisions-keys', 'manager', () => '/approvals?dialog=keys'],
  ['decision-approve', 'manager', () => `/approvals/${world.approval}?dialog=approve`],
  ['decisions-chosen', 'manager', () => `/approvals/chosen?id=${world.approvals.join('&id=')}`],
  ['decisions-chosen-none', 'manager', () => '/approvals/chosen'],
  ['notices', 'staff', () => '/notifications'],
  ['account', 'staff', () => '/account'],
  ['account-sessions', 'staff', () => '/account?tab=sessions'],
  ['account-substitutes', 'manager', () => '/account?tab=substitutes'],
  ['account-stands-in', 'author', () => '/account?tab=substitutes'],
  ['account-tokens', 'staff', () => '/account?tab=tokens'],
  ['audit', 'auditor', () => '/audit'],
  ['audit-filtered', 'auditor', () => '/audit?action=run&outcome=done&actor=staff'],
  ['audit-found', 'auditor', () => '/audit?text=ingrid&policy=asked-people-decide&address=127.0.0.1'],
  ['audit-sample', 'auditor', () => '/audit/sample?size=5&seed=autumn&outcome=done'],
  ['audit-verified', 'auditor', () => '/audit?verify=now'],
  ['value', 'admin', () => '/value'],
  ['value-by-team', 'auditor', () => '/value?period=this-year&by=team&sort=-saved'],
  ['value-nothing', 'operator', () => '/value?from=2020-01-01&to=2020-01-31'],
  ['questions', 'auditor', () => '/audit/questions'],
  ['question', 'auditor', () => '/audit/questions/decisions-within-a-minute'],
  ['question-nothing', 'auditor', () => '/audit/questions/decisions-within-a-minute?from=2020-01-01&to=2020-01-31'],
  ['audit-receivers', 'auditor', () => '/audit/receivers'],
  ['compliance', 'auditor', () => '/audit/compliance'],
  ['controls', 'auditor', () => '/audit/controls'],
  ['controls-nothing', 'auditor', () => '/audit/controls?list=SOC2&show=exceptions&from=2020-01-01&to=2020-01-31'],
  ['control', 'auditor', () => '/audit/controls/ISO27001:A.5.16'],
  ['audit-retention', 'auditor', () => '/audit/retention'],
  ['audit-retention-admin', 'admin', () => '/audit/retention'],
  ['definitions', 'author', () => '/definitions'],
  ['definitions-drafts', 'author', () => '/definitions?state=draft'],
  ['definitions-namespace', 'author', () => '/definitions?namespace=showcase'],
  ['definition-import', 'author', () => '/definitions/import'],
  ['definition-imported', 'author', () => '/definitions/import'],
  ['definition-new', 'author', () => '/definitions/new'],
  ['definition-draft', 'author', () => `/definitions/${LAPTOP}/2.0.0`],
  ['definition-edit', 'author', () => `/definitions/${LAPTOP}/2.0.0/edit`],
  ['definition-edit-step', 'author', () => `/definitions/${LAPTOP}/2.0.0/edit?task=${encodeURIComponent('/do/0/managerDecides')}`],
  ['definition-edit-call', 'author', () => `/definitions/${LAPTOP}/2.1.0/edit?task=${encodeURIComponent('/do/2/inTurn/do/0/tell')}`],
  ['definition-review', 'operator', () => `/definitions/${LAPTOP}/1.2.0`],
  ['definition-changes', 'operator', () => `/definitions/${LAPTOP}/1.2.0?compare=1.1.0`],
  ['definition-return', 'operator', () => `/definitions/${LAPTOP}/1.2.0?dialog=return`],
  ['definition-published', 'operator', () => `/definitions/${LAPTOP}/1.1.0`],
  ['definition-retire', 'operator', () => `/definitions/${LAPTOP}/1.1.0?dialog=retire`],
  ['definition-copy', 'author', () => `/definitions/${LAPTOP}/1.0.0?dialog=copy`],
  ['definition-delete', 'author', () => `/definitions/${LAPTOP}/2.0.0?dialog=delete`],
  ['definition-try', 'author', () => `/definitions/${LAPTOP}/1.2.0/try`],
  ['definition-tried', 'author', () => `/definitions/${LAPTOP}/1.2.0/try?input=${encodeURIComponent('{"model":"light","days":9}')}`],
  ['definition-form', 'author', () => `/definitions/${LAPTOP}/1.2.0/form`],
  ['triggers', 'author', () => '/triggers'],
  ['trigger', 'admin', () => `/triggers/${world.trigger}`],
  ['trigger-new', 'admin', () => '/triggers/new'],
  ['trigger-new-alerts', 'admin', () => '/triggers/new?kind=alertmanager'],
  ['trigger-edit', 'admin', () => `/triggers/${world.trigger}/edit`],
  ['trigger-delete', 'admin', () => `/triggers/${world.trigger}?dialog=delete`],
  ['trigger-try', 'author', () => `/triggers/${world.trigger}/try`],
  ['trigger-tried', 'admin', () => `/triggers/${world.trigger}/try?delivery=1&mapping=${encodeURIComponent('{floor: .payload.floor}')}`],
  ['trigger-delivery', 'operator', () => `/triggers/${world.trigger}/deliveries/1`],
  ['repositories', 'author', () => '/repositories'],
  ['repositories-new', 'admin', () => '/repositories?dialog=new'],
  ['people', 'admin', () => '/admin/people'],
  ['people-substitutes', 'admin', () => `/admin/people?dialog=substitutes-${world.manager}`],
  ['people-new', 'admin', () => '/admin/people?dialog=new'],
  ['teams', 'admin', () => '/admin/teams'],
  ['grants', 'admin', () => '/admin/grants'],
  ['grants-new', 'admin', () => '/admin/grants?dialog=new'],
  ['grants-processes', 'admin', () => '/admin/grants?dialog=processes'],
  ['grants-limits', 'admin', () => '/admin/grants?dialog=limits'],
  ['grants-calendar', 'admin', () => '/admin/grants?dialog=calendar'],
  ['grants-separation', 'admin', () => '/admin/grants?dialog=separation'],
  ['policies', 'auditor', () => '/policies'],
  ['policy', 'auditor', () => '/policies/nobody-decides-on-an-own-request'],
  ['policy-refused', 'staff', () => '/policies/nobody-decides-on-an-own-request'],
  ['policies-new', 'admin', () => '/policies/sets/new'],
  ['access-reviews', 'auditor', () => '/access-reviews'],
  ['access-reviews-new', 'admin', () => '/access-reviews?dialog=new'],
  ['access-review', 'admin', () => `/access-reviews/${world.review}`],
  ['emergencies', 'operator', () => '/emergencies'],
  ['emergencies-new', 'operator', () => '/emergencies?dialog=new'],
  ['emergency', 'admin', () => `/emergencies/${world.emergency}`],
  ['policy-set', 'admin', () => '/policies/sets/1'],
  ['policy-set-change', 'admin', () => '/policies/sets/1?dialog=change'],
  ['runners', 'admin', () => '/admin/runners'],
  ['runners-new', 'admin', () => '/admin/runners?dialog=new'],
  ['runners-disable', 'admin', () => '/admin/runners?dialog=disabled-dmz-1'],
  ['connections', 'admin', () => '/admin/connections'],
  ['connections-new', 'admin', () => '/admin/connections?dialog=new-ldap'],
  ['connections-secret', 'admin', () => '/admin/connections?dialog=secret'],
  ['connections-secret-delete', 'admin', () => '/admin/connections?dialog=delete-network%2Fmail-password'],
  ['not-found', 'staff', () => '/nothing/here'],
]

/** Brings in files of which something else becomes each: a draft with errors the first time, later one that is there. */
async function bringIn(page: Page): Promise<void> {
  const text = (version: string, days: number) => lendLaptop(LAPTOP, version, days)
  const files: [string, string][] = [
    ['lend-laptop-3.yaml', text('3.0.0', 30).replace('call: approval', 'call: aproval').replace('then: insure', 'then: nowhere')],
    ['lend-laptop.yaml', text('1.1.0', 60)],
    ['a-very-long-name-of-a-file-that-somebody-chose-with-care-and-never-shortened.yaml', text('1.1.0', 61)],
    ['compose.yaml', 'services: {web: {image: nginx}}\n'],
    ['notes.txt', 'Ask Ingrid.'],
  ]
  await page.locator('#files').setInputFiles(files.map(([name, text]) => ({ name, mimeType: 'text/plain', buffer: Buffer.from(text) })))
  await page.locator('form[enctype] button').click()
  await page.getByRole('table').waitFor()
  await page.locator('html[data-hydrated]').waitFor()
  for (const errors of await page.locator('.import__errors summary').all()) await errors.click()
}

/** How far the page reaches beyond the screen: nothing but tables and graphs may scroll sideways, within themselves. */
function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
}

/** The whole page, on a screen as high as it: what sticks to an edge would else cover the middle of the picture. */
async function picture(page: Page, name: string): Promise<void> {
  const before = page.viewportSize() ?? SIZES.wide
  const height = await page.evaluate(() => document.documentElement.scrollHeight)
  await page.setViewportSize({ ...before, height: Math.max(before.height, height) })
  await page.screenshot({ path: `${PICTURES}${name}.png`, animations: 'disabled' })
  await page.setViewportSize(before)
}

for (const [name, who, path] of PAGES) {
  test(`${name} can be used by everybody, in any size, theme and language`, async ({ as, visitor, tolerate }) => {
    test.slow()
    if (name === 'not-found') tolerate(/status of 404/)
    if (name === 'policy-refused') tolerate(/status of 403/)
    for (const language of ['en', 'ko'] as const) {
      const page = who ? await as(who, { locale: language }) : await visitor({ locale: language })
      await visit(page, path())
      if (name === 'definition-imported') await bringIn(page)
      if (name.startsWith('definition-edit')) await page.locator('.cm-content').waitFor()
      if (name.startsWith('definition-edit-')) await page.locator('.step-form').waitFor()
      if (name === 'definition-edit-call') await page.locator('.definition__side summary').first().click()
      await expect(page.locator('html')).toHaveAttribute('lang', language)
      if (language === 'en') await bringAxe(page)
      for (const [size, viewport] of Object.entries(SIZES)) {
        await page.setViewportSize(viewport)
        expect.soft(await overflow(page), `${size} ${language}: the page scrolls sideways`).toBeLessThanOrEqual(0)
        for (const theme of ['light', 'dark'] as const) {
          await page.emulateMedia({ colorScheme: theme, reducedMotion: 'reduce' })
          await coloursAtRest(page)
          // Each size and each theme, but not each of one with each of the other: that took as long as all else.
          const isExamined = language === 'en' && (size === 'wide') === (theme === 'light')
          if (isExamined) expect.soft(await violations(page), `${size} ${theme}`).toEqual([])
          if (TAKE_PICTURES) await picture(page, [name, ...(size === 'phone' ? [size] : []), theme, language].join('-'))
        }
      }
      await page.context().close()
    }
  })
}

test('a workflow that begins by itself says when, and its run that nobody asked for it', async ({ as }) => {
  const page = await as('operator')
  await visit(page, '/catalogue/showcase/tidy-guests')
  const details = page.getByRole('complementary', { name: 'Details' })
  await expect(details).toContainText('at 0 7 2 1 * (Asia/Seoul)')
  await expect(details).toContainText('Missed times')
  await expect(details).toContainText('are skipped')
  await expect(details.getByText('Next start')).toBeVisible()
  await expect(details.locator('time').last()).toHaveAttribute('datetime', /-01-01T22:00:00/)
  const words = page.locator('.graph').getByRole('listitem')
  await expect(words.filter({ hasText: 'Before: Set values' })).toHaveCount(1)
  await expect(words.filter({ hasText: 'After: Set values' })).toHaveCount(1)

  await visit(page, `/runs/${world.scheduled}`)
  await expect(page.getByText('Started by the schedule of its workflow')).toBeVisible()
  await expect(page.getByRole('list', { name: 'Timeline' }).getByRole('listitem').filter({ hasText: 'Note the end' })).toHaveCount(2)
})

if (TAKE_PICTURES) {
  test('the pictures of the README', async ({ as }) => {
    for (const [picture, who, path, theme, locale, viewport] of [
      ['run-light-en', 'staff', `/runs/${world.completed}`, 'light', 'en', SIZES.wide],
      ['decision-dark-en', 'manager', `/approvals/${world.approval}`, 'dark', 'en', SIZES.wide],
      ['catalogue-light-ko', 'staff', '/catalogue', 'light', 'ko', SIZES.wide],
      ['home-phone-light-en', 'manager', '/', 'light', 'en', SIZES.phone],
    ] as const) {
      const page = await as(who, { locale, viewport, colorScheme: theme, deviceScaleFactor: 2 })
      await visit(page, path)
      await page.screenshot({ path: `${PICTURES}readme/${picture}.png`, animations: 'disabled' })
    }
  })

  test('the pictures of the workflows that ship', async ({ as }) => {
    test.setTimeout(300_000)
    const page = await as('operator', { viewport: { width: 1600, height: 1000 }, colorScheme: 'light', reducedMotion: 'reduce' })
    for (const workflow of readdirSync(SHIPPED, { recursive: true, encoding: 'utf8' })) {
      if (!workflow.endsWith('.yaml')) continue
      await visit(page, `/catalogue/${workflow.slice(0, -'.yaml'.length)}`)
      const graph = page.locator('.graph__picture')
      // As large as it is drawn, whatever room the page leaves for it.
      await graph.evaluate((picture: SVGElement) => {
        picture.style.maxInlineSize = 'none'
        for (let around = picture.parentElement; around; around = around.parentElement) {
          around.style.overflow = 'visible'
          around.style.maxBlockSize = 'none'
        }
      })
      await graph.screenshot({ path: `${PICTURES}workflows/${basename(workflow, '.yaml')}.png`, animations: 'disabled' })
    }
  })
}
