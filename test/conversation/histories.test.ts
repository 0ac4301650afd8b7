/** Histories on a KV that fails, and on a database that goes back. */
import { expect, test } from 'bun:test'
import { openKv } from '../../adapters/open.ts'
import { KvCache } from '../../src/conversation/cache/kv-cache.ts'
import type { Head } from '../../src/conversation/cache/rule.ts'
import { Histories, type HistoriesOptions } from '../../src/conversation/histories.ts'
import { encodeCursor } from '../../src/conversation/wire/ids.ts'
import { kvKeys } from '../../src/conversation/wire/kv-keys.ts'
import type { Message } from '../../src/conversation/wire/schemas.ts'
import type { Commit } from '../../src/conversation/writing/effects.ts'
import { createEvents } from '../../src/events.ts'
import type { Kv } from '../../src/ports/kv.ts'
import { plainMessage } from '../support/message.ts'
import { until } from '../support/servers/processes.ts'

const id = '0192f0c1-7c00-7000-8000-000000000001'
const principal = { tenant: 'default', subject: 'local', scopes: 'all' } as const

const messageAt = (seq: number, text: string): Message =>
  plainMessage(id, { seq, version: seq + 1, text })

/**
 * A node on a database that is a list of texts. Its version is 1 + the length of the list. `before`
 * runs before each snapshot.
 */
function nodeOn(kv: Kv, recordedTexts: string[], before: () => Promise<void> = async () => {}) {
  const erased = { isListed: false }
  const log: string[] = []
  const cache = new KvCache({
    kv,
    isShared: true,
    events: createEvents((line) => log.push(line)),
    ttlSeconds: 60,
    deadlineMs: 15,
    readyBytesMax: 1_000_000,
  })
  const snapshot = async () => {
    await before()
    const version = recordedTexts.length + 1
    const messages = recordedTexts.map((text, index) => messageAt(index + 1, text))
    const cursor = encodeCursor(id, version)
    return { version, lastSeq: recordedTexts.length, cursor, messages }
  }
  const histories = new Histories({
    // Histories uses only these two functions.
    reader: { newest: snapshot, history: snapshot } as unknown as HistoriesOptions['reader'],
    cache,
    versions: {
      current: () => Promise.resolve({ version: recordedTexts.length + 1, isErased: false }),
    },
    isErased: () => erased.isListed,
    isCoherent: true,
    historyMessagesMax: 100,
  })
  return {
    cache,
    log,
    erased,
    say(text: string) {
      recordedTexts.push(text)
      const version = recordedTexts.length + 1
      const commit: Commit = {
        tenant: principal.tenant,
        conversationId: id,
        from: version - 1,
        version,
        messages: [messageAt(recordedTexts.length, text)],
        touched: 'messages',
      }
      cache.effect.committed(commit)
    },
    async read(consistency: 'strong' | 'eventual') {
      const { texts, source } = await histories.history(principal, id, { last: 50, consistency })
      const contents = texts.map((text) => JSON.parse(new TextDecoder().decode(text)).content)
      return { contents, source }
    },
  }
}

test('a ready window newer than a restored database is never served', async () => {
  const { kv } = await openKv('memory:')
  const recordedTexts: string[] = []
  const node = nodeOn(kv, recordedTexts)
  for (const text of ['one', 'two', 'lost', 'lost as well']) node.say(text)
  expect((await node.read('strong')).contents).toHaveLength(4)
  // The database is restored from a backup and the KV emptied, but the node keeps running.
  recordedTexts.length = 2
  for await (const { key } of kv.list({ prefix: kvKeys.history(principal.tenant, id) }))
    await kv.delete(key)
  expect((await node.read('strong')).contents).toEqual(['one', 'two'])
  expect(node.log.join()).toContain('cache-ahead')
  for (const text of ['three', 'four']) node.say(text)
  expect((await node.read('strong')).contents).toEqual(['one', 'two', 'three', 'four'])
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})

test('a KV that hangs delays a read by one deadline only', async () => {
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
  const { contents, source } = await node.read('eventual')
  expect([contents, source, calls]).toEqual([['one'], 'database', ['getMany']])
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})

test('if a commit overtakes the fill of a cached window, a later read caches the window', async () => {
  const { kv } = await openKv('memory:')
  const headOf = async () => (await kv.get<Head>(kvKeys.head(principal.tenant, id))).value
  let snapshots = 0
  // A commit lands between the miss of the first reader and its fill.
  const node = nodeOn(kv, ['one'], async () => {
    snapshots += 1
    if (snapshots > 1) return
    node.say('two')
    await until('the commit is in the KV', async () => (await headOf())?.version === 3)
  })
  expect(await node.read('strong')).toEqual({ contents: ['one', 'two'], source: 'database' })
  expect((await headOf())?.full).toBe(false)
  await until('it is cached', async () => (await node.read('strong')).source === 'cache')
  expect(await headOf()).toMatchObject({ full: true, version: 3 })
  expect((await node.read('eventual')).source).toBe('cache')
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})

test('a node serves its ready windows without a snapshot while the KV is away', async () => {
  const { kv } = await openKv('memory:')
  let isAway = false
  const away: Kv = {
    ...kv,
    list(...args) {
      if (!isAway) return kv.list(...args)
      return { ...kv.list(...args), next: () => Promise.reject(new Error('away')) }
    },
    atomic() {
      if (isAway) throw new Error('away')
      return kv.atomic()
    },
  }
  let snapshots = 0
  const node = nodeOn(away, ['one'], async () => {
    snapshots += 1
  })
  await until('it is cached', async () => (await node.read('strong')).source === 'cache')
  isAway = true
  snapshots = 0
  node.say('two')
  for (let read = 0; read < 20; read += 1)
    expect(await node.read('strong')).toEqual({ contents: ['one', 'two'], source: 'database' })
  expect(snapshots).toBe(0)
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})

test('a conversation listed as erased is read from the database, although a window of it is cached', async () => {
  const { kv } = await openKv('memory:')
  let snapshots = 0
  const node = nodeOn(kv, ['one'], async () => {
    snapshots += 1
  })
  await until('it is cached', async () => (await node.read('eventual')).source === 'cache')
  node.erased.isListed = true
  snapshots = 0
  expect((await node.read('eventual')).source).toBe('database')
  expect(snapshots).toBe(1)
  node.erased.isListed = false
  expect((await node.read('eventual')).source).toBe('cache')
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})
