/** Versions of many conversations, read with one statement. */
import { afterAll, describe, expect, test } from 'bun:test'
import { createVersions } from '../../../src/conversation/reading/versions.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { freshPglite } from '../../support/servers/databases.ts'

const database = await freshPglite()
await database.migrate()
afterAll(() => database[Symbol.asyncDispose]())

const createConversation = async (tenant: string): Promise<string> => {
  const id = newId()
  await database.query({
    text: `INSERT INTO conversations (id, tenant, version, self_version, last_seq, created_at)
      VALUES ($1::uuid, $2, 7, 1, 0, now())`,
    params: [id, tenant],
  })
  return id
}

async function scans(): Promise<number> {
  await database.query({ text: 'SELECT pg_stat_force_next_flush()', params: [] })
  const [row] = await database.query<{ scans: number }>({
    text: "SELECT seq_scan AS scans FROM pg_stat_user_tables WHERE relname = 'conversations'",
    params: [],
  })
  return row?.scans ?? Number.NaN
}

describe('Versions', () => {
  test('versions of conversations are found by index, although the table was small when the plan was made', async () => {
    const versions = createVersions(database)
    const ids = [
      await createConversation('default'),
      await createConversation('default'),
      await createConversation('default'),
    ]
    await database.query({ text: 'ANALYZE conversations', params: [] })
    const before = await scans()
    for (let pass = 0; pass < 10; pass += 1) {
      const found = await Promise.all(ids.map((id) => versions.current('default', id)))
      expect(found).toMatchObject(ids.map(() => ({ version: 7, isErased: false })))
    }
    expect(await scans()).toBe(before)
  })

  test('a conversation of another tenant and an unknown id have no version', async () => {
    const versions = createVersions(database)
    const other = await createConversation('another')
    const answers = [other, newId()].map((id) => versions.current('default', id))
    expect(await Promise.all(answers)).toEqual([undefined, undefined])
  })
})
