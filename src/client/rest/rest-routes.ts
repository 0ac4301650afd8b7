/** The routes of the REST API over a requester. */

import type { Attach, AttachedAudio, HeldAudio } from '../../conversation/wire/audio-schemas.ts'
import type { ErasureReceipt, RecordedTurn } from '../../conversation/wire/schemas.ts'
import type {
  CompletedTurn,
  InterruptedMessage,
  OpenedTurn,
} from '../../conversation/wire/voice-schemas.ts'
import { Problem } from '../../problem.ts'
import { checkedKey } from '../idempotency-key.ts'
import { newId } from '../new-ids.ts'
import type { OwnWrites } from '../own-writes.ts'
import { plainObject, printed } from '../plain-json.ts'
import type { Call, CallOptions, Requester } from './request.ts'
import type { ReadOptions, Rest } from './rest-api.ts'

const path = (...segments: readonly string[]) =>
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
function named<Given extends object>(
  given: Given,
  member: keyof Given & string,
  make: () => string,
  other: keyof Given & string = member,
) {
  const body = plainObject(given)
  const isNamedHere = (body[member] ?? body[other] ?? undefined) === undefined
  return { body: printed(isNamedHere ? { ...body, [member]: make() } : body), isNamedHere }
}

const now = () => new Date().toISOString()

export function createRest(request: Requester, ownWrites: OwnWrites): Rest {
  const some = async <T>(call: Call, options: CallOptions): Promise<T> =>
    (await request<T>(call, options)) as T

  const read = <T>(at: string, { signal, deadlineMs, ...query }: CallOptions): Promise<T> =>
    some<T>({ method: 'GET', path: at, query, repeat: 'repeatable' }, { signal, deadlineMs })

  /** Turns `own-writes` into what the service knows. */
  const fresh = (conversationId: string, options: ReadOptions): CallOptions => {
    if (options.consistency !== 'own-writes') return options
    const minCursor = ownWrites.cursorOf(conversationId)
    const { consistency: _, ...rest } = options
    return minCursor === undefined
      ? { ...rest, ...{ consistency: 'strong' } }
      : { ...rest, ...{ minCursor } }
  }

  const noted = <T extends { version: number; cursor: string } | null>(id: string, written: T) => {
    if (written !== null) ownWrites.note(id, written.version, written.cursor)
    return written
  }

  const attach = async (
    conversationId: string,
    at: string,
    audio: Attach,
    repeat: Call['repeat'],
    options: CallOptions = {},
  ) =>
    noted(
      conversationId,
      await request<AttachedAudio>(
        { method: 'PUT', path: at, body: printed(audio), repeat },
        options,
      ),
    )

  const keyed = (conversationId: string, what: string, key: string, body: object): Call => ({
    method: 'POST',
    path: path(conversationId, 'turns', what),
    body: printed(body),
    headers: { 'idempotency-key': checkedKey(key) },
    repeat: 'repeatable',
  })

  return {
    createConversation: async (body = {}, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(),
          // With an id that is new at each call, the service would refuse the external id as taken.
          ...named(body, 'id', newId, 'externalId'),
          repeat: 'repeatable',
        },
        options,
      ),
    listConversations: async (options = {}) => read(path(), options),
    getConversation: async (id, options = {}) => read(path(id), options),
    patchConversation: async (id, patch, { ifMatch, ...options } = {}) =>
      some(
        {
          method: 'PATCH',
          path: path(id),
          body: printed(patch),
          repeat: 'once',
          ...(ifMatch === undefined ? {} : { headers: { 'if-match': String(ifMatch) } }),
        },
        options,
      ),
    eraseConversation: async (id, options = {}) =>
      noted(
        id,
        await some<ErasureReceipt>(
          { method: 'DELETE', path: path(id), repeat: 'repeatable' },
          options,
        ),
      ),
    recordTurn: async (conversationId, turn, { key, ...options } = {}) =>
      noted(
        conversationId,
        await request<RecordedTurn>(
          {
            method: 'POST',
            path: path(conversationId, 'turns'),
            body: printed(turn),
            headers: { 'idempotency-key': key === undefined ? newId() : checkedKey(key) },
            repeat: 'repeatable',
            isNamedHere: key === undefined,
          },
          options,
        ),
      ),
    listMessages: async (conversationId, options = {}) =>
      read(path(conversationId, 'messages'), fresh(conversationId, options)),
    getHistory: async (conversationId, options = {}) =>
      read(path(conversationId, 'history'), fresh(conversationId, options)),
    listChanges: async (conversationId, options = {}) =>
      read(path(conversationId, 'changes'), options),
    createSegment: async (conversationId, body = {}, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(conversationId, 'segments'),
          ...named(body, 'id', newId),
          repeat: 'repeatable',
        },
        options,
      ),
    listSegments: async (conversationId, options = {}) =>
      read(path(conversationId, 'segments'), options),
    getSegment: async (conversationId, id, options = {}) =>
      read(path(conversationId, 'segments', id), options),
    attachTts: async (conversationId, messageId, audio, options) =>
      attach(
        conversationId,
        path(conversationId, 'messages', messageId, 'tts'),
        audio,
        'repeatable',
        options,
      ),
    attachTtsToLatest: async (conversationId, audio, options) =>
      attach(conversationId, path(conversationId, 'tts'), audio, 'once', options),
    attachByKey: async (conversationId, audio, options = {}) =>
      noted(
        conversationId,
        await some<AttachedAudio | HeldAudio>(
          {
            method: 'PUT',
            path: path(conversationId, 'tts'),
            body: printed(audio),
            repeat: 'repeatable',
          },
          options,
        ),
      ),
    openTurn: async (conversationId, key, body = {}, options = {}) =>
      noted(
        conversationId,
        await some<OpenedTurn>(keyed(conversationId, 'open', key, body), options),
      ),
    completeTurn: async (conversationId, key, halves, options = {}) =>
      noted(
        conversationId,
        await request<CompletedTurn>(keyed(conversationId, 'complete', key, halves), options),
      ),
    interrupt: async (conversationId, messageId, report, options = {}) =>
      noted(
        conversationId,
        await some<InterruptedMessage>(
          {
            method: 'POST',
            path: path(conversationId, 'messages', messageId, 'interrupt'),
            ...named(report, 'at', now),
            repeat: 'repeatable',
          },
          options,
        ),
      ),
    startVoiceSession: async (conversationId, body = {}, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions'),
          ...named(body, 'id', newId),
          repeat: 'repeatable',
        },
        options,
      ),
    listVoiceSessions: async (conversationId, options = {}) =>
      read(path(conversationId, 'voice-sessions'), options),
    getVoiceSession: async (conversationId, id, options = {}) =>
      read(path(conversationId, 'voice-sessions', id), options),
    endVoiceSession: async (conversationId, id, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions', id, 'end'),
          repeat: 'once',
        },
        options,
      ),
    getHealth: async (options = {}) => read('/healthz', options),
    getReadiness: async (options = {}) =>
      some({ method: 'GET', path: '/readyz', repeat: 'repeatable', alsoFine: [503] }, options),
  }
}
