/** One thing that doctor has looked at. */

export interface Finding {
  readonly what: string
  /** `failed` is what a run would stumble over; `warning` what it can do without, or may need. */
  readonly state: 'ok' | 'warning' | 'failed'
  readonly detail: string
  readonly help: string | null
}

export function ok(what: string, detail: string): Finding {
  return { what, state: 'ok', detail, help: null }
}

export function warning(what: string, detail: string, help: string | null): Finding {
  return { what, state: 'warning', detail, help }
}

export function failed(what: string, detail: string, help: string | null): Finding {
  return { what, state: 'failed', detail, help }
}
