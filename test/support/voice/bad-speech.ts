/**
 * Invalid requests about speech, each with its status, its problem code, and the location that the
 * problem names.
 */
import { createHash } from 'node:crypto'
import { newId } from '../../../src/conversation/wire/ids.ts'

/** A conversation with turns and sessions for the requests. */
export type Scene = {
  readonly c: string
  readonly at: string
  readonly human: string
  readonly ai: string
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')
const url = 'https://a.example/1.wav'
const later = new Date(Date.now() + 86_400_000).toISOString()

/** A request for a route, and for the socket if it has such a frame. */
export type SpeechRequest = {
  path: string
  body: unknown
  key?: string
  method?: 'POST' | 'PUT'
  frame?: Record<string, unknown>
}

const open = (key: string, body: object = {}): SpeechRequest => ({
  path: '/turns/open',
  body,
  key,
  frame: { t: 'turn.open', key, ...body },
})
const complete = (key: string, body: object): SpeechRequest => ({
  path: '/turns/complete',
  body,
  key,
  frame: { t: 'turn.complete', key, ...body },
})
const interrupt = (messageId: string, body: object): SpeechRequest => ({
  path: `/messages/${messageId}/interrupt`,
  body,
  frame: { t: 'interrupt', messageId, ...body },
})
const attach = (body: object): SpeechRequest => ({
  path: '/tts',
  method: 'PUT',
  body,
  frame: { t: 'attach', ...body },
})
const start = (body: { id?: string }): SpeechRequest => ({
  path: '/voice-sessions',
  body,
  frame: { t: 'voice.start', ...(body.id === undefined ? {} : { sessionId: body.id }) },
})
const end = (id: string): SpeechRequest => ({
  path: `/voice-sessions/${id}/end`,
  body: undefined,
  frame: { t: 'voice.end', sessionId: id },
})

export const part = (of: object) => ({ part: 0, ttsAudioUrl: url, textHash: hashOf('Tea.'), ...of })

export const badSpeech: [
  string,
  (scene: Scene, other: Scene) => SpeechRequest,
  number,
  string,
  string?,
][] = [
  [
    'more heard characters than the message has',
    ({ ai }) => interrupt(ai, { heard: { characters: 18 } }),
    422,
    'heard-out-of-range',
    '/heard/characters',
  ],
  [
    'more heard parts than the message has',
    ({ ai }) => interrupt(ai, { heard: { parts: 4 } }),
    422,
    'heard-out-of-range',
    '/heard/parts',
  ],
  [
    'a negative number of heard characters',
    ({ ai }) => interrupt(ai, { heard: { characters: -1 } }),
    422,
    'field-invalid',
    '/heard/characters',
  ],
  [
    'half a heard character',
    ({ ai }) => interrupt(ai, { heard: { characters: 1.5 } }),
    422,
    'field-invalid',
    '/heard/characters',
  ],
  [
    'a number of heard parts past the range of integers',
    ({ ai }) => interrupt(ai, { heard: { parts: 1e300 } }),
    422,
    'field-invalid',
    '/heard/parts',
  ],
  [
    'an interruption without a measure',
    ({ ai }) => interrupt(ai, { heard: {} }),
    422,
    'field-invalid',
    '/heard',
  ],
  [
    'an interruption with an unknown measure',
    ({ ai }) => interrupt(ai, { heard: { words: 3 } }),
    422,
    'field-unknown',
    '/heard/words',
  ],
  [
    'an interruption with a time tomorrow',
    ({ ai }) => interrupt(ai, { heard: { parts: 1 }, at: later }),
    422,
    'time-ahead',
    '/at',
  ],
  [
    'an interruption of a human message',
    ({ human }) => interrupt(human, { heard: { parts: 0 } }),
    422,
    'message-not-ai',
  ],
  [
    'an interruption of a missing message',
    () => interrupt(newId(), { heard: { parts: 0 } }),
    404,
    'message-not-found',
  ],
  [
    'an interruption of a message of another conversation',
    (_, { ai }) => interrupt(ai, { heard: { parts: 0 } }),
    404,
    'message-not-found',
  ],
  [
    'a turn opened under the key of a recorded one',
    () => open('recorded'),
    409,
    'idempotency-conflict',
  ],
  [
    'a turn opened with a time tomorrow',
    () => open('new', { at: later }),
    422,
    'time-ahead',
    '/at',
  ],
  [
    'a turn opened with words',
    () => open('new', { user: { text: 'Tea' } }),
    422,
    'field-unknown',
    '/user',
  ],
  [
    'a completed turn that was not opened',
    () => complete('nobody', { user: { text: 'Tea' } }),
    404,
    'turn-not-open',
  ],
  [
    'a completed turn that was opened in another conversation',
    () => complete('elsewhere', { user: { text: 'Tea' } }),
    404,
    'turn-not-open',
  ],
  [
    'a completed turn that was recorded whole',
    () => complete('recorded', { user: { text: 'Tea?' } }),
    409,
    'idempotency-conflict',
  ],
  [
    'other words for a recorded human half',
    () => complete('done', { user: { text: 'Coffee' } }),
    409,
    'idempotency-conflict',
  ],
  [
    'another answer for a recorded AI half',
    () => complete('done', { assistant: { responses: ['Coffee it is.'] } }),
    409,
    'idempotency-conflict',
  ],
  [
    'one half with other words beside a half without',
    () => complete('done', { user: { text: 'Tea' }, assistant: { responses: ['No.'] } }),
    409,
    'idempotency-conflict',
  ],
  [
    'too many parts',
    () => complete('open', { assistant: { responses: ['a', 'b', 'c', 'd'] } }),
    422,
    'parts-too-many',
    '/assistant/responses',
  ],
  ['neither half', () => complete('open', {}), 422, 'field-missing'],
  [
    'a human half without words',
    () => complete('open', { user: {} }),
    422,
    'field-missing',
    '/user/text',
  ],
  [
    'part 7 of 3',
    () => attach({ ...part({ key: 'recorded', part: 7 }) }),
    422,
    'part-out-of-range',
  ],
  [
    'audio of another text',
    () => attach(part({ key: 'recorded', textHash: hashOf('Coffee.') })),
    409,
    'audio-stale',
  ],
  [
    'audio by key without the hash of its text',
    () => attach({ key: 'open', part: 0, ttsAudioUrl: url }),
    422,
    'field-missing',
    '/textHash',
  ],
  [
    'audio with an invalid hash',
    () => attach(part({ key: 'open', textHash: 'abc' })),
    422,
    'field-invalid',
    '/textHash',
  ],
  ['a started session that has ended', () => start({ id: 'over' }), 409, 'voice-session-ended'],
  ['a session ended twice', () => end('over'), 409, 'voice-session-ended'],
  ['an ended session that does not exist', () => end('nobody'), 404, 'voice-session-not-found'],
]
