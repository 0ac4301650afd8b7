/** An import that is killed and run again makes the same conversations as an uninterrupted one. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { newId } from '../../../src/conversation/wire/ids.ts'
import type { ExportLine } from '../../../src/transfer/formats/export-format.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { until } from '../../support/servers/processes.ts'
import { runTurnlog, startTurnlog } from '../../support/servers/turnlog.ts'
import { dialogueFiles, dialoguePath, dialoguesAreHere } from '../../support/transfer/dialogues.ts'
import { comparable, exportedFrom, printed } from '../../support/transfer/transfer.ts'
import { call, must } from '../../support/writing/client.ts'
import { seeded } from '../../support/writing/writer.ts'

/** `TRANSFERS=1000` is the long run: more kills, and whole files. */
const long = process.env['TRANSFERS']
const kills = Math.ceil(Number(long ?? 40) / 20)
const dialoguesMax = long === undefined ? 80 : Number.POSITIVE_INFINITY

const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
let clean: Node
let node: Node
let sql: postgres.Sql

beforeAll(async () => {
  const DATABASE_URL = await testDatabaseUrl()
  clean = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  node = await startNode({ DATABASE_URL })
  sql = postgres(DATABASE_URL, { max: 1, onnotice: () => {} })
}, 30_000)
afterAll(async () => {
  await sql.end()
  await clean[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const fine = expect.stringMatching(/failed lines +0\n/)

/** Imports a file, and kills the import several times, each after a random number of messages. */
async function importWithKills(path: string, messages: number, random: () => number) {
  const words = ['import', path, '--split', 'sentences', '--concurrency', '16', '--url', node.url]
  const count = async () => {
    const [row] = await sql`SELECT coalesce(sum(last_seq), 0)::integer AS n FROM conversations`
    return Number(row?.['n'])
  }
  const before = await count()
  const goals = Array.from({ length: kills }, () => Math.floor(random() * messages * 0.9))
  for (const goal of goals.sort((a, b) => a - b)) {
    const run = startTurnlog(words)
    await until(`${goal} are there`, async () => (await count()) - before > goal, 300_000)
    run.kill()
    expect((await run.ended).code).toBe(137)
  }
  const { code, out } = await runTurnlog(words)
  expect([code, out]).toEqual([0, fine])
}

const idsOf = (lines: readonly ExportLine[]) =>
  lines.flatMap((line) => (line.type === 'conversation' ? [line.id] : []))

describe(`an import killed ${kills} times and run again`, () => {
  test.skipIf(!dialoguesAreHere).each(dialogueFiles)(
    'a killed import of %s ends equal to an uninterrupted one',
    async (file) => {
      const lines = readFileSync(dialoguePath(file), 'utf8')
        .trim()
        .split('\n')
        .slice(0, dialoguesMax)
      const path = join(directory, file)
      writeFileSync(path, `${lines.join('\n')}\n`)
      const words = ['import', path, '--split', 'sentences', '--url', clean.url]
      const whole = await runTurnlog(words)
      expect([whole.code, whole.out]).toEqual([0, fine])
      const utterances = lines.flatMap((line) => JSON.parse(line).turns)
      await importWithKills(path, utterances.length, seeded(file.length))

      const source = (await exportedFrom(clean.url)).filter(
        (line) => line.type !== 'conversation' || line.externalId?.startsWith(`${file}/`),
      )
      const ids = idsOf(source)
      const expected = await exportedFrom(clean.url, ids)
      const turns = expected.filter(({ type }) => type === 'turn')
      expect([ids.length, turns.length * 2]).toEqual([lines.length, utterances.length])
      // The dialogues have no times, so their messages have the times of the import.
      expect(comparable(await exportedFrom(node.url, ids), { withTimes: false })).toEqual(
        comparable(expected, { withTimes: false }),
      )
    },
    1_800_000,
  )

  test('a killed import of an export with segments, audio and times ends equal to its source', async () => {
    const random = seeded(1)
    const ids = Array.from({ length: 10 }, newId)
    await Promise.all(ids.map((id) => fill(id, random)))
    const lines = await exportedFrom(clean.url, ids)
    expect(lines.filter(({ type }) => type === 'segmentAudio').length).toBeGreaterThan(10)
    const path = join(directory, 'export.jsonl')
    writeFileSync(path, printed(lines))
    await importWithKills(path, 10 * 16 * 2, random)
    expect(comparable(await exportedFrom(node.url, ids))).toEqual(comparable(lines))
  }, 1_800_000)
})

/**
 * Makes a conversation of 16 turns and 4 segments, whose audio mostly differs from that of their
 * messages.
 */
async function fill(id: string, random: () => number): Promise<void> {
  const path = `/v1/conversations/${id}`
  const ask = async (method: string, to: string, body: unknown) =>
    must(await call<{ assistantMessageId: string }>(clean.url, method, to, body))
  await ask('POST', '/v1/conversations', { id })
  const segments = Array.from({ length: 4 }, newId)
  for (const segment of segments) await ask('POST', `${path}/segments`, { id: segment })
  const pick = () => segments[Math.floor(random() * segments.length)]
  for (let n = 0; n < 16; n += 1) {
    const tag = { id: pick(), ...(random() < 0.5 ? { agentResponse: `r${n}` } : {}) }
    const body = { user: { text: `u${n}` }, assistant: { responses: [`a${n}`] }, segment: tag }
    const { assistantMessageId } = await ask('POST', `${path}/turns`, body)
    for (const updateSegment of [true, false])
      if (random() < 0.5)
        await ask('PUT', `${path}/messages/${assistantMessageId}/tts`, {
          ttsAudioUrls: [`https://audio.example/${n}/${updateSegment}`],
          segmentId: pick(),
          updateSegment,
        })
  }
}
