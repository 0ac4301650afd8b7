/** Where a history is read from, when the store or the database is not what it was. */
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

/** A database in a list, at version 1 + its length, and a node beside it; `before` each snapshot. */
function nodeOn(kv: Kv, said: string[], before: () => Promise<void> = async () => {}) {
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
    const version = said.length + 1
    const messages = said.map((text, index) => messageAt(index + 1, text))
    const cursor = encodeCursor(id, version)
    return { version, lastSeq: said.length, cursor, messages }
  }
  const histories = new Histories({
    // Only what the reads of histories use is there.
    reader: { newest: snapshot, history: snapshot } as unknown as HistoriesOptions['reader'],
    cache,
    versions: {
      current: () => Promise.resolve({ version: said.length + 1, isErased: false }),
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
  for await (const { key } of kv.list({ prefix: kvKeys.history(principal.tenant, id) }))
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

test('a window that lost its race into the store comes there with a later read', async () => {
  const { kv } = await openKv('memory:')
  const headOf = async () => (await kv.get<Head>(kvKeys.head(principal.tenant, id))).value
  let snapshots = 0
  // A commit lands between the miss of the first reader and its window.
  const node = nodeOn(kv, ['one'], async () => {
    snapshots += 1
    if (snapshots > 1) return
    node.say('two')
    await until('the commit is in the store', async () => (await headOf())?.version === 3)
  })
  expect(await node.read('strong')).toEqual({ spoken: ['one', 'two'], source: 'database' })
  expect((await headOf())?.full).toBe(false)
  await until('it is cached', async () => (await node.read('strong')).source === 'cache')
  expect(await headOf()).toMatchObject({ full: true, version: 3 })
  expect((await node.read('eventual')).source).toBe('cache')
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})

test('a store that is away costs nothing of what a node has at hand', async () => {
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
    expect(await node.read('strong')).toEqual({ spoken: ['one', 'two'], source: 'database' })
  expect(snapshots).toBe(0)
  await node.cache[Symbol.asyncDispose]()
  kv.close()
})

test('what is listed as erased is read from the database, whatever the store and the node have ready', async () => {
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
