/** The judge of the fault runs accepts right reads and finds each kind of wrong one. */
import { describe, expect, test } from 'bun:test'
import { nullFields } from '../../../src/conversation/wire/null-fields.ts'
import type { Message } from '../../../src/conversation/wire/schemas.ts'
import {
  type AcknowledgedChange,
  digestOf,
  judgeReads,
  type ReadRecord,
} from '../../support/cache/read-judge.ts'

const message = (seq: number, version: number, ttsAudioUrls: string[] | null = null): Message => ({
  id: `message-${seq}`,
  conversationId: 'c',
  turnId: `message-${seq}`,
  seq,
  version,
  role: seq % 2 === 1 ? 'human' : 'ai',
  parts: [`text ${seq}`],
  content: `text ${seq}`,
  messageType: 'text',
  ...nullFields,
  ttsAudioUrls,
  createdAt: '2026-01-01T00:00:00.000000Z',
  state: 'filled',
})

/** Versions 2 to 5: three turns, and audio of the second turn's answer. */
const first = [message(1, 2), message(2, 2)]
const second = [message(3, 3), message(4, 3)]
const spoken = message(4, 4, ['https://audio.example/1'])
const third = [message(5, 5), message(6, 5)]
const changes: readonly AcknowledgedChange[] = [
  { version: 5, messages: third },
  { version: 2, messages: first },
  { version: 4, messages: [spoken] },
  { version: 3, messages: second },
]
const now = [...first, second[0] ?? spoken, spoken, ...third]

const read = (
  change: Partial<ReadRecord> = {},
  messages: readonly Message[] = now,
): ReadRecord => ({
  request: { last: 50 },
  mode: 'strong',
  floor: 5,
  startedAt: 10,
  endedAt: 11,
  version: 5,
  source: 'cache',
  messages: messages.map(digestOf),
  ...change,
})
const old = (change: Partial<ReadRecord> = {}) =>
  read({ mode: 'eventual', floor: 0, version: 3, ...change }, [...first, ...second])

const right: Record<string, readonly ReadRecord[]> = {
  'the newest version': [read()],
  'an old version in an eventual read': [old()],
  'an old version from the database after a newer one from the cache': [
    read(),
    old({ source: 'database', startedAt: 20, endedAt: 21 }),
  ],
  'an old version whose read began before a newer one ended': [
    read({ startedAt: 10, endedAt: 30 }),
    old({ startedAt: 20, endedAt: 21 }),
    old({ startedAt: 29, endedAt: 40 }),
  ],
  pages: [
    read({ request: { last: 2 } }, third),
    read({ request: { newest: 2 } }, [...third].reverse()),
    read({ request: { after: 4, limit: 20 } }, third),
    read({ request: { after: 0, limit: 2 } }, first),
    read({ request: { before: 3, limit: 20 } }, first),
    read({ request: { before: 7, limit: 2 } }, third),
  ],
}

const wrong: Record<
  string,
  { reads: readonly ReadRecord[]; reason: RegExp; newestShown?: number }
> = {
  'a strong read behind an acknowledged version': {
    reads: [old({ mode: 'strong', floor: 4 })],
    reason: /strong read .* is behind 4/,
  },
  'a read behind its minCursor': {
    reads: [old({ mode: 'floor', floor: 5 })],
    reason: /floor read .* is behind 5/,
  },
  'the cache going back': {
    reads: [read(), old({ startedAt: 20, endedAt: 21 })],
    reason: /version 3 from the cache comes after 5 was shown/,
  },
  'the cache going back behind a read of an earlier judgement': {
    reads: [old({ startedAt: 20, endedAt: 21 })],
    reason: /comes after 4 was shown/,
    newestShown: 4,
  },
  'an old window under a new version': {
    reads: [read({}, [...first, ...second, ...third])],
    reason: /is not what was written/,
  },
  'a new message under an old version': {
    reads: [read({ mode: 'eventual', floor: 0, version: 4 })],
    reason: /version 4 .* is not what was written/,
  },
  'a missing message': {
    reads: [read({}, now.toSpliced(2, 1))],
    reason: /is not what was written/,
  },
  'a window cut short': { reads: [read({}, now.slice(2))], reason: /is not what was written/ },
  'a message twice': { reads: [read({}, [...now, ...third])], reason: /is not what was written/ },
  'another order': { reads: [read({}, now.toReversed())], reason: /is not what was written/ },
  'the page before the one asked for': {
    reads: [read({ request: { after: 4, limit: 20 } }, second)],
    reason: /"after":4.* is not what was written/,
  },
  'a version that was never acknowledged': {
    reads: [read({ version: 6 })],
    reason: /version 6 .* is ahead of 5/,
  },
}

describe('judgeReads', () => {
  for (const [name, reads] of Object.entries(right))
    test(`the judge of reads accepts ${name}`, () => {
      expect(judgeReads({ changes, reads })).toEqual([])
    })

  for (const [name, { reads, reason, newestShown = 0 }] of Object.entries(wrong))
    test(`the judge of reads finds ${name}`, () => {
      const found = judgeReads({ changes, reads, newestShown })
      expect(found).toHaveLength(1)
      expect(found[0]).toMatch(reason)
    })

  test('the judge of reads finds a version that has two changes and a version that has no change', () => {
    const twice = changes.map((change) =>
      change.version === 4 ? { ...change, version: 3 } : change,
    )
    expect(judgeReads({ changes: twice, reads: [] })).toEqual(['change 3 has version 3, not 4'])
  })
})
