/** The code that all routes share: paths, bodies with an id, and calls whose writes are remembered. */
import { Problem } from '../../problem-error.ts'
import type { OwnWrites } from '../own-writes.ts'
import { jsonText, plainObject } from '../wire/plain-json.ts'
import type { Call, CallOptions } from './call.ts'
import type { ReadOptions } from './read-options.ts'
import type { Requester } from './requester.ts'

/** A path below `/v1/conversations`. Throws `id-invalid`. */
export const path = (...segments: readonly string[]) =>
  `/v1/conversations${segments.map((segment) => `/${segmentOf(segment)}`).join('')}`

/** Throws `id-invalid` if the id would change the path, as `..` does, or cannot be encoded. */
function segmentOf(id: string): string {
  try {
    if (!['', '.', '..'].includes(id)) return encodeURIComponent(id)
  } catch {
    // encodeURIComponent has thrown, because the id has a lone surrogate.
  }
  throw new Problem('id-invalid', `${JSON.stringify(id)} cannot be an id in an address.`)
}

/**
 * The body of a write that has a name, so that a second attempt is the same write. If `input` has neither `member` nor
 * `other`, either of which names the write, the client makes `member`.
 */
export function withName<Input extends object>(
  input: Input,
  member: keyof Input & string,
  make: () => string,
  other: keyof Input & string = member,
) {
  const body = plainObject(input)
  const isNamedHere = (body[member] ?? body[other] ?? undefined) === undefined
  return { body: jsonText(isNamedHere ? { ...body, [member]: make() } : body), isNamedHere }
}

export class RestCalls {
  readonly #requester: Requester
  readonly #ownWrites: OwnWrites

  constructor(requester: Requester, ownWrites: OwnWrites) {
    this.#requester = requester
    this.#ownWrites = ownWrites
  }

  /** Makes a call. Returns null if the status of the answer is 204. */
  request<T>(call: Call, options: CallOptions): Promise<T | null> {
    return this.#requester.request<T>(call, options)
  }

  /** Makes a call whose answer always has a body. */
  async send<T>(call: Call, options: CallOptions): Promise<T> {
    return (await this.request<T>(call, options)) as T
  }

  /** Makes a GET. Options that are not `CallOptions` become query parameters. */
  read<T>(route: string, options: CallOptions): Promise<T> {
    const { signal, deadlineMs, resend: _, onStatus, ...query } = options
    const call: Call = { method: 'GET', path: route, query }
    return this.send<T>(call, { signal, deadlineMs, onStatus })
  }

  /** Replaces `own-writes` by the cursor of the last write, or by `strong` if this client remembers none. */
  withFreshness(conversationId: string, options: ReadOptions): CallOptions {
    if (options.consistency !== 'own-writes') return options
    const minCursor = this.#ownWrites.cursorOf(conversationId)
    const { consistency: _, ...rest } = options
    return minCursor === undefined
      ? { ...rest, ...{ consistency: 'strong' } }
      : { ...rest, ...{ minCursor } }
  }

  /** Remembers a write for reads with `own-writes`, and returns it. */
  note<T extends { version: number; cursor: string } | null>(id: string, written: T): T {
    if (written !== null) this.#ownWrites.note(id, written.version, written.cursor)
    return written
  }
}
