/** One complete example of each server frame, for docs/PROTOCOL.md and the AsyncAPI document. */
import { violation } from '../../conversation/wire/validation.ts'
import { violationProblem } from '../../problem.ts'
import { closings } from './close-codes.ts'
import {
  exampleConversationId as c,
  exampleAssistant,
  exampleAssistantId,
  exampleConversation,
  exampleCursor,
  exampleHuman,
  exampleHumanId,
  exampleSession,
  exampleSessionId as sessionId,
} from './example-rows.ts'
import { protocolName } from './frame-fields.ts'
import type { ServerFrames } from './server-frames.ts'

const missing = violation('field-missing', '/turn/assistant', 'is required')

const at = (version: number) => ({ c, version, cursor: exampleCursor(version) })

export const serverExamples: ServerFrames = {
  welcome: {
    t: 'welcome',
    v: protocolName,
    pingMs: 20_000,
    credit: { frames: 32, bytes: 1_048_576 },
    limits: { frameBytes: 135_168, subscriptions: 128, framesPerSecond: 5000 },
  },
  subscribed: { t: 'subscribed', id: '1', c, cursor: exampleCursor(1), recovered: true },
  change: {
    t: 'change',
    c,
    from: 1,
    version: 4,
    cursor: exampleCursor(4),
    messages: [exampleHuman, exampleAssistant],
    voiceSessions: [exampleSession],
    conversation: exampleConversation,
  },
  live: { t: 'live', c, version: 4 },
  recorded: {
    t: 'recorded',
    id: '3',
    ...at(4),
    humanMessageId: exampleHumanId,
    assistantMessageId: exampleAssistantId,
    replayed: false,
  },
  attached: {
    t: 'attached',
    id: '4',
    ...at(3),
    messageId: null,
    heldUntil: '2026-11-23T09:40:01.000000Z',
  },
  partial: { t: 'partial', c, role: 'human', text: 'Is there a table' },
  problem: { t: 'problem', id: '3', c, ...violationProblem([missing]).body(undefined) },
  reset: { t: 'reset', c, reason: 'cursor-ahead' },
  unsubscribed: { t: 'unsubscribed', id: '2', c },
  authenticated: { t: 'authenticated', id: '5', until: null },
  ping: { t: 'ping', heads: { [c]: 4 } },
  bye: {
    t: 'bye',
    code: closings.draining.code,
    reason: 'draining',
    retryMs: [...closings.draining.retryMs],
  },
  'turn.opened': {
    t: 'turn.opened',
    id: '6',
    ...at(3),
    humanMessageId: exampleHumanId,
    seq: 1,
    replayed: false,
  },
  'turn.completed': {
    t: 'turn.completed',
    id: '7',
    ...at(4),
    humanMessageId: exampleHumanId,
    assistantMessageId: exampleAssistantId,
    replayed: false,
  },
  interrupted: {
    t: 'interrupted',
    id: '8',
    ...at(5),
    messageId: exampleAssistantId,
    changed: true,
  },
  'voice.started': { t: 'voice.started', id: '9', ...at(2), sessionId },
  'voice.ended': { t: 'voice.ended', id: '10', ...at(6), sessionId },
}
