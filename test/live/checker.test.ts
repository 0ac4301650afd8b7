/**
 * The checker of live delivery, on histories written by hand: a right one, and one for each broken
 * rule.
 */
import { expect, test } from 'bun:test'
import { encodeCursor } from '../../src/conversation/wire/ids.ts'
import { nullFields } from '../../src/conversation/wire/null-fields.ts'
import type { Message } from '../../src/conversation/wire/schemas.ts'
import type { ServerFrame } from '../../src/live/protocol/server-frames.ts'
import type {
  History,
  ProducerEvent,
  SubscriberEvent,
  TrueConversation,
  TrueMessage,
} from '../support/live/live-history.ts'
import { check, type Rule } from '../support/live/live-judge.ts'

const c = '00000000-0000-7000-8000-000000000001'
const at = (version: number) => encodeCursor(c, version)
const idOf = (n: number) => `00000000-0000-7000-8000-00000000010${n}`
const keyOf = (n: number) => `key-${n}`

const truly = (n: number, change: Partial<TrueMessage> = {}): TrueMessage => ({
  ...{ id: idOf(n), turnId: idOf(n), seq: n, version: n + 1, role: 'ai', parts: [`turn ${n}`] },
  ...{ messageType: 'text', voiceSessionId: null, ttsAudioUrls: null, key: keyOf(n) },
  ...change,
})
const message = (n: number, change: Partial<Message> = {}): Message => {
  const { key: _key, ...row } = truly(n)
  return {
    ...nullFields,
    ...{ ...row, parts: [...row.parts], ttsAudioUrls: null, role: 'ai', conversationId: c },
    ...{ content: `turn ${n}`, messageType: 'text', voiceSessionId: null, state: 'filled' },
    createdAt: '2026-11-23T09:00:00.000000Z',
    ...change,
  }
}

const got = (frame: ServerFrame): SubscriberEvent => ({ kind: 'frame', frame })
const asked = (version: number): SubscriberEvent => ({ kind: 'asked', c, cursor: at(version) })
const subscribed = (version: number) =>
  got({ t: 'subscribed', c, cursor: at(version), recovered: true })
const change = (from: number, version: number, messages: Message[]) =>
  got({ t: 'change', c, from, version, cursor: at(version), messages })
const sent = (n: number, socket = 1): ProducerEvent => ({
  ...{ kind: 'sent', c, key: keyOf(n), text: `turn ${n}`, socket },
})
const recorded = (n: number, answer: { version?: number; id?: string } = {}): ProducerEvent => ({
  ...{ kind: 'recorded', c, key: keyOf(n), version: answer.version ?? n + 1, replayed: false },
  ids: [null, answer.id ?? idOf(n)],
})

const opened: SubscriberEvent = { kind: 'opened' }
const closed: SubscriberEvent = { kind: 'closed' }
const begun = [opened, asked(1), subscribed(1)]
const rightEvents = [
  ...begun,
  change(1, 2, [message(1)]),
  closed,
  opened,
  asked(2),
  subscribed(2),
  change(2, 4, [message(2), message(3)]),
  got({ t: 'live', c, version: 4 }),
]
const rightSends = [sent(1), sent(2), recorded(1), recorded(2), sent(3), recorded(3)]
const rightTruth: TrueConversation = {
  ...{ version: 4, selfVersion: 1, lastSeq: 3, title: null, erased: false, segments: [] },
  messages: [truly(1), truly(2), truly(3)],
}

/** The parts of a history that differ from the right one. */
type Deviation = {
  readonly events?: readonly SubscriberEvent[]
  readonly sends?: readonly ProducerEvent[]
  readonly truth?: Partial<TrueConversation>
  readonly late?: true
  readonly faults?: readonly string[]
}

function rulesOf({
  events = rightEvents,
  sends = rightSends,
  truth = {},
  late,
  faults = [],
}: Deviation): Rule[] {
  const history: History = {
    subscribers: [{ name: 'reader', events: [...events] }],
    producers: [{ name: 'writer', events: [...sends] }],
    nodes: [{ name: 'node', faults }],
    arrivals: [{ name: 'reader', c, ms: late === true ? undefined : 1 }],
    truth: new Map([[c, { ...rightTruth, ...truth }]]),
  }
  return [...new Set(check(history).map(({ rule }) => rule))]
}

test('the log checker reports no fault for a log without a mistake', () => {
  expect(rulesOf({})).toEqual([])
})

const all = [message(1), message(2), message(3)]
const askedTail: SubscriberEvent = { kind: 'asked', c, tail: 3 }
const tailFrom = (version: number) =>
  got({ t: 'subscribed', c, cursor: at(version), recovered: false })
const snapshot = (messages: Message[]) =>
  got({ ...{ t: 'change', c, from: 0, version: 4, cursor: at(4) }, snapshot: true, messages })
test('the log checker accepts a tail, and a second request for the tail after a lost snapshot', () => {
  const again = [opened, askedTail, tailFrom(3), closed, opened, askedTail, tailFrom(4)]
  expect(rulesOf({ events: [...again, snapshot(all)] })).toEqual([])
})

