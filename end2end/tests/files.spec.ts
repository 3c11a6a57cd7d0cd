import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from '@playwright/test'
import { draft, words } from '../definitions.ts'
import { expect, test, visit } from '../fixture.ts'
import type { Page as List } from '../rest.ts'

/** A text of `office/NAME` that says a word. */
const greeting = (name: string, version: string, word: string): string =>
  `document: {dsl: 1.0.3, namespace: office, name: ${name}, version: ${version}, title: Greet ${name}}\ndo: [{say: {set: {word: ${word}}}}]\n`

const file = (name: string, text: string) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(text) })

/** A tar archive of these texts, made as people make one. */
function archive(name: string, files: Record<string, string>): { name: string; mimeType: string; buffer: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'rondo-files-'))
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(folder, path, '..'), { recursive: true })
      writeFileSync(join(folder, path), text)
    }
    execFileSync('tar', ['-cf', `${folder}.tar`, '-C', folder, '.'])
    return { name, mimeType: 'application/x-tar', buffer: readFileSync(`${folder}.tar`) }
  } finally {
    rmSync(folder, { recursive: true })
    rmSync(`${folder}.tar`, { force: true })
  }
}

const row = (page: Page, path: string) => page.getByRole('row').filter({ has: page.getByRole('rowheader', { name: path, exact: true }) })

