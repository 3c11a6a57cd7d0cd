import { createHmac } from 'node:crypto'
import type { Rest } from './rest.ts'

export interface Trigger {
  id: string
  address: string
}

/** A trigger that a test calls as GitHub would. */
export class Hook {
  private constructor(
    readonly trigger: Trigger,
    private readonly secret: string,
    private readonly url: string,
  ) {}

  static async make(admin: Rest, url: string, settings: Record<string, unknown>): Promise<Hook> {
    const { body } = await admin.post<{ trigger: Trigger; secret: string }>('/triggers', { kind: 'github', ...settings })
    return new Hook(body.trigger, body.secret, url)
  }

  /** Of a trigger that a page has made. */
  static of(trigger: Trigger, secret: string, url: string): Hook {
    return new Hook(trigger, secret, url)
  }

  async send(delivery: string, payload: unknown): Promise<number> {
    const body = JSON.stringify(payload)
    const signature = createHmac('sha256', this.secret).update(body).digest('hex')
    // The portal may be told another address than the one that it listens at.
    const answer = await fetch(new URL(new URL(this.trigger.address).pathname, this.url), {
      method: 'POST',
      headers: { 'x-github-event': 'push', 'x-github-delivery': delivery, 'x-hub-signature-256': `sha256=${signature}` },
      body,
    })
    return answer.status
  }
}
