/** A KV that answers late or never: how long a reader waits, and when nodes stop calling it. */
import { describe, expect, test } from 'bun:test'
import { openKv } from '../../../adapters/open.ts'
import type { Head } from '../../../src/conversation/cache/rule.ts'
import { kvKeys } from '../../../src/conversation/wire/kv-keys.ts'
import type { Kv, KvEntryMaybe, KvKey } from '../../../src/ports/kv.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import { until } from '../../support/servers/processes.ts'

/** A KV that counts its calls, each of which waits for the promise of `hold`. */
async function slowKv() {
  const opened = await openKv('memory:')
  const { kv } = opened
  const control = { hold: async () => {}, calls: 0 }
  const wait = () => {
    control.calls += 1
    return control.hold()
  }
  const slow: Kv = {
    ...kv,
    async get(key) {
      await wait()
      return await kv.get(key)
    },
    async getMany<T extends readonly unknown[]>(
      keys: readonly [...{ [K in keyof T]: KvKey }],
    ): Promise<{ [K in keyof T]: KvEntryMaybe<T[K]> }> {
      await wait()
      return await kv.getMany<T>(keys)
    },
    list<T>(...[selector, options]: Parameters<Kv['list']>) {
      const list = kv.list<T>(selector, options)
      const next = list.next.bind(list)
      return Object.assign(list, {
        async next() {
          await wait()
          return await next()
        },
      })
    },
    atomic() {
      const commit = kv.atomic()
      const end = commit.commit.bind(commit)
      return Object.assign(commit, {
        async commit() {
          await wait()
          return await end()
        },
      })
    },
  }
  return { control, opened: { ...opened, kv: slow, shared: true }, fast: kv }
}

const never = () => new Promise<void>(() => {})

const eventsOf = ({ log }: TestApp) => log.map((line): string => JSON.parse(line).event)

async function newTalk(app: TestApp) {
  const { body } = await app.ask('POST', '/v1/conversations', {})
  const id = String(body.id)
  const turn = { user: { text: 'a' }, assistant: { responses: ['b'] } }
  const say = async () =>
    Number((await app.ask('POST', `/v1/conversations/${id}/turns`, turn)).body.version)
  const read = (rest = '') => app.ask('GET', `/v1/conversations/${id}/history?last=50${rest}`)
  const isCached = async () =>
    (await read('&consistency=eventual')).headers.get('turnlog-source') === 'cache'
  await say()
  await until('it is cached', isCached)
  return { id, say, read }
}

describe('a KV that does not answer', () => {
  test('a silent KV is called once per read, even if the node has a ready window', async () => {
    const { control, opened } = await slowKv()
    await using app = await testApp({ kv: opened })
    const { read } = await newTalk(app)
    control.hold = never
    const before = control.calls
    const answer = await read('&consistency=eventual')
    expect(answer.headers.get('turnlog-source')).toBe('database')
    expect(control.calls - before).toBe(1)
    opened.kv.close()
  }, 30_000)

  test('a read whose cached window is ahead of the database does not wait for a KV that does not answer', async () => {
    const { control, opened, fast } = await slowKv()
    await using app = await testApp({ kv: opened, overrides: { cache: { readyBytesMax: 0 } } })
    const talk = await newTalk(app)
    const key = kvKeys.head('default', talk.id)
    const { value } = await fast.get<Head>(key)
    await fast.set(key, { ...value, version: 40 })
    control.hold = () => (eventsOf(app).includes('cache-ahead') ? never() : Promise.resolve())
    const before = control.calls
    const answer = await talk.read()
    expect([answer.status, answer.body.version]).toEqual([200, 2])
    expect(eventsOf(app)).toContain('cache-ahead')
    expect(control.calls).toBeGreaterThan(before)
    opened.kv.close()
  }, 30_000)
})

describe('a KV that answers too late for readers', () => {
  test('a KV that answers too late for readers is skipped, although it stores every write', async () => {
    const { control, opened, fast } = await slowKv()
    await using app = await testApp({ kv: opened })
    const talk = await newTalk(app)
    // Much longer than a busy machine delays the timers of this process.
    control.hold = () => Bun.sleep(400)
    const isSkipped = () => eventsOf(app).includes('cache-skipped')
    for (let n = 0; n < 60 && !isSkipped(); n += 1) {
      await talk.read('&consistency=eventual')
      const version = await talk.say()
      const isStored = async () => {
        const { value } = await fast.get<Head>(kvKeys.head('default', talk.id))
        return (value?.version ?? 0) >= version
      }
      await until('the write is in the KV', async () => isSkipped() || (await isStored()))
    }
    expect(isSkipped()).toBe(true)
    control.hold = async () => {}
    await until('the KV is used again', () => eventsOf(app).includes('cache-used'))
    opened.kv.close()
  }, 90_000)
})