for (const [how, javaScriptEnabled] of [['with', true], ['without', false]] as const) {
  for (const language of ['en', 'ko'] as const) {
    const t = words(language, 'definitions') as Record<string, string>
    const frame = words(language, 'frame')

    test(`files are brought in ${how} JavaScript, and each is told of (${language})`, async ({ as, rondo }) => {
      const name = `hello-${how}-${language}`
      await draft(await rondo.rest('author'), `office/${name}`, '2.0.0', greeting(name, '2.0.0', 'there'))
      const page = await as('author', { locale: language, javaScriptEnabled })
      const open = (path: string) => (javaScriptEnabled ? visit(page, path) : page.goto(path))
      await open('/')
      await page.getByRole('navigation').first().getByRole('link', { name: frame['definitions'] ?? '' }).click()
      await page.getByRole('link', { name: t['import_do'] ?? '', exact: true }).click()
      await expect(page.getByRole('heading', { level: 1, name: t['import_title'] ?? '' })).toBeVisible()
      await expect(page.getByRole('table')).toHaveCount(0)

      await page.getByLabel(t['import_files'] ?? '').setInputFiles([
        file('new.yaml', greeting(name, '1.0.0', 'hello')),
        file('wrong.yaml', greeting(name, '1.1.0', '5').replace('{word: 5}', '5')),
        file('there.yaml', greeting(name, '2.0.0', 'there')),
        file('other.yaml', greeting(name, '2.0.0', 'elsewhere')),
        file('compose.yml', 'services: {}\n'),
        archive('more.tar', { 'office/packed.yaml': greeting(name, '3.0.0', 'packed'), 'README.md': '# Words' }),
      ])
      await page.getByRole('button', { name: t['import_do'] ?? '', exact: true }).click()
      await expect(page).toHaveURL('/definitions/import')
      if (javaScriptEnabled) await expect(page.locator('html')).toHaveAttribute('data-hydrated', '')
      await expect(page.getByRole('table').getByRole('row')).toHaveCount(7)
      const outcomes = { 'new.yaml': 'added', 'wrong.yaml': 'added', 'there.yaml': 'unchanged', 'other.yaml': 'conflict', 'compose.yml': 'refused', 'office/packed.yaml': 'added' }
      for (const [path, outcome] of Object.entries(outcomes)) await expect(row(page, path)).toContainText(t[`file_${outcome}`] ?? '?')
      await expect(page.getByText(t['import_conflicts'] ?? '')).toBeVisible()
      await expect(row(page, 'compose.yml').getByRole('link')).toHaveCount(0)

      // What is wrong with a draft is folded, and leads to its line.
      const errors = row(page, 'wrong.yaml').locator('details')
      await expect(errors.getByRole('link')).toBeHidden()
      await errors.locator('summary').click()
      await expect(errors.getByRole('link')).toHaveAttribute('href', `/definitions/office/${name}/1.1.0?line=2#L2`)

      await row(page, 'new.yaml').getByRole('link', { name: `office/${name} 1.0.0` }).click()
      await expect(page).toHaveURL(`/definitions/office/${name}/1.0.0`)
      await expect(page.locator('.page-header .badge')).toContainText(t['state_draft'] ?? '')
      await expect(page.getByRole('main')).toContainText('{word: hello}')
      const there = await (await rondo.rest('author')).get<{ source: string }>(`/workflows/office/${name}/versions/2.0.0`)
      expect(there.body.source).toBe(greeting(name, '2.0.0', 'there'))
    })
  }

  test(`definitions are exported ${how} JavaScript`, async ({ as, rondo }) => {
    const name = `export-${how}`
    const author = await rondo.rest('author')
    await draft(author, `shelf/${name}`, '1.0.0', greeting(name, '1.0.0', 'hello').replace('office', 'shelf'))
    const page = await as('author', { javaScriptEnabled })
    const open = (path: string) => (javaScriptEnabled ? visit(page, path) : page.goto(path))
    const download = async (link: string) => {
      const coming = page.waitForEvent('download')
      await page.getByRole('link', { name: link, exact: true }).click()
      const file = await coming
      return { name: file.suggestedFilename(), path: await file.path() }
    }
    const entries = (path: string) => execFileSync('tar', ['-tf', path], { encoding: 'utf8' }).trim().split('\n')
    await open('/definitions')
    const launchable = await download('Export what can be launched')
    expect(launchable.name).toBe('definitions.tar')
    expect(entries(launchable.path)).toContain('identity/onboard-employee.yaml')
    await page.getByRole('link', { name: 'shelf', exact: true }).first().click()
    await expect(page).toHaveURL('/definitions?namespace=shelf')
    await expect(page.getByRole('link', { name: 'In shelf' })).toHaveAttribute('aria-current', 'true')
    await expect(page.getByRole('table')).not.toContainText('identity')
    const all = await download('Export all versions')
    expect(all.name).toBe('shelf.tar')
    expect(entries(all.path)).toContain(`shelf/${name}/1.0.0.yaml`)
    await open(`/definitions/shelf/${name}/1.0.0`)
    const one = await download('Download')
    expect(one.name).toBe(`${name}-1.0.0.yaml`)
    expect(readFileSync(one.path, 'utf8')).toBe(greeting(name, '1.0.0', 'hello').replace('office', 'shelf'))
    const auditor = await rondo.rest('auditor')
    const { body } = await auditor.get<List<{ resourceName: string }>>('/audit/entries?action=definition.export')
    expect(body.items.map(({ resourceName }) => resourceName).slice(0, 3)).toEqual([`shelf/${name} 1.0.0`, 'shelf', '*'])
  })
}

test('a form without files is sent back with what is missing', async ({ as, tolerate }) => {
  tolerate(/status of 422/)
  const page = await as('author', { javaScriptEnabled: false })
  await page.goto('/definitions/import')
  const input = page.getByLabel('Files')
  await page.locator('form[enctype]').evaluate((form) => form.setAttribute('novalidate', ''))
  await page.getByRole('button', { name: 'Import', exact: true }).click()
  await expect(page.getByRole('alert')).toBeVisible()
  await expect(input).toHaveAccessibleDescription(/Fill in this field/)
})

test('who may not write is not offered to import', async ({ as }) => {
  const page = await as('staff')
  await visit(page, '/definitions/import')
  await expect(page.getByLabel('Files')).toHaveCount(0)
  await expect(page.getByRole('alert')).toBeVisible()
})
