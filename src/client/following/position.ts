/** Position is how far a subscription has come: the cursor and the version of the last change that it took. */
import type { Change } from '../../conversation/wire/schemas.ts'
import type { ChangeFrame } from '../wire/client-frames.ts'
import type { LiveEvent, LiveStart } from './live-event.ts'

export class Position {
  readonly #tail: number | undefined
  #cursor: string | undefined
  /** The version at the cursor; not known until the service has named one. */
  #version: number | undefined

  constructor({ cursor, version, tail }: LiveStart) {
    this.#cursor = cursor
    this.#version = cursor === undefined ? undefined : version
    this.#tail = tail
  }

  get version(): number | undefined {
    return this.#version
  }

  /** What a `sub` says of where to start. */
  start(): Pick<LiveStart, 'cursor' | 'tail'> {
    if (this.#cursor !== undefined) return { cursor: this.#cursor }
    return this.#tail === undefined ? {} : { tail: this.#tail }
  }

  /** The service has confirmed a `sub`. A tail has a cursor only when it has come. */
  confirm(cursor: string): void {
    if (this.#tail === undefined) this.#cursor ??= cursor
  }

  /** The event of a change; `old` where it was taken before, `gap` where one before it is missing. */
  take(frame: ChangeFrame): LiveEvent | 'old' | 'gap' {
    const { t: _, c: __, snapshot: given, ...range } = frame
    const snapshot = given === true
    const known = this.#version
    if (known !== undefined && range.version <= known) return 'old'
    const isFirstOfTail = this.#cursor === undefined && this.#tail !== undefined
    const isGap = isFirstOfTail || (known !== undefined && range.from > known)
    if (isGap && !snapshot) return 'gap'
    this.#version = range.version
    this.#cursor = range.cursor
    const isWhole = snapshot || known === undefined
    return { type: 'change', snapshot, ...(isWhole ? range : after(known, range)) }
  }

  /** All changes up to `version` have been sent. False where some of them did not come. */
  reach(version: number): boolean {
    const isMissing = this.#cursor === undefined || version > (this.#version ?? version)
    if (!isMissing) this.#version ??= version
    return !isMissing
  }
}

/** Without what was given before: rows that a later change touched are in a later range. */
function after(version: number, range: Change): Change {
  const newer = <Row extends { readonly version: number }>(rows: readonly Row[]) =>
    rows.filter((row) => row.version > version)
  const { messages, segments } = range
  return {
    ...range,
    from: version,
    messages: newer(messages),
    ...(segments === undefined ? {} : { segments: newer(segments) }),
  }
}
