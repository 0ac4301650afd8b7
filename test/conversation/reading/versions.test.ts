/** Versions of many conversations at once. */
import { afterAll, describe, expect, test } from 'bun:test'
import { createVersions } from '../../../src/conversation/reading/versions.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { freshPglite } from '../../support/servers/databases.ts'

const database = await freshPglite()
await database.migrate()
afterAll(() => database[Symbol.asyncDispose]())

const made = async (tenant: string): Promise<string> => {
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

describe('the versions of conversations', () => {
  test('are found by key, however small the table is: it grows under the plan', async () => {
    const versions = createVersions(database)
    const mine = [await made('default'), await made('default'), await made('default')]
    await database.query({ text: 'ANALYZE conversations', params: [] })
    const before = await scans()
    for (let round = 0; round < 10; round += 1) {
      const found = await Promise.all(mine.map((id) => versions.current('default', id)))
      expect(found).toMatchObject(mine.map(() => ({ version: 7, isErased: false })))
    }
    expect(await scans()).toBe(before)
  })

  test('are none of another tenant, nor of what is not there', async () => {
    const versions = createVersions(database)
    const other = await made('another')
    const asked = [other, newId()].map((id) => versions.current('default', id))
    expect(await Promise.all(asked)).toEqual([undefined, undefined])
  })
})
