/** What the routes share: paths, bodies with an id, and calls whose writes are remembered. */
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
    // encodeURIComponent throws on a lone surrogate.
  }
  throw new Problem('id-invalid', `An id of an address cannot be ${JSON.stringify(id)}.`)
}

/**
 * `given`, with a `member` that is made here where it has neither that nor `other`: either one names the
 * write, so that a second try is the same.
 */
export function named<Given extends object>(
  given: Given,
  member: keyof Given & string,
  make: () => string,
  other: keyof Given & string = member,
) {
  const body = plainObject(given)
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

  /** Null where the answer is a 204. */
  request<T>(call: Call, options: CallOptions): Promise<T | null> {
    return this.#requester.request<T>(call, options)
  }

  /** A call that is never answered with a 204. */
  async some<T>(call: Call, options: CallOptions): Promise<T> {
    return (await this.request<T>(call, options)) as T
  }

  /** `options` other than those of every call become query parameters. */
  read<T>(at: string, options: CallOptions): Promise<T> {
    const { signal, deadlineMs, resend: _, onStatus, ...query } = options
    const call: Call = { method: 'GET', path: at, query }
    return this.some<T>(call, { signal, deadlineMs, onStatus })
  }

  /** Turns `own-writes` into what the service knows. */
  fresh(conversationId: string, options: ReadOptions): CallOptions {
    if (options.consistency !== 'own-writes') return options
    const minCursor = this.#ownWrites.cursorOf(conversationId)
    const { consistency: _, ...rest } = options
    return minCursor === undefined
      ? { ...rest, ...{ consistency: 'strong' } }
      : { ...rest, ...{ minCursor } }
  }

  /** Remembers a write for reads with `own-writes`. */
  noted<T extends { version: number; cursor: string } | null>(id: string, written: T): T {
    if (written !== null) this.#ownWrites.note(id, written.version, written.cursor)
    return written
  }
}