const wrong: Record<string, [Rule, Deviation]> = {
  'a range that begins after the end of the one before': [
    'hole',
    { events: [...begun, change(1, 2, [message(1)]), change(3, 4, [message(3)])] },
  ],
  'a head in a ping whose change never arrived': [
    'hole',
    { events: [...begun, got({ t: 'ping', heads: { [c]: 4 } }), change(1, 4, all)] },
  ],
  'a message that arrives again after the reconnect': [
    'twice',
    { events: [...rightEvents.slice(0, 8), change(1, 4, all)] },
  ],
  'a version that goes back': [
    'order',
    { events: [...begun, change(1, 4, all), change(4, 3, [])] },
  ],
  'a row outside its range': [
    'order',
    { events: [...begun, change(1, 2, [message(1), message(2)]), change(2, 4, [message(3)])] },
  ],
  'a resume at another version than requested': [
    'resume',
    { events: [opened, asked(1), subscribed(4)] },
  ],
  'a client that resumes past its own version': [
    'resume',
    { events: [...rightEvents.slice(0, 6), asked(3), subscribed(3), change(3, 4, [message(3)])] },
  ],
  'a change on a socket that did not subscribe': [
    'resume',
    { events: [...rightEvents.slice(0, 6), change(2, 4, [message(2), message(3)])] },
  ],
  'a message that Postgres does not have': [
    'unfounded',
    { truth: { messages: [truly(1), truly(2)], lastSeq: 2 }, sends: rightSends.slice(0, 4) },
  ],
  'a message whose text differs from Postgres': [
    'unfounded',
    { events: [...begun, change(1, 4, [message(1, { parts: ['else'] }), ...all.slice(1)])] },
  ],
  'a version above the one in Postgres': ['unfounded', { events: [...begun, change(1, 5, all)] }],
  'a turn that no producer sent': ['unfounded', { sends: rightSends.slice(0, 4) }],
  'a range that leaves out one of its rows': [
    'folded',
    { events: [...begun, change(1, 4, [message(1), message(3)])] },
  ],
  'a reader that never reaches the head': ['folded', { events: rightEvents.slice(0, 4) }],
  'a reader that reaches the head too late': ['late', { late: true }],
  'an acknowledged turn that Postgres does not have': [
    'lost',
    { sends: [...rightSends, { ...sent(4) }, recorded(4)] },
  ],
  'a turn with another version than the acknowledged one': [
    'lost',
    {
      sends: [
        ...rightSends.slice(0, 5),
        {
          ...{ kind: 'recorded', c, key: keyOf(3), version: 4, replayed: false },
          ids: [idOf(2), idOf(3)],
        },
      ],
    },
  ],
  'acknowledged audio that Postgres does not have': [
    'lost',
    {
      sends: [
        ...rightSends,
        {
          ...{ kind: 'changed', c, version: 4, isUnsure: false },
          change: { what: 'audio', id: idOf(3), urls: ['https://audio.example/3'] },
        },
      ],
    },
  ],
  'a turn that Postgres has twice': [
    'doubled',
    { truth: { messages: [truly(1), truly(2), truly(3, { parts: ['turn 2'], key: keyOf(2) })] } },
  ],
  'a turn that was acknowledged under two ids': [
    'doubled',
    { sends: [...rightSends, recorded(3, { id: idOf(2) })] },
  ],
  'two turns that took one version': [
    'doubled',
    { sends: [...rightSends.slice(0, 3), recorded(2, { version: 2 }), ...rightSends.slice(4)] },
  ],
  'turns of one socket in another order': [
    'fifo',
    { sends: [sent(2), sent(1), recorded(1), recorded(2), sent(3), recorded(3)] },
  ],
  'a subscription that ended without a reason': [
    'refused',
    { events: [...rightEvents, got({ t: 'reset', c, reason: 'cursor-ahead' })] },
  ],
  'a client that starts again without its cursor': [
    'resume',
    { events: [...rightEvents.slice(0, 6), askedTail, tailFrom(4), snapshot(all)] },
  ],
  'a snapshot that leaves out a message': [
    'folded',
    { events: [opened, askedTail, tailFrom(4), snapshot([message(1), message(3)])] },
  ],
  'a snapshot without the newest message': [
    'folded',
    { events: [opened, askedTail, tailFrom(4), snapshot([message(1), message(2)])] },
  ],
  'a snapshot that is shorter than requested': [
    'resume',
    { events: [opened, askedTail, tailFrom(4), snapshot([message(3)])] },
  ],
  'a retried turn that was recorded as a new one': [
    'doubled',
    { sends: [...rightSends, recorded(3)] },
  ],
  'a socket that a node closed for a fault of its own': [
    'fault',
    { events: [...rightEvents, got({ t: 'bye', code: 4100, reason: 'internal' })] },
  ],
  'a problem that names no conversation': [
    'refused',
    {
      events: [
        ...rightEvents,
        got({
          ...{ t: 'problem', type: '', code: 'frame-invalid', title: '', status: 400, detail: '' },
          retryable: false,
        }),
      ],
    },
  ],
  'a node whose process ended by itself': ['fault', { faults: ['it ended by itself with 1'] }],
  'a gap in the seq of the messages': ['database', { truth: { lastSeq: 4 } }],
}

for (const [name, [rule, deviation]] of Object.entries(wrong))
  test(`the log checker finds ${name}`, () => {
    expect(rulesOf(deviation)).toContain(rule)
  })
