/** The examples of voice operations, from the conversation of `examples.ts`. */

import type * as audio from '../../conversation/wire/audio-schemas.ts'
import { encodeCursor } from '../../conversation/wire/ids.ts'
import type { VoiceSession } from '../../conversation/wire/schemas.ts'
import type * as voice from '../../conversation/wire/voice-schemas.ts'
import { exampleIds, examples } from './examples.ts'

const { conversationId, assistantMessageId, voiceSessionId } = exampleIds
const [human, ai] = examples.recordedTurn.messages
const cursor = encodeCursor(conversationId, 4)

const voiceSession: VoiceSession = {
  id: voiceSessionId,
  conversationId,
  version: 2,
  metadata: { device: 'kitchen' },
  startedAt: '2026-11-23T09:29:55.000000Z',
  endedAt: null,
}

const seat = {
  ...human,
  parts: [''],
  content: '',
  messageType: 'text',
  voiceSessionId: null,
  durationSeconds: null,
  segmentId: null,
  state: 'pending',
} as const

export const voiceExamples = {
  openedTurn: {
    humanMessageId: human.id,
    seq: 1,
    version: 3,
    cursor: encodeCursor(conversationId, 3),
    message: { ...seat, parts: [...seat.parts] },
    replayed: false,
  },
  halves: {
    user: {
      text: 'Is there a table for two tonight?',
      voice: {
        sessionId: voiceSessionId,
        durationSeconds: 3,
        speechEndedAt: '2026-11-23T09:30:02.870000Z',
      },
    },
    assistant: {
      responses: ['There is one at eight.', 'Shall I book it?'],
      firstAudioAt: '2026-11-23T09:30:03.310000Z',
    },
  },
  completedTurn: {
    humanMessageId: human.id,
    assistantMessageId,
    version: 4,
    cursor,
    messages: [human, ai],
    replayed: false,
  },
  interruption: {
    heard: { characters: 12, milliseconds: 900 },
    at: '2026-11-23T09:30:04.210000Z',
  },
  interrupted: {
    messageId: assistantMessageId,
    version: 5,
    cursor: encodeCursor(conversationId, 5),
    message: {
      ...ai,
      version: 5,
      heard: { characters: 12, milliseconds: 900 },
      interruptedAt: '2026-11-23T09:30:04.210000Z',
    },
    changed: true,
  },
  attachByKey: {
    key: 'turn-7',
    part: 0,
    ttsAudioUrl: 'https://audio.example/a1.mp3',
    textHash: '6b0ae1a2bb08ab6ae0a6d3ea47b7f0a29ffd4ae2b3a8c9d04b64a8ff5bb1c9ed',
  },
  heldAudio: { heldUntil: '2026-11-23T09:40:00.000000Z', version: 3, cursor },
  newVoiceSession: { id: voiceSessionId, metadata: { device: 'kitchen' } },
  voiceSession,
  voiceSessionList: { voiceSessions: [voiceSession], nextPage: null, version: 4, cursor },
  voiceSessionReport: {
    ...voiceSession,
    figures: { turns: 12, audioSeconds: 41, interruptions: 3, responseMilliseconds: 440 },
  },
} as const satisfies {
  openedTurn: voice.OpenedTurn
  halves: voice.TurnHalves
  completedTurn: voice.CompletedTurn
  interruption: voice.Interruption
  interrupted: voice.InterruptedMessage
  attachByKey: audio.AttachByKey
  heldAudio: audio.HeldAudio
  newVoiceSession: voice.NewVoiceSession
  voiceSession: VoiceSession
  voiceSessionList: voice.VoiceSessionList
  voiceSessionReport: voice.VoiceSessionReport
}
