/**
 * Exports while other clients write, erase and reorder conversations, and the memory of an export.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import type { Rest } from '../../../src/client/client.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import type { RecordedTurn, Segment } from '../../../src/conversation/wire/schemas.ts'
import { exportConversations } from '../../../src/transfer/export/exporter.ts'
import { createConversations, type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { runTurnlog } from '../../support/servers/turnlog.ts'
import { folded, foldedFromApi } from '../../support/transfer/folded.ts'
import {
  comparable,
  exportedFrom,
  importedInto,
  memoryOutput,
  parsed,
  printed,
  restAt,
  silent,
} from '../../support/transfer/transfer.ts'
import { readAll, readConversation, readSegments } from '../../support/writing/checker.ts'
import { call, must, recordTurn } from '../../support/writing/client.ts'
import { seeded } from '../../support/writing/writer.ts'

/** `TRANSFERS=1000` is the long run. */
const passes = Math.ceil(Number(process.env['TRANSFERS'] ?? 40) / 4)

let databaseUrl: string
/** A node with small pages, so that an export needs many of them. */
let small: Node
let large: Node
const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))

beforeAll(async () => {
  databaseUrl = await testDatabaseUrl()
  small = await startNode({ DATABASE_URL: databaseUrl, TURNLOG_LIMITS_PAGE_LIMIT_MAX: '3' })
  large = await startNode({ DATABASE_URL: databaseUrl })
}, 30_000)
afterAll(async () => {
  await small[Symbol.asyncDispose]()
  await large[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const newConversation = async (): Promise<string> => {
  const [id = ''] = await createConversations(large.url, 1)
  return id
}
const turn = (text: string) => ({ user: { text }, assistant: { responses: [text] } })

async function exportOf(rest: Rest, ids: readonly string[] | undefined, canCut = true) {
  const output = memoryOutput({ canCut })
  const done = await exportConversations(rest, ids, output, silent)
  return { ...done, lines: parsed(output.text()) }
}

/** A client of the node with small pages. `before` runs before each GET, one after the other. */
function restWith(before: (path: string) => Promise<unknown>): Rest {
  let turns = Promise.resolve<unknown>(undefined)
  return restAt(small.url, {
    async fetch(url, init) {
      turns = turns.then(() => before(url.slice(small.url.length)))
      await turns
      return fetch(url, init)
    },
  })
}

/** Runs `act` once, at the nth path that matches. */
function onceAt(pattern: RegExp, nth: number, act: () => Promise<unknown>) {
  let count = 0
  return async (path: string) => {
    if (!pattern.test(path)) return
    count += 1
    if (count === nth) await act()
  }
}

/** Changes a conversation at each step, and keeps the state that the API shows at each version. */
function createWriter(id: string, random: () => number) {
  const path = `/v1/conversations/${id}`
  const shown = new Map<number, ReturnType<typeof foldedFromApi>>()
  const segments: string[] = []
  const messages: string[] = []
  const pick = (ids: readonly string[]) => ids[Math.floor(random() * ids.length)]
  let n = 0
  const look = async () => {
    const { version } = await readConversation(large.url, id)
    const { segments: storedSegments } = await readSegments(large.url, id)
    shown.set(version, foldedFromApi(await readAll(large.url, id), storedSegments))
  }
  const record = async (segment: string | undefined) => {
    const human = random() < 0.7
    const tag = {
      id: segment,
      ...(human && random() < 0.7 ? { agentResponse: `r${n}` } : {}),
    }
    const body = {
      ...(human ? { user: { text: `u${n}` } } : {}),
      assistant: { responses: [`a${n}`] },
      ...(segment === undefined ? {} : { segment: tag }),
    }
    const recorded = must(await call<RecordedTurn>(large.url, 'POST', `${path}/turns`, body))
    messages.push(recorded.assistantMessageId)
  }
  const attach = async (segmentId: string | undefined) => {
    const ttsAudioUrls = [`https://audio.example/${n}`, null]
    const body = { ttsAudioUrls, segmentId, updateSegment: random() < 0.7 }
    must(await call(large.url, 'PUT', `${path}/messages/${pick(messages)}/tts`, body))
  }
  const report = async () => {
    const heard = random() < 0.5 ? null : { characters: Math.floor(random() * 3) }
    const at = `2026-01-01T00:00:${String(n).padStart(2, '0')}Z`
    const url = `${path}/messages/${pick(messages.slice(0, 3))}/interrupt`
    must(await call(large.url, 'POST', url, { heard, at }))
  }
  return {
    shown,
    look,
    async step() {
      n += 1
      const dice = random()
      const segment = random() < 0.8 ? pick(segments) : undefined
      if (dice < 0.15)
        segments.push(must(await call<Segment>(large.url, 'POST', `${path}/segments`, {})).id)
      else if (dice < 0.5 || messages.length === 0) await record(segment)
      else if (dice < 0.8) await report()
      else await attach(segment)
      await look()
    },
  }
}

describe('an export of a conversation', () => {
  test('an export is exactly the conversation at its last version, even while others write', async () => {
    await using elsewhere = await startNode({ DATABASE_URL: await testDatabaseUrl() })
    const late = new Set<string>()
    for (let pass = 0; pass < passes; pass += 1) {
      const id = await newConversation()
      const random = seeded(pass)
      const { shown, step } = createWriter(id, random)
      for (let n = 0; n < 15; n += 1) await step()
      const rest = restWith(async () => {
        if (random() < 0.5) await step()
      })
      const { lines } = await exportOf(rest, [id])
      const end = lines.at(-1)
      if (end?.type !== 'end') throw new Error('no end')
      expect(folded(lines)).toEqual(shown.get(end.version) ?? foldedFromApi([], []))
      const types = lines.map(({ type }) => type)
      // No turn was opened before its words, so no line is a seat or a half.
      expect(types.filter((type) => type === 'half' || type === 'seat')).toEqual([])
      if (types.includes('messageAudio')) late.add('audio')
      for (const line of lines)
        if (line.type === 'heard') late.add(line.heard === null ? 'taken back' : 'heard')
      if (types.lastIndexOf('turn') > types.indexOf('messageAudio')) late.add('turn')
      if (types.lastIndexOf('segment') > types.indexOf('turn')) late.add('segment')
      expect((await importedInto(elsewhere.url, printed(lines))).reported).toEqual([])
      expect(folded(await exportedFrom(elsewhere.url, [id]))).toEqual(folded(lines))
    }
    // The writer changed each kind of object during an export.
    const kinds = ['audio', 'heard', 'segment', 'taken back', 'turn']
    expect([...late].sort((a, b) => (a < b ? -1 : 1))).toEqual(kinds)
  }, 600_000)

  test('a turn that is recorded between the first two requests is exported once', async () => {
    const id = await newConversation()
    const segments = Promise.withResolvers<void>()
    let requests = 0
    const rest = restAt(large.url, {
      async fetch(url, init) {
        if (url.includes('/messages') && requests++ === 0) {
          await segments.promise
          await recordTurn(large.url, id, {
            user: { text: 'u' },
            assistant: { responses: ['a'] },
          })
        }
        const answer = await fetch(url, init)
        if (url.includes('/segments')) segments.resolve()
        return answer
      },
    })
    const { lines } = await exportOf(rest, [id])
    expect(lines.map(({ type }) => type)).toEqual(['conversation', 'turn', 'end'])
  })

  test('a conversation erased during the export is left out, or ends with an erased line', async () => {
    for (const canCut of [true, false]) {
      const [id, other] = [await newConversation(), await newConversation()]
      for (let n = 0; n < 4; n += 1) must(await recordTurn(large.url, id, turn(`${n}`)))
      const erase = () => call(large.url, 'DELETE', `/v1/conversations/${id}`)
      const rest = restWith(onceAt(new RegExp(`${id}/messages`), 3, erase))
      const { lines, erased, withdrawn, conversations } = await exportOf(rest, [id, other], canCut)
      expect([erased, withdrawn, conversations]).toEqual([[id], canCut ? [] : [id], 1])
      const types = lines.map(({ type }) => type)
      expect(types.slice(-2)).toEqual(['conversation', 'end'])
      expect(types.includes('erased')).toBe(!canCut)
      if (canCut) expect(JSON.stringify(lines)).not.toContain(id)
    }
  })

  test('a missing conversation is reported, and the other ones are exported', async () => {
    const [id, erased, unknown] = [await newConversation(), await newConversation(), newId()]
    await call(large.url, 'DELETE', `/v1/conversations/${erased}`)
    const { lines, missing } = await exportOf(restAt(small.url), [unknown, id, erased])
    expect(lines.map(({ type }) => type)).toEqual(['conversation', 'end'])
    expect(missing.map(([one]) => one)).toEqual([unknown, erased])
  })
})

describe('an export of all', () => {
  test('an export of all contains a conversation that a turn moves past the page being read', async () => {
    const ids = await createConversations(large.url, 10)
    const [oldest = ''] = ids
    const touch = () => recordTurn(large.url, oldest, turn('moved'))
    const { lines } = await exportOf(restWith(onceAt(/conversations\?page/, 1, touch)), undefined)
    const found = lines.flatMap((line) => (line.type === 'conversation' ? [line.id] : []))
    expect(found).toEqual([...new Set(found)])
    for (const id of ids) expect(found).toContain(id)
  })
})

describe('an export of a long conversation', () => {
  test('the memory of an export does not grow with its length, and it reads no faster than its reader', async () => {
    const sql = postgres(databaseUrl, { max: 1, onnotice: () => {} })
    const id = await newConversation()
    await sql.begin((one) => [
      one`INSERT INTO conversation_messages (conversation_id, seq, id, tenant, turn_id, version, role,
          parts, message_type, created_at)
        SELECT ${id}, s, md5('m' || s)::uuid, 'default', md5('m' || (s - 1 + s % 2))::uuid, 1,
          CASE WHEN s % 2 = 1 THEN 'human' ELSE 'ai' END, ARRAY[repeat('x', 1000)], 'text', now()
        FROM generate_series(1, 20000) s`,
      one`UPDATE conversations SET last_seq = 20000 WHERE id = ${id}`,
    ])
    await sql.end()
    let pages = 0
    const counting = restAt(large.url, {
      fetch(url, init) {
        if (url.includes('/messages')) pages += 1
        return fetch(url, init)
      },
    })
    let turns = 0
    const heapSizes: number[] = []
    const output = {
      ...memoryOutput(),
      async write(line: string) {
        if (!line.startsWith('{"type":"turn"')) return
        turns += 1
        // Two pages are in memory: the one being written, and the next one.
        expect(pages).toBeLessThanOrEqual(Math.ceil(turns / 50) + 1)
        if (turns !== 1000 && turns !== 10_000) return
        Bun.gc(true)
        heapSizes.push(process.memoryUsage().heapUsed)
      },
    }
    await exportConversations(counting, [id], output, silent)
    const [early = 0, late = 0] = heapSizes
    // The lines between the two measurements have 23 MB.
    expect(late - early).toBeLessThan(4e6)
  }, 60_000)
})

describe('turnlog export', () => {
  const at = () => ['--url', large.url]

  test('turnlog export writes to standard output, or to a file that gets its name when complete', async () => {
    const id = await newConversation()
    must(await recordTurn(large.url, id, turn('hi')))
    const plain = await runTurnlog(['export', id, ...at()])
    expect([plain.code, plain.err]).toEqual([0, 'Exported 1 conversation with 2 messages.\n'])
    const path = join(directory, 'one.jsonl')
    const filed = await runTurnlog(['export', id, '--output', path, ...at()])
    expect([filed.code, filed.out]).toEqual([0, ''])
    expect(comparable(parsed(readFileSync(path, 'utf8')))).toEqual(comparable(parsed(plain.out)))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    expect(existsSync(`${path}.partial`)).toBe(false)
  })

  test('turnlog export ends with 1 if a conversation is missing, and with 2 for a wrong command line', async () => {
    const unknown = newId()
    const missing = await runTurnlog(['export', unknown, ...at()])
    expect([missing.code, missing.out]).toEqual([1, ''])
    expect(missing.err).toContain(unknown)
    for (const words of [[], ['--all', unknown], ['--al']]) {
      const { code, err } = await runTurnlog(['export', ...words])
      expect([code, err]).toEqual([2, expect.stringContaining('Usage: turnlog export')])
    }
    const away = await runTurnlog([
      'export',
      '--all',
      '--url',
      'http://127.0.0.1:9',
      '--patience',
      '0',
    ])
    expect([away.code, away.err]).toEqual([1, expect.stringContaining('cannot be reached')])
    expect((await runTurnlog(['export', '--help'])).out).toContain('Usage: turnlog export')
  })
})
