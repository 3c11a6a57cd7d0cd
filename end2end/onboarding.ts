import { expect, type Page } from '@playwright/test'
import type { Approval, Rest, Run } from './rest.ts'

export const ONBOARDING = 'identity/onboard-employee'

/** The input of the onboarding, as REST takes it. */
export interface Newcomer {
  givenName: string
  familyName: string
  privateEmail: string
  department: string
  jobTitle: string
  startDate: string
  contract: string
  note?: string
}

let counter = 0

/** Somebody new: another name on each call, since tests share a server. */
export function newcomer(more: Partial<Newcomer> = {}): Newcomer {
  counter += 1
  const letters = [...String(counter)].map((digit) => 'abcdefghij'[Number(digit)]).join('')
  return {
    givenName: 'Nora',
    familyName: `New${letters}`,
    privateEmail: `nora.${letters}@example.test`,
    department: 'engineering',
    jobTitle: 'Engineer',
    startDate: '2027-01-04',
    contract: 'permanent',
    ...more,
  }
}

/** Fills in the request form. */
export async function fillIn(page: Page, person: Newcomer): Promise<void> {
  await page.getByLabel('Given name').fill(person.givenName)
  await page.getByLabel('Family name').fill(person.familyName)
  await page.getByLabel('Private mail address').fill(person.privateEmail)
  await page.getByRole('radio', { name: 'Engineering' }).check()
  await page.getByLabel('Job title').fill(person.jobTitle)
  await page.getByLabel('First day').fill(person.startDate)
  if (person.note !== undefined) await page.getByLabel('Words of welcome').fill(person.note)
}

/** A request that waits for the manager, with its approval as the manager sees it. */
export async function waitingRequest(staff: Rest, manager: Rest, person = newcomer()): Promise<{ run: Run; approval: Approval }> {
  const run = await staff.launch(ONBOARDING, person)
  await expect.poll(async () => (await staff.run(run.id)).status).toBe('waiting')
  const [approval] = await manager.approvals(run.id)
  if (!approval) throw new Error(`the manager was not asked about R-${run.number}`)
  return { run, approval }
}

/** A request that was approved and has come to its end. */
export async function completedRequest(staff: Rest, manager: Rest, person = newcomer()): Promise<Run> {
  const { run, approval } = await waitingRequest(staff, manager, person)
  expect((await manager.decide(approval, 'approve')).status).toBe(201)
  await expect.poll(async () => (await staff.run(run.id)).status, { timeout: 30_000 }).toBe('completed')
  return run
}
