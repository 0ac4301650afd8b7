/** Position is the cursor and the version of the last change that a subscription has accepted. */
import type { Change } from '../../conversation/wire/schemas.ts'
import type { ChangeFrame } from '../wire/client-frames.ts'
import type { LiveEvent, LiveStart } from './live-event.ts'

export class Position {
  readonly #tail: number | undefined
  #cursor: string | undefined
  /** The version at the cursor. Undefined until the service has named one. */
  #version: number | undefined

  constructor({ cursor, version, tail }: LiveStart) {
    this.#cursor = cursor
    this.#version = cursor === undefined ? undefined : version
    this.#tail = tail
  }

  /** The version of the last accepted change. */
  get version(): number | undefined {
    return this.#version
  }

  /** The members of a `sub` frame that say where to start. */
  start(): Pick<LiveStart, 'cursor' | 'tail'> {
    if (this.#cursor !== undefined) return { cursor: this.#cursor }
    return this.#tail === undefined ? {} : { tail: this.#tail }
  }

  /** Takes the cursor of a confirmed `sub`. A tail has a cursor only after its first change has arrived. */
  confirm(cursor: string): void {
    if (this.#tail === undefined) this.#cursor ??= cursor
  }

  /** Returns the event of a change, `old` if it was accepted before, or `gap` if an earlier change is missing. */
  accept(frame: ChangeFrame): LiveEvent | 'old' | 'gap' {
    const { t: _, c: __, snapshot: flag, ...range } = frame
    const snapshot = flag === true
    const accepted = this.#version
    if (accepted !== undefined && range.version <= accepted) return 'old'
    const isFirstOfTail = this.#cursor === undefined && this.#tail !== undefined
    const isGap = isFirstOfTail || (accepted !== undefined && range.from > accepted)
    if (isGap && !snapshot) return 'gap'
    this.#version = range.version
    this.#cursor = range.cursor
    const isWhole = snapshot || accepted === undefined
    return { type: 'change', snapshot, ...(isWhole ? range : after(accepted, range)) }
  }

  /** Takes the report that all changes up to `version` were sent. Returns false if some of them did not arrive. */
  reach(version: number): boolean {
    const isMissing = this.#cursor === undefined || version > (this.#version ?? version)
    if (!isMissing) this.#version ??= version
    return !isMissing
  }
}

/** The rows of a change that are newer than `version`. Rows that a later change touched are in a later range. */
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
