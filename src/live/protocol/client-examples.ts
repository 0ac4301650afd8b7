/** One complete example of each client frame, for docs/PROTOCOL.md and the AsyncAPI document. */
import {
  exampleConversationId as c,
  exampleAssistantId,
  exampleCursor,
  exampleSegmentId,
  exampleTextHash,
  exampleKey as key,
  exampleSessionId as sessionId,
} from './example-rows.ts'
import type { ClientFrames } from './protocol.ts'

export const clientExamples: ClientFrames = {
  sub: { t: 'sub', id: '1', c, cursor: exampleCursor(3) },
  unsub: { t: 'unsub', id: '2', c },
  record: {
    t: 'record',
    id: '3',
    key,
    c,
    turn: {
      user: {
        text: 'Is there a table for two?',
        at: '2026-11-23T09:30:00.000000Z',
        voice: { sessionId, durationSeconds: 2, speechEndedAt: '2026-11-23T09:30:02.000000Z' },
      },
      assistant: {
        responses: ['There is one at eight.', 'Shall I book it?'],
        firstAudioAt: '2026-11-23T09:30:02.900000Z',
        metadata: { model: 'gpt-5', outputTokens: 14 },
      },
      segment: { id: exampleSegmentId },
    },
  },
  attach: {
    t: 'attach',
    id: '4',
    c,
    key,
    part: 1,
    ttsAudioUrl: 'https://audio.example/a1-2.mp3',
    textHash: exampleTextHash,
  },
  partial: { t: 'partial', c, role: 'human', text: 'Is there a table' },
  pong: { t: 'pong' },
  auth: { t: 'auth', id: '5', token: 'eyJhbGciOiJFZERTQSJ9.e30.c2lnbmF0dXJl' },
  'turn.open': { t: 'turn.open', id: '6', c, key, at: '2026-11-23T09:30:00.000000Z' },
  'turn.complete': {
    t: 'turn.complete',
    id: '7',
    c,
    key,
    user: { text: 'Is there a table for two?', voice: { sessionId, durationSeconds: 2 } },
    assistant: { responses: ['There is one at eight.', 'Shall I book it?'] },
  },
  interrupt: {
    t: 'interrupt',
    id: '8',
    c,
    messageId: exampleAssistantId,
    heard: { parts: 1, characters: 22, milliseconds: 1400 },
    at: '2026-11-23T09:30:04.300000Z',
  },
  'voice.start': { t: 'voice.start', id: '9', c, sessionId, metadata: { room: 'lobby' } },
  'voice.end': { t: 'voice.end', id: '10', c, sessionId },
}
