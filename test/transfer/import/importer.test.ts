/** What an import does with lines that are wrong, a service that fails, and what is there already. */
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
import { exportedFrom, importedInto, lasting, printed } from '../../support/transfer/transfer.ts'
import { readAll, readConversation } from '../../support/writing/checker.ts'
import { call, recordTurn } from '../../support/writing/client.ts'
import { seeded } from '../../support/writing/writer.ts'

let node: Node
/** Where exports come from. */
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

/** Lines of an export of one conversation with some turns. */
async function exportWith(turns: number): Promise<{ id: string; lines: ExportLine[] }> {
  const id = newId()
  const texts = Array.from({ length: turns * 2 }, (_, n) => `${n}`)
  await importedInto(other.url, printed([dialogue(id, ...texts)]))
  return { id, lines: await exportedFrom(other.url, [id]) }
}

describe('lines that cannot be used', () => {
  test('are named by file and line, the rest goes on, and the exit code says so', async () => {
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
      '2: is of no format that is known',
      '4: is no dialogue: turns/0 has no `text`',
      '6: is no dialogue: it has no list `turns`',
      expect.stringMatching(/^7: has \d{4} bytes, and may have 2000 at most$/),
      expect.stringContaining('8: is not JSON'),
      '',
    ])
    expect(out).toMatch(/failed lines +6\n/)
    expect(out).toMatch(/conversations +2 {2}\(2 new/)
    expect(await texts(idOf('1', source))).toEqual(['a', 'b'])
    expect(await texts(idOf('3', source))).toEqual(['e', 'f'])
  })

  test('with a name that stands twice in one object are refused whole, for one of the two would be lost', async () => {
    const name = newId()
    const list = (text: string) => `"messages":${JSON.stringify(chatOf(text, 'Hello'))}`
    const { said, tally } = await importedInto(
      node.url,
      [
        `{"id":"x",${list('FIRST')},${list('SECOND')}}`,
        `{"id":"y",${list('Hi').replace('"content"', '"content":"FIRST","content"')}}`,
        `{"id":"z","id":"w",${list('Hi')}}`,
        `{"id":"w",${list('Hi')}}`,
      ].join('\n'),
      { name },
    )
    expect(said).toEqual([
      `${name}:1: a name stands twice in one object: \`messages\``,
      `${name}:2: a name stands twice in one object: \`content\` at /messages/0`,
      `${name}:3: a name stands twice in one object: \`id\``,
    ])
    expect(tally.total('conversations new')).toBe(1)
    expect(await texts(idOf('w', name))).toEqual(['Hi', 'Hello'])
  })

  test('do not fill the memory, however long they are', async () => {
    const piece = new Uint8Array(1024 * 1024).fill(0x20)
    let left = 600
    const line = new ReadableStream<Uint8Array>({
      pull(controller) {
        left -= 1
        if (left > 0) return controller.enqueue(piece)
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
    // Half of the line; a busy machine collects its garbage late.
    expect(memory).toBeLessThan(300e6)
  }, 30_000)
})

describe('times', () => {
  test('that are not understood are counted with an example; a line without others has its own', async () => {
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
      `times not understood 3  kept as they came, and not used: 12.5 in \`timestamp\`, ${name}:2\n`,
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
  test('goes on past a strange line, and stops a conversation where a turn is missing', async () => {
    const one = await exportWith(3)
    const two = await exportWith(1)
    const strange = [...one.lines.slice(0, 2), 'strange', ...one.lines.slice(2)]
    const { said } = await importedInto(node.url, printed(strange))
    expect(said).toEqual(['test.jsonl:3: is no line of an export'])
    expect(lasting(await exportedFrom(node.url, [one.id]))).toEqual(lasting(one.lines))

    const three = await exportWith(3)
    const holed = [...three.lines.filter((_, n) => n !== 2), ...two.lines]
    const first = await importedInto(node.url, printed(holed))
    expect(first.said).toEqual([
      `test.jsonl:3: message 3 of conversation ${three.id} is missing before this one, 5`,
    ])
    expect(first.tally.isClean()).toBe(false)
    expect(await texts(three.id)).toEqual(['0', '1'])
    expect(await texts(two.id)).toEqual(['0', '1'])
    // Corrected, it goes on in the right order.
    expect((await importedInto(node.url, printed(three.lines))).said).toEqual([])
    expect(lasting(await exportedFrom(node.url, [three.id]))).toEqual(lasting(three.lines))

    const four = await exportWith(3)
    const gap = printed(four.lines.filter((_, n) => n !== 2))
    const { said: saidOfGap, tally } = await importedInto(node.url, gap, { allowGaps: true })
    expect([saidOfGap, tally.total('turns moved')]).toEqual([[], 1])
    expect(await texts(four.id)).toEqual(['0', '1', '4', '5'])
  }, 30_000)

  test('that was cut off says so, and so does one whose first line is missing', async () => {
    const { id, lines } = await exportWith(2)
    const cut = await importedInto(node.url, printed(lines.slice(0, 2)))
    expect(cut.said).toEqual([
      `test.jsonl:2: the lines of conversation ${id} end here, without an \`end\``,
    ])
    const headless = await importedInto(node.url, printed(lines.slice(1, 3)))
    expect(headless.said).toHaveLength(2)
    expect(headless.said[0]).toContain(`belongs to conversation ${id}, whose first line`)
    const { said } = await importedInto(
      node.url,
      printed([lines[0], { type: 'erased', conversationId: id }]),
    )
    expect(said).toEqual([
      `test.jsonl:2: conversation ${id} was erased at its source: erase what was imported of it`,
    ])
  })

  test('may come in pieces, and several may stand in one file', async () => {
    const [one, two] = [await exportWith(3), await exportWith(2)]
    const lines = [...one.lines, ...two.lines]
    writeFileSync(path('part1'), printed(lines.slice(0, 2)))
    writeFileSync(path('part2'), printed(lines.slice(2)))
    const { code } = await runTurnlog(['import', path('part1'), path('part2'), '--url', node.url])
    expect(code).toBe(0)
    expect(lasting(await exportedFrom(node.url, [one.id, two.id]))).toEqual(lasting(lines))
  })

  test('brings what came since the last one', async () => {
    const id = newId()
    await importedInto(other.url, printed([dialogue(id, 'a', 'b')]))
    await importedInto(node.url, printed(await exportedFrom(other.url, [id])))
    const [, answer] = await readAll(other.url, id)
    const audio = { ttsAudioUrls: ['https://audio.example/1'] }
    await call(other.url, 'PUT', `/v1/conversations/${id}/messages/${answer?.id}/tts`, audio)
    await recordTurn(other.url, id, { assistant: { responses: ['c'] } })
    const lines = await exportedFrom(other.url, [id])
    const { said, tally } = await importedInto(node.url, printed(lines))
    expect(said).toEqual([])
    expect([tally.total('turns new'), tally.total('turns replayed'), tally.total('audio')]).toEqual(
      [1, 1, 1],
    )
    expect(lasting(await exportedFrom(node.url, [id]))).toEqual(lasting(lines))
  })

  test('of a later version is refused by its first line', async () => {
    const { lines } = await exportWith(1)
    const { said } = await importedInto(node.url, printed([{ ...lines[0], turnlog: 2 }]))
    expect(said).toEqual(['test.jsonl:1: is of version 2, and version 1 is the newest known'])
  })
})

describe('what the service refuses', () => {
  test('stops its conversation, which goes on in order once the cause is gone', async () => {
    const DATABASE_URL = await testDatabaseUrl()
    const source = 'refused.jsonl'
    const lines = printed([
      dialogue('1', 'a', 'b', 'c', 'One. Two. Three.', 'e', 'f'),
      dialogue('2', 'g', 'h'),
    ])
    const options = { name: source, split: (text: string) => text.split(/(?<= )/) }
    {
      await using strict = await startNode({ DATABASE_URL, TURNLOG_LIMITS_PARTS_MAX: '2' })
      const { said, tally } = await importedInto(strict.url, lines, options)
      expect(said).toEqual([expect.stringMatching(/^refused.jsonl:1: .*has 3 parts .* at most 2/)])
      expect(tally.summary()).toMatch(/refused +1 {2}turns: parts-too-many\n +not tried +1 /)
      expect(await readAll(strict.url, idOf('1', source))).toHaveLength(2)
      expect(await readAll(strict.url, idOf('2', source))).toHaveLength(2)
    }
    await using open = await startNode({ DATABASE_URL })
    expect((await importedInto(open.url, lines, options)).said).toEqual([])
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

  test('is named: conversations that others are, or were', async () => {
    const [taken, erased, external] = [newId(), newId(), newId()]
    await call(node.url, 'POST', '/v1/conversations', { id: taken, title: 'mine' })
    await call(node.url, 'POST', '/v1/conversations', { id: erased })
    await call(node.url, 'DELETE', `/v1/conversations/${erased}`)
    await call(node.url, 'POST', '/v1/conversations', { externalId: `test.jsonl/${external}x` })
    const lines = [taken, erased, `${external}x`].map((id) => dialogue(id, 'a', 'b'))
    const { said, tally } = await importedInto(node.url, printed(lines), { concurrency: 1 })
    expect(said).toHaveLength(3)
    for (const code of ['conversation-taken', 'conversation-erased', 'external-id-taken'])
      expect(tally.summary()).toContain(`refused         1  conversations: ${code}`)
    expect(tally.summary()).toContain('not tried       3')
    // Nothing of these lines was recorded.
    expect(tally.summary()).toContain('failed lines    3')
    expect((await readConversation(node.url, taken)).lastSeq).toBe(0)
  })

  test('is another dialogue under a name that was used', async () => {
    const [one, other] = [dialogue('same', 'a', 'b'), dialogue('same', 'a', 'other')]
    const { said } = await importedInto(node.url, printed([one, other]), { name: 'twice' })
    expect(said).toEqual([expect.stringMatching(/^twice:2: has the id of line 1, "same"/)])
    const later = await importedInto(node.url, printed([other]), { name: 'twice' })
    expect(later.said).toEqual([
      expect.stringMatching(/^twice:1: .*idempotency-conflict.*--source/),
    ])
    expect(await texts(idOf('same', 'twice'))).toEqual(['a', 'b'])
  })
})

/** What a fake problem has beside its code. */
const told = { title: 'Fake', status: 503 }
const turn = { assistant: { responses: ['a'] } }

/** How a call ends: with a refusal of this one request, or with a service that is away. */
const endOf = (call: Promise<unknown>): Promise<unknown> =>
  call.catch((error: unknown) => {
    if (!(error instanceof Problem)) throw error
    const refused = refusalOf(error)
    return refused === undefined ? { away: failureText(error) } : { refused }
  })

describe('a service that fails for a while', () => {
  test('is asked again with the same key, and everything is there once', async () => {
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
    const { said, tally } = await importedInto(through, printed(lines), { name: 'flaky' })
    expect([said, tally.total('turns new') + tally.total('turns replayed')]).toEqual([[], 60])
    expect(cuts).toBeGreaterThan(10)
    for (const { id, turns } of lines)
      expect(await texts(idOf(id, 'flaky'))).toEqual(turns.map(({ text }) => text))
  }, 60_000)

  test('is waited for as long as it says, and given up when patience ends', async () => {
    const times: number[] = []
    const problem = { ...told, code: 'overloaded', detail: 'Too many.', retryable: true }
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
    expect(await endOf(rest.getHealth())).toEqual({ away: 'Too many.' })
    await fake.stop(true)
    const gone = connect({ url: `${fake.url}`, patienceMs: 0 })
    expect(await endOf(gone.getHealth())).toEqual({
      away: expect.stringContaining('cannot be reached'),
    })
  })

  test('and does not know an outcome is asked again, for every request of an import may be repeated', async () => {
    let count = 0
    const problem = { ...told, code: 'outcome-unknown', detail: 'Lost.', retryable: false }
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

  test('for good on one request costs that one', async () => {
    const problem = { ...told, code: 'internal', detail: 'Sorry.', retryable: true }
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
  test('says what is wrong with a command line, and imports nothing then', async () => {
    writeFileSync(path('one.jsonl'), printed([dialogue('1', 'a', 'b')]))
    for (const [words, reason] of [
      [[], 'Name a file.'],
      [[path('none.jsonl')], 'cannot be read (ENOENT)'],
      [[path('one.jsonl'), '--split', 'words'], '--split knows sentences'],
      [
        [path('one.jsonl'), '--format', 'csv'],
        '--format must be one of turnlog, openai, dialogues',
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

  test('ends with 1 where nobody listens, or somebody else does', async () => {
    writeFileSync(path('one.jsonl'), printed([dialogue('1', 'a', 'b')]))
    const stranger = Bun.serve({ port: 0, fetch: () => new Response('hello') })
    for (const url of [`http://127.0.0.1:${await freePort()}`, `${stranger.url}`]) {
      const words = ['import', path('one.jsonl'), '--url', url, '--patience', '0']
      const { code, out, err } = await runTurnlog(words)
      expect([code, out, err]).toEqual([1, '', expect.stringMatching(/cannot be reached|no JSON/)])
    }
    await stranger.stop(true)
  })
})
