/** The routes of the REST API over a requester. */
import type { ErasureReceipt, RecordedTurn } from '../conversation/wire.ts'
import type { Attach, AttachedAudio, HeldAudio } from '../conversation/wire-audio.ts'
import type { CompletedTurn, InterruptedMessage, OpenedTurn } from '../conversation/wire-voice.ts'
import { newId } from './ids.ts'
import type { OwnWrites } from './own-writes.ts'
import type { Call, CallOptions, Requester } from './request.ts'
import type { ReadOptions, Rest } from './rest-api.ts'

const path = (...segments: readonly string[]) =>
  `/v1/conversations${segments.map((segment) => `/${encodeURIComponent(segment)}`).join('')}`

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
      await request<AttachedAudio>({ method: 'PUT', path: at, body: audio, repeat }, options),
    )

  const keyed = (conversationId: string, what: string, key: string, body: object): Call => ({
    method: 'POST',
    path: path(conversationId, 'turns', what),
    body,
    headers: { 'idempotency-key': key },
    repeat: 'repeatable',
  })

  return {
    createConversation: (body = {}, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(),
          body: { ...body, id: body.id ?? newId() },
          repeat: 'repeatable',
        },
        options,
      ),
    listConversations: (options = {}) => read(path(), options),
    getConversation: (id, options = {}) => read(path(id), options),
    patchConversation: (id, patch, { ifMatch, ...options } = {}) =>
      some(
        {
          method: 'PATCH',
          path: path(id),
          body: patch,
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
    recordTurn: async (conversationId, turn, { key = newId(), ...options } = {}) =>
      noted(
        conversationId,
        await request<RecordedTurn>(
          {
            method: 'POST',
            path: path(conversationId, 'turns'),
            body: turn,
            headers: { 'idempotency-key': key },
            repeat: 'repeatable',
          },
          options,
        ),
      ),
    listMessages: (conversationId, options = {}) =>
      read(path(conversationId, 'messages'), fresh(conversationId, options)),
    getHistory: (conversationId, options = {}) =>
      read(path(conversationId, 'history'), fresh(conversationId, options)),
    listChanges: (conversationId, options = {}) => read(path(conversationId, 'changes'), options),
    createSegment: (conversationId, body = {}, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(conversationId, 'segments'),
          body: { ...body, id: body.id ?? newId() },
          repeat: 'repeatable',
        },
        options,
      ),
    listSegments: (conversationId, options = {}) => read(path(conversationId, 'segments'), options),
    getSegment: (conversationId, id, options = {}) =>
      read(path(conversationId, 'segments', id), options),
    attachTts: (conversationId, messageId, audio, options) =>
      attach(
        conversationId,
        path(conversationId, 'messages', messageId, 'tts'),
        audio,
        'repeatable',
        options,
      ),
    attachTtsToLatest: (conversationId, audio, options) =>
      attach(conversationId, path(conversationId, 'tts'), audio, 'once', options),
    attachByKey: async (conversationId, audio, options = {}) =>
      noted(
        conversationId,
        await some<AttachedAudio | HeldAudio>(
          {
            method: 'PUT',
            path: path(conversationId, 'tts'),
            body: audio,
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
            // With a time of its own, a second try is none.
            body: { ...report, at: report.at ?? new Date().toISOString() },
            repeat: 'repeatable',
          },
          options,
        ),
      ),
    startVoiceSession: (conversationId, body = {}, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions'),
          body: { ...body, id: body.id ?? newId() },
          repeat: 'repeatable',
        },
        options,
      ),
    listVoiceSessions: (conversationId, options = {}) =>
      read(path(conversationId, 'voice-sessions'), options),
    getVoiceSession: (conversationId, id, options = {}) =>
      read(path(conversationId, 'voice-sessions', id), options),
    endVoiceSession: (conversationId, id, options = {}) =>
      some(
        {
          method: 'POST',
          path: path(conversationId, 'voice-sessions', id, 'end'),
          repeat: 'once',
        },
        options,
      ),
    getHealth: (options = {}) => read('/healthz', options),
    getReadiness: (options = {}) =>
      some({ method: 'GET', path: '/readyz', repeat: 'repeatable', alsoFine: [503] }, options),
  }
}
