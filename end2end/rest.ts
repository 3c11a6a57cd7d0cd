/** What the REST interface answered. */
export interface Answer<T> {
  status: number
  body: T
}

/** A problem as REST tells it. */
export interface Problem {
  code: string
  title: string
  detail: string
}

/** A page of a list. */
export interface Page<T> {
  items: T[]
  next: string | null
}

export interface Run {
  id: string
  number: number
  status: string
}

export interface Approval {
  id: string
  run: string
  digest: string
  state: string
}

export interface AuditEntry {
  action: string
  actor: string
  outcome: string
  resourceName: string
}

/** The REST interface in the name of one person. */
export class Rest {
  constructor(
    private readonly url: string,
    private readonly token: string,
  ) {}

  get<T>(path: string): Promise<Answer<T>> {
    return this.ask<T>('GET', path)
  }

  post<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer<T>> {
    return this.ask<T>('POST', path, body, headers)
  }

  put<T>(path: string, body: unknown): Promise<Answer<T>> {
    return this.ask<T>('PUT', path, body)
  }

  delete<T>(path: string): Promise<Answer<T>> {
    return this.ask<T>('DELETE', path)
  }

  /** Launches a workflow (`namespace/name`); anything but success is an error. */
  async launch(workflow: string, input: unknown): Promise<Run> {
    const { status, body } = await this.post<Run>(`/workflows/${workflow}/runs`, { input })
    if (status !== 201) throw new Error(`launching ${workflow} was answered ${status}: ${JSON.stringify(body)}`)
    return body
  }

  async run(id: string | number): Promise<Run> {
    return (await this.get<Run>(`/runs/${id}`)).body
  }

  /** The approvals that a run has asked for and this person may see. */
  async approvals(run: string): Promise<Approval[]> {
    return (await this.get<Page<Approval>>(`/approvals?run=${run}`)).body.items
  }

  decide(approval: Approval, decision: 'approve' | 'reject' | 'request-changes', comment = ''): Promise<Answer<Problem>> {
    return this.post(`/approvals/${approval.id}/decisions`, { decision, comment, digest: approval.digest })
  }

  private async ask<T>(method: string, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Answer<T>> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token}`, ...more }
    if (body !== undefined) headers['Content-Type'] = 'application/json'
    const answer = await fetch(`${this.url}/api/v1${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.text()
    return { status: answer.status, body: (text === '' ? undefined : JSON.parse(text)) as T }
  }
}
