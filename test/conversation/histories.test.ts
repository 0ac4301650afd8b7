/** Where a history is read from, when the store or the database is not what it was. */
import { expect, test } from 'bun:test'
import { openKv } from '../../adapters/open.ts'
import { type Cache, createCache } from '../../src/conversation/cache.ts'
import type { Commit } from '../../src/conversation/effects.ts'
import { createHistories, type HistoriesOptions } from '../../src/conversation/histories.ts'
import { encodeCursor } from '../../src/conversation/ids.ts'
import { messageOf } from '../../src/conversation/rows.ts'
import type { Message } from '../../src/conversation/wire.ts'
import { createEvents } from '../../src/events.ts'
import type { Kv } from '../../src/ports/kv.ts'

const id = '0192f0c1-7c00-7000-8000-000000000001'
const principal = { tenant: 'default', subject: 'local', scopes: 'all' } as const

const messageAt = (seq: number, text: string): Message =>
  messageOf(id, {
    id: `0192f0c1-7c00-7000-8000-${String(seq).padStart(12, '0')}`,
    turnId: `0192f0c1-7c00-7000-8000-${String(seq).padStart(12, '0')}`,
    seq,
    version: seq + 1,
    role: 'ai',
    parts: [text],
    messageType: 'text',
    voiceSessionId: null,
    durationSeconds: null,
    segmentId: null,
    ttsAudioUrls: null,
    memoryRetrievalTrace: null,
    metadata: null,
    createdAt: '2026-11-23T09:30:00.123456Z',
    state: 'filled',
    heard: null,
    interruptedAt: null,
    speechEndedAt: null,
    firstAudioAt: null,
  })

/** A database in a list, at version 1 + its length, and a node beside it. */
function nodeOn(kv: Kv, said: string[]) {
  const log: string[] = []
  const cache: Cache = createCache({
    kv,
    events: createEvents((line) => log.push(line)),
    ttlSeconds: 60,
    deadlineMs: 15,
    readyBytesMax: 1_000_000,
  })
  const snapshot = () => {
    const version = said.length + 1
    const messages = said.map((text, index) => messageAt(index + 1, text))
    const cursor = encodeCursor(id, version)
    return Promise.resolve({ version, lastSeq: said.length, cursor, messages })
  }
  const histories = createHistories({
    // Only what the reads of histories use is there.
    reader: { newest: snapshot, history: snapshot } as unknown as HistoriesOptions['reader'],
    cache,
    versions: {
      current: () => Promise.resolve({ version: said.length + 1, isErased: false }),
    },
    isCoherent: true,
    historyMessagesMax: 100,
  })
  return {
    cache,
    log,
    say(text: string) {
      said.push(text)
      const version = said.length + 1
      const commit: Commit = {
        tenant: principal.tenant,
        conversationId: id,
        from: version - 1,
        version,
        messages: [messageAt(said.length, text)],
        touched: 'messages',
      }
      cache.effect.committed(commit)
    },
    async read(consistency: 'strong' | 'eventual') {
      const { texts, source } = await histories.history(principal, id, { last: 50, consistency })
      const spoken = texts.map((text) => JSON.parse(new TextDecoder().decode(text)).content)
      return { spoken, source }
    },
  }
}

test('what a node keeps of a future that a restored database does not have is never served', async () => {
  const { kv } = await openKv('memory:')
  const said: string[] = []
  const node = nodeOn(kv, said)
  for (const text of ['one', 'two', 'lost', 'lost as well']) node.say(text)
  expect((await node.read('strong')).spoken).toHaveLength(4)
  // Restored from a backup, and the store emptied, as is wise; the node goes on.
  said.length = 2
  for await (const { key } of kv.list({ prefix: ['history', `${principal.tenant}/${id}`] }))
    await kv.delete(key)
  expect((await node.read('strong')).spoken).toEqual(['one', 'two'])
  expect(node.log.join()).toContain('cache-ahead')
  for (const text of ['three', 'four']) node.say(text)
  expect((await node.read('strong')).spoken).toEqual(['one', 'two', 'three', 'four'])
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})

test('a store that hangs costs a read one deadline', async () => {
  const { kv } = await openKv('memory:')
  const calls: string[] = []
  let isHung = false
  const hanging: Kv = {
    ...kv,
    getMany(...args) {
      calls.push('getMany')
      return isHung ? new Promise(() => {}) : kv.getMany(...args)
    },
    list(...args) {
      calls.push('list')
      if (!isHung) return kv.list(...args)
      return { ...kv.list(...args), next: () => new Promise(() => {}) }
    },
  }
  const node = nodeOn(hanging, [])
  node.say('one')
  await node.read('strong')
  isHung = true
  calls.length = 0
  const { spoken, source } = await node.read('eventual')
  expect([spoken, source, calls]).toEqual([['one'], 'database', ['getMany']])
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})
