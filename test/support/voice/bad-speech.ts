/** What callers may get wrong about speech, each with its status, its code, and the place it names. */
import { createHash } from 'node:crypto'
import { newId } from '../../../src/conversation/wire/ids.ts'

export type Scene = {
  readonly c: string
  readonly at: string
  readonly human: string
  readonly ai: string
}

const hashOf = (text: string) => createHash('sha256').update(text).digest('hex')
const url = 'https://a.example/1.wav'
const later = new Date(Date.now() + 86_400_000).toISOString()

/** What is asked: of a route, and of the socket where there is a frame for it. */
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
    'more characters heard than were said',
    ({ ai }) => interrupt(ai, { heard: { characters: 18 } }),
    422,
    'heard-out-of-range',
    '/heard/characters',
  ],
  [
    'more parts heard than were said',
    ({ ai }) => interrupt(ai, { heard: { parts: 4 } }),
    422,
    'heard-out-of-range',
    '/heard/parts',
  ],
  [
    'less than nothing heard',
    ({ ai }) => interrupt(ai, { heard: { characters: -1 } }),
    422,
    'field-invalid',
    '/heard/characters',
  ],
  [
    'half a character heard',
    ({ ai }) => interrupt(ai, { heard: { characters: 1.5 } }),
    422,
    'field-invalid',
    '/heard/characters',
  ],
  [
    'a number of parts beyond all numbers',
    ({ ai }) => interrupt(ai, { heard: { parts: 1e300 } }),
    422,
    'field-invalid',
    '/heard/parts',
  ],
  [
    'nothing told of what was heard',
    ({ ai }) => interrupt(ai, { heard: {} }),
    422,
    'field-invalid',
    '/heard',
  ],
  [
    'heard by another name',
    ({ ai }) => interrupt(ai, { heard: { words: 3 } }),
    422,
    'field-unknown',
    '/heard/words',
  ],
  [
    'heard tomorrow',
    ({ ai }) => interrupt(ai, { heard: { parts: 1 }, at: later }),
    422,
    'time-ahead',
    '/at',
  ],
  [
    'a human message interrupted',
    ({ human }) => interrupt(human, { heard: { parts: 0 } }),
    422,
    'message-not-ai',
  ],
  [
    'a message interrupted that is not there',
    () => interrupt(newId(), { heard: { parts: 0 } }),
    404,
    'message-not-found',
  ],
  [
    'a message of another conversation interrupted',
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
  ['a turn opened tomorrow', () => open('new', { at: later }), 422, 'time-ahead', '/at'],
  [
    'a turn opened with words',
    () => open('new', { user: { text: 'Tea' } }),
    422,
    'field-unknown',
    '/user',
  ],
  [
    'a turn completed that nobody opened',
    () => complete('nobody', { user: { text: 'Tea' } }),
    404,
    'turn-not-open',
  ],
  [
    'a turn completed that another conversation opened',
    () => complete('elsewhere', { user: { text: 'Tea' } }),
    404,
    'turn-not-open',
  ],
  [
    'a turn completed that was recorded',
    () => complete('recorded', { user: { text: 'Tea?' } }),
    409,
    'idempotency-conflict',
  ],
  [
    'other words for a half that is there',
    () => complete('done', { user: { text: 'Coffee' } }),
    409,
    'idempotency-conflict',
  ],
  [
    'another answer for a half that is there',
    () => complete('done', { assistant: { responses: ['Coffee it is.'] } }),
    409,
    'idempotency-conflict',
  ],
  [
    'one half that contradicts beside one that does not',
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
    'audio of other words',
    () => attach(part({ key: 'recorded', textHash: hashOf('Coffee.') })),
    409,
    'audio-stale',
  ],
  [
    'audio by key without the hash of its words',
    () => attach({ key: 'open', part: 0, ttsAudioUrl: url }),
    422,
    'field-missing',
    '/textHash',
  ],
  [
    'audio with a hash that is none',
    () => attach(part({ key: 'open', textHash: 'abc' })),
    422,
    'field-invalid',
    '/textHash',
  ],
  ['a session started that has ended', () => start({ id: 'over' }), 409, 'voice-session-ended'],
  ['a session ended twice', () => end('over'), 409, 'voice-session-ended'],
  ['a session ended that was never there', () => end('nobody'), 404, 'voice-session-not-found'],
]
