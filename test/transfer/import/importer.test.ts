/** Imports of wrong lines, into failing services, and of conversations that exist already. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Problem } from '../../../src/client/client.ts'
import { newId } from '../../../src/conversation/wire/ids.ts'
import { conversationIdOf } from '../../../src/transfer/formats/derived-ids.ts'
import type { ExportLine } from '../../../src/transfer/formats/export-format.ts'
import { connect, failureText, refusalOf } from '../../../src/transfer/service-client.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { freePort } from '../../support/servers/processes.ts'
import { startProxy } from '../../support/servers/proxy.ts'
import { runTurnlog } from '../../support/servers/turnlog.ts'
import { comparable, exportedFrom, importedInto, printed } from '../../support/transfer/transfer.ts'
import { readAll, readConversation } from '../../support/writing/checker.ts'
import { call, recordTurn } from '../../support/writing/client.ts'
import { seeded } from '../../support/writing/writer.ts'

let node: Node
/** The node that exports come from. */
let other: Node
const directory = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
const path = (name: string) => join(directory, name)

beforeAll(async () => {
  node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  other = await startNode({ DATABASE_URL: await testDatabaseUrl() })
}, 30_000)
afterAll(async () => {
  await other[Symbol.asyncDispose]()
  await node[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const dialogue = (id: string, ...texts: string[]) => ({
  id,
  turns: texts.map((text, n) => ({ speaker: n % 2 === 0 ? 'user' : 'system', text })),
})
const chatOf = (user: string, assistant: string) => [
  { role: 'user', content: user },
  { role: 'assistant', content: assistant },
]
const idOf = (id: string, source = 'test.jsonl') => conversationIdOf(source, { id })
const texts = async (id: string) => (await readAll(node.url, id)).map(({ content }) => content)

/** Makes a conversation with some turns, and returns the lines of its export. */
async function exportWith(turns: number): Promise<{ id: string; lines: ExportLine[] }> {
  const id = newId()
  const texts = Array.from({ length: turns * 2 }, (_, n) => `${n}`)
  await importedInto(other.url, printed([dialogue(id, ...texts)]))
  return { id, lines: await exportedFrom(other.url, [id]) }
}

describe('lines that cannot be used', () => {
  test('an unusable line is reported by file and line, the others are imported, and the exit code is 1', async () => {
    const source = newId()
    writeFileSync(
      path('bad.jsonl'),
      [
        'no json',
        '{"some": "thing else"}',
        JSON.stringify(dialogue('1', 'a', 'b')),
        '{"turns": [{"speaker": "user"}]}',
        '',
        JSON.stringify({ messages: [] }),
        JSON.stringify({ ...dialogue('2', 'c', 'd'), filler: 'x'.repeat(3000) }),
        '{"turns": [',
        JSON.stringify(dialogue('3', 'e', 'f')),
      ].join('\n'),
    )
    const words = ['import', path('bad.jsonl'), '--source', source, '--line-bytes', '2000']
    const { code, out, err } = await runTurnlog([...words, '--url', node.url])
    expect(code).toBe(1)
    const named = err.split('\n').map((line) => line.replace(`${path('bad.jsonl')}:`, ''))
    expect(named).toEqual([
      expect.stringContaining('1: is not JSON'),
      '2: has none of the known formats (turnlog, chatgpt, langchain, ai-sdk, gemini, librechat, open-webui, livekit, sharegpt, openai, dialogues): it is an object with `some`. See docs/importing.md',
      '4: is not a dialogue: turns/0 has no `text`',
      '6: is not a dialogue: it has no list `turns`',
      expect.stringMatching(/^7: has \d{4} bytes, more than the 2000 that --line-bytes allows$/),
      expect.stringContaining('8: is not JSON'),
      '',
    ])
    expect(out).toMatch(/failed lines +6\n/)
    expect(out).toMatch(/conversations +2 {2}\(2 new/)
    expect(await texts(idOf('1', source))).toEqual(['a', 'b'])
    expect(await texts(idOf('3', source))).toEqual(['e', 'f'])
  })

  test('a line with a repeated name in one object is refused, because one of the members would be lost', async () => {
    const name = newId()
    const list = (text: string) => `"messages":${JSON.stringify(chatOf(text, 'Hello'))}`
    const { reported, tally } = await importedInto(
      node.url,
      [
        `{"id":"x",${list('FIRST')},${list('SECOND')}}`,
        `{"id":"y",${list('Hi').replace('"content"', '"content":"FIRST","content"')}}`,
        `{"id":"z","id":"w",${list('Hi')}}`,
        `{"id":"w",${list('Hi')}}`,
      ].join('\n'),
      { name },
    )
    expect(reported).toEqual([
      `${name}:1: has two members named \`messages\` in one object`,
      `${name}:2: has two members named \`content\` in the object at /messages/0`,
      `${name}:3: has two members named \`id\` in one object`,
    ])
    expect(tally.total('conversations new')).toBe(1)
    expect(await texts(idOf('w', name))).toEqual(['Hi', 'Hello'])
  })

  test('a line of 600 MiB is skipped without filling the memory', async () => {
    const piece = new Uint8Array(1024 * 1024).fill(0x20)
    let piecesToSend = 600
    const line = new ReadableStream<Uint8Array>({
      pull(controller) {
        piecesToSend -= 1
        if (piecesToSend > 0) return controller.enqueue(piece)
        controller.enqueue(
          new TextEncoder().encode(`1\n${JSON.stringify(dialogue('z', 'y', 'x'))}`),
        )
        controller.close()
      },
    })
    const words = ['import', '-', '--source', 's', '--format', 'dialogues', '--url', node.url]
    const { code, err, memory } = await runTurnlog(words, { stdin: line })
    expect([code, err]).toEqual([1, expect.stringContaining('standard input:1: has 6280')])
    expect(await texts(idOf('z', 's'))).toEqual(['y', 'x'])
    // The bound is half of the line, because a busy machine collects its garbage late.
    expect(memory).toBeLessThan(300e6)
  }, 30_000)
})

describe('times', () => {
  test('an import reports how many times were unreadable, with an example, and a message without a time gets that of its line', async () => {
    const name = newId()
    const line = (id: string, ...times: unknown[]) => ({
      id,
      turns: times.map((timestamp, n) => ({
        speaker: n % 2 === 0 ? 'user' : 'system',
        text: `${n}`,
        timestamp,
      })),
    })
    const lines = [
      line('1', '2024-05-20T10:13:21Z', 1716200002.000001),
      line('2', 12.5, 'soon'),
      { ...line('3', 'later', null), created: 1716200000 },
    ]
    const { tally } = await importedInto(node.url, printed(lines), { name })
    expect(tally.summary()).toContain(
      `times not understood 3  stored unchanged in the metadata, for example 12.5 in \`timestamp\`, ${name}:2\n`,
    )
    expect(tally.isClean()).toBe(true)
    const timesOf = async (id: string) => [
      (await readConversation(node.url, idOf(id, name))).createdAt,
      ...(await readAll(node.url, idOf(id, name))).map(({ createdAt }) => createdAt),
    ]
    expect(await timesOf('1')).toEqual([
      '2024-05-20T10:13:21.000000Z',
      '2024-05-20T10:13:21.000000Z',
      '2024-05-20T10:13:22.000001Z',
    ])
    expect(await timesOf('3')).toEqual([
      '2024-05-20T10:13:20.000000Z',
      '2024-05-20T10:13:20.000000Z',
      '2024-05-20T10:13:20.000001Z',
    ])
  })
})

describe('an import of an export', () => {
  test('an import continues after a wrong line, but stops a conversation at a missing turn', async () => {
    const one = await exportWith(3)
    const two = await exportWith(1)
    const strange = [...one.lines.slice(0, 2), 'strange', ...one.lines.slice(2)]
    const { reported } = await importedInto(node.url, printed(strange))
    expect(reported).toEqual(['test.jsonl:3: is not a line of an export'])
    expect(comparable(await exportedFrom(node.url, [one.id]))).toEqual(comparable(one.lines))

    const three = await exportWith(3)
    const holed = [...three.lines.filter((_, n) => n !== 2), ...two.lines]
    const first = await importedInto(node.url, printed(holed))
    expect(first.reported).toEqual([
      `test.jsonl:3: message 3 of conversation ${three.id} is missing before message 5: add its line, or use --allow-gaps`,
    ])
    expect(first.tally.isClean()).toBe(false)
    expect(await texts(three.id)).toEqual(['0', '1'])
    expect(await texts(two.id)).toEqual(['0', '1'])
    // The corrected file continues the conversation in the right order.
    expect((await importedInto(node.url, printed(three.lines))).reported).toEqual([])
    expect(comparable(await exportedFrom(node.url, [three.id]))).toEqual(comparable(three.lines))

    const four = await exportWith(3)
    const gap = printed(four.lines.filter((_, n) => n !== 2))
    const { reported: reportedOfGap, tally } = await importedInto(node.url, gap, {
      allowGaps: true,
    })
    expect([reportedOfGap, tally.total('turns moved')]).toEqual([[], 1])
    expect(await texts(four.id)).toEqual(['0', '1', '4', '5'])
  }, 30_000)

  test('an export that was cut off, lacks its first line or was erased is reported', async () => {
    const { id, lines } = await exportWith(2)
    const cut = await importedInto(node.url, printed(lines.slice(0, 2)))
    expect(cut.reported).toEqual([
      `test.jsonl:2: the lines of conversation ${id} stop here without an \`end\` line: the file was cut off`,
    ])
    const headless = await importedInto(node.url, printed(lines.slice(1, 3)))
    expect(headless.reported).toHaveLength(2)
    expect(headless.reported[0]).toContain(`belongs to conversation ${id}, but does not follow`)
    const { reported } = await importedInto(
      node.url,
      printed([lines[0], { type: 'erased', conversationId: id }]),
    )
    expect(reported).toEqual([
      `test.jsonl:2: conversation ${id} was erased during its export: erase what was imported of it`,
    ])
  })

  test('an export may be cut into several files, and one file may hold several conversations', async () => {
    const [one, two] = [await exportWith(3), await exportWith(2)]
    const lines = [...one.lines, ...two.lines]
    writeFileSync(path('part1'), printed(lines.slice(0, 2)))
    writeFileSync(path('part2'), printed(lines.slice(2)))
    const { code } = await runTurnlog(['import', path('part1'), path('part2'), '--url', node.url])
    expect(code).toBe(0)
    expect(comparable(await exportedFrom(node.url, [one.id, two.id]))).toEqual(comparable(lines))
  })

  test('a later export brings the turns and audio that were added since the last one', async () => {
    const id = newId()
    await importedInto(other.url, printed([dialogue(id, 'a', 'b')]))
    await importedInto(node.url, printed(await exportedFrom(other.url, [id])))
    const [, answer] = await readAll(other.url, id)
    const audio = { ttsAudioUrls: ['https://audio.example/1'] }
    await call(other.url, 'PUT', `/v1/conversations/${id}/messages/${answer?.id}/tts`, audio)
    await recordTurn(other.url, id, { assistant: { responses: ['c'] } })
    const lines = await exportedFrom(other.url, [id])
    const { reported, tally } = await importedInto(node.url, printed(lines))
    expect(reported).toEqual([])
    expect([tally.total('turns new'), tally.total('turns replayed'), tally.total('audio')]).toEqual(
      [1, 1, 1],
    )
    expect(comparable(await exportedFrom(node.url, [id]))).toEqual(comparable(lines))
  })

  test('an export of a later format version is refused at its first line', async () => {
    const { lines } = await exportWith(1)
    const { reported } = await importedInto(node.url, printed([{ ...lines[0], turnlog: 2 }]))
    expect(reported).toEqual([
      'test.jsonl:1: has version 2 of the export format, and this release reads version 1: use a newer release',
    ])
  })
})

describe('a refusal of the service', () => {
  test('a refused turn stops its conversation, and a later import continues it in order', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    const source = 'refused.jsonl'
    const lines = printed([
      dialogue('1', 'a', 'b', 'c', 'One. Two. Three.', 'e', 'f'),
      dialogue('2', 'g', 'h'),
    ])
    const options = { name: source, split: (text: string) => text.split(/(?<= )/) }
    {
      await using strict = await startNode({ DATABASE_URL, TURNLOG_LIMITS_PARTS_MAX: '2' })
      const { reported, tally } = await importedInto(strict.url, lines, options)
      expect(reported).toEqual([
        expect.stringMatching(/^refused.jsonl:1: .*has 3 parts .* at most 2/),
      ])
      expect(tally.summary()).toMatch(/refused +1 {2}turns: parts-too-many\n +not tried +1 /)
      expect(await readAll(strict.url, idOf('1', source))).toHaveLength(2)
      expect(await readAll(strict.url, idOf('2', source))).toHaveLength(2)
    }
    await using open = await startNode({ DATABASE_URL })
    expect((await importedInto(open.url, lines, options)).reported).toEqual([])
    const found = await readAll(open.url, idOf('1', source))
    expect(found.map(({ parts }) => parts.join(''))).toEqual([
      'a',
      'b',
      'c',
      'One. Two. Three.',
      'e',
      'f',
    ])
  })

  test('a conversation with a taken id, an erased id or a taken external id is refused', async () => {
    const [taken, erased, external] = [newId(), newId(), newId()]
    await call(node.url, 'POST', '/v1/conversations', { id: taken, title: 'mine' })
    await call(node.url, 'POST', '/v1/conversations', { id: erased })
    await call(node.url, 'DELETE', `/v1/conversations/${erased}`)
    await call(node.url, 'POST', '/v1/conversations', { externalId: `test.jsonl/${external}x` })
    const lines = [taken, erased, `${external}x`].map((id) => dialogue(id, 'a', 'b'))
    const { reported, tally } = await importedInto(node.url, printed(lines), { concurrency: 1 })
    expect(reported).toHaveLength(3)
    for (const code of ['conversation-taken', 'conversation-erased', 'external-id-taken'])
      expect(tally.summary()).toContain(`refused         1  conversations: ${code}`)
    expect(tally.summary()).toContain('not tried       3')
    // Nothing of these lines was recorded.
    expect(tally.summary()).toContain('failed lines    3')
    expect((await readConversation(node.url, taken)).lastSeq).toBe(0)
  })

  test('another dialogue under an id that was used is refused', async () => {
    const [one, other] = [dialogue('same', 'a', 'b'), dialogue('same', 'a', 'other')]
    const { reported } = await importedInto(node.url, printed([one, other]), { name: 'twice' })
    expect(reported).toEqual([expect.stringMatching(/^twice:2: has the same id as line 1, "same"/)])
    const later = await importedInto(node.url, printed([other]), { name: 'twice' })
    expect(later.reported).toEqual([
      expect.stringMatching(/^twice:1: .*idempotency-conflict.*--source/),
    ])
    expect(await texts(idOf('same', 'twice'))).toEqual(['a', 'b'])
  })
})

/** The members of a fake problem besides its code. */
const fakeProblem = { title: 'Fake', status: 503 }
const turn = { assistant: { responses: ['a'] } }

/**
 * Resolves with the end of a call: a refusal of this request, or a service that cannot be reached.
 */
const endOf = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    const refused = refusalOf(error)
    return refused === undefined ? { unreachable: failureText(error) } : { refused }
  })

describe('a service that fails for a while', () => {
  test('requests that fail for a while are retried with the same key, and each turn is recorded once', async () => {
    const url = new URL(node.url)
    await using proxy = await startProxy(Number(url.port))
    const random = seeded(5)
    let cuts = 0
    proxy.onServerBytes = () => {
      if (random() > 0.2) return 'pass'
      cuts += 1
      return 'cut'
    }
    const lines = Array.from({ length: 12 }, (_, n) =>
      dialogue(`${n}`, ...Array.from({ length: 10 }, (__, k) => `${n} ${k}`)),
    )
    const through = `http://127.0.0.1:${proxy.port}`
    const { reported, tally } = await importedInto(through, printed(lines), { name: 'flaky' })
    expect([reported, tally.total('turns new') + tally.total('turns replayed')]).toEqual([[], 60])
    expect(cuts).toBeGreaterThan(10)
    for (const { id, turns } of lines)
      expect(await texts(idOf(id, 'flaky'))).toEqual(turns.map(({ text }) => text))
  }, 60_000)

  test('a retry waits as long as Retry-After says, and gives up when the patience ends', async () => {
    const times: number[] = []
    const problem = { ...fakeProblem, code: 'overloaded', detail: 'Too many.', retryable: true }
    const fake = Bun.serve({
      port: 0,
      fetch: () => {
        times.push(performance.now())
        return times.length === 2
          ? Response.json({ fine: true })
          : Response.json(problem, { status: 503, headers: { 'retry-after': '1' } })
      },
    })
    const rest = connect({ url: `${fake.url}`, patienceMs: 1500 })
    expect(await rest.getHealth()).toEqual({ fine: true } as never)
    expect((times[1] ?? 0) - (times[0] ?? 0)).toBeGreaterThanOrEqual(1000)
    expect(await endOf(rest.getHealth())).toEqual({ unreachable: 'Too many.' })
    await fake.stop(true)
    const unreachable = connect({ url: `${fake.url}`, patienceMs: 0 })
    expect(await endOf(unreachable.getHealth())).toEqual({
      unreachable: expect.stringContaining('cannot be reached'),
    })
  })

  test('a request with an unknown outcome is retried, because every request of an import may be repeated', async () => {
    let count = 0
    const problem = { ...fakeProblem, code: 'outcome-unknown', detail: 'Lost.', retryable: false }
    const fake = Bun.serve({
      port: 0,
      fetch: () => {
        count += 1
        return count === 1 ? Response.json(problem, { status: 503 }) : Response.json({})
      },
    })
    const rest = connect({ url: `${fake.url}`, patienceMs: 10_000 })
    for (const write of [
      () => rest.createConversation({ id: newId() }),
      () => rest.recordTurn(newId(), turn, { key: 'k' }),
      () => rest.endVoiceSession(newId(), 's', { resend: true }),
    ]) {
      count = 0
      expect(await write()).toEqual({} as never)
      expect(count).toBe(2)
    }
    await fake.stop(true)
  })

  test('a permanent failure of one request refuses only that request', async () => {
    const problem = { ...fakeProblem, code: 'internal', detail: 'Sorry.', retryable: true }
    let count = 0
    const fake = Bun.serve({
      port: 0,
      fetch: ({ url }) => {
        count += 1
        return url.includes('/proxy')
          ? new Response('<html>', { status: 413 })
          : Response.json(problem, { status: 500 })
      },
    })
    const rest = connect({ url: `${fake.url}`, patienceMs: 60_000 })
    const refused = { refused: { code: 'internal', message: 'Sorry.' } }
    expect(await endOf(rest.getHealth())).toEqual(refused)
    expect(count).toBe(5)
    expect(await endOf(rest.recordTurn(newId(), turn, { key: 'k' }))).toEqual(refused)
    expect(count).toBe(10)
    const proxy = connect({ url: `${fake.url}proxy`, patienceMs: 60_000 })
    expect(await endOf(proxy.getHealth())).toMatchObject({ refused: { code: 'http-413' } })
    await fake.stop(true)
  }, 20_000)
})

describe('turnlog import', () => {
  test('turnlog import refuses a wrong command line with a reason, and imports nothing', async () => {
    writeFileSync(path('one.jsonl'), printed([dialogue('1', 'a', 'b')]))
    for (const [words, reason] of [
      [[], 'Name at least one file.'],
      [[path('none.jsonl')], 'cannot be read (ENOENT)'],
      [[path('one.jsonl'), '--split', 'words'], '--split must be sentences, not words'],
      [
        [path('one.jsonl'), '--format', 'csv'],
        '--format must be one of turnlog, chatgpt, langchain',
      ],
      [[path('one.jsonl'), '--sauce', 'x'], "'--sauce'"],
      [[path('one.jsonl'), '--url', 'localhost'], '--url must be an http or https URL'],
    ] as const) {
      const { code, out, err } = await runTurnlog(['import', ...words])
      expect([code, out, err]).toEqual([2, '', expect.stringContaining(reason)])
      expect(err).toContain('Usage: turnlog import')
    }
    const { code, out } = await runTurnlog(['import', '--help'])
    expect([code, out]).toEqual([0, expect.stringContaining('Usage: turnlog import')])
  }, 60_000)

  test('turnlog import ends with 1 if no server or another program listens at the URL', async () => {
    writeFileSync(path('one.jsonl'), printed([dialogue('1', 'a', 'b')]))
    const stranger = Bun.serve({ port: 0, fetch: () => new Response('hello') })
    for (const url of [`http://127.0.0.1:${await freePort()}`, `${stranger.url}`]) {
      const words = ['import', path('one.jsonl'), '--url', url, '--patience', '0']
      const { code, out, err } = await runTurnlog(words)
      expect([code, out, err]).toEqual([
        1,
        '',
        expect.stringMatching(/cannot be reached|is not JSON/),
      ])
    }
    await stranger.stop(true)
  })
})
