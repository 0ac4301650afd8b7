/**
 * The conversation id of a line: an import never joins two conversations and never makes one twice.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { mkdirSync, mkdtempSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { newId } from '../../../src/conversation/wire/ids.ts'
import type { ConversationList, NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { conversationIdOf, idWithin } from '../../../src/transfer/formats/derived-ids.ts'
import { IdTable } from '../../../src/transfer/lines/id-table.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { type Ran, runTurnlog } from '../../support/servers/turnlog.ts'
import { importedInto, printed } from '../../support/transfer/transfer.ts'
import { readAll, readConversation } from '../../support/writing/checker.ts'
import { call, must, recordTurn } from '../../support/writing/client.ts'

let node: Node
const directory = realpathSync(mkdtempSync(join(tmpdir(), 'turnlog-test-')))
beforeAll(async () => {
  node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
}, 30_000)
afterAll(async () => {
  await node[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const chat = (...texts: string[]) => ({
  messages: texts.map((content, n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content })),
})
const texts = async (id: string) => (await readAll(node.url, id)).map(({ content }) => content)
const idOf = (source: string, id: string) => conversationIdOf(source, { id })

/** Writes a file into the folder of this test file. */
function file(name: string, text: string): string {
  const path = join(directory, name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
  return path
}
const run = (...words: string[]): Promise<Ran> =>
  runTurnlog(['import', ...words, '--url', node.url])
const counted = (made: number, stored: number) =>
  new RegExp(`conversations +${made + stored} {2}\\(${made} new, ${stored} already stored\\)`)
const byExternalId = async (externalId: string) => {
  const query = `externalId=${encodeURIComponent(externalId)}`
  const path = `/v1/conversations?${query}`
  return must(await call<ConversationList>(node.url, 'GET', path)).conversations[0]?.id
}

describe('an id', () => {
  test('an id is a text or a whole number as it is written, and a number equals the text of its digits', async () => {
    const name = newId()
    const lines = ['12345678901234567890', '"12345678901234567890"', '1.0', '1e3', '-0', '1', '0']
    const { reported } = await importedInto(
      node.url,
      lines
        .map((id) => `{"id":${id},"messages":${JSON.stringify(chat('a', 'b').messages)}}\n`)
        .join(''),
      { name },
    )
    expect(reported).toEqual([
      expect.stringContaining(`${name}:2: has the same id as line 1, "12345678901234567890"`),
      ...['1.0', '1e3', '-0'].map(
        (id, n) =>
          `${name}:${n + 3}: /id is the number ${id}: an id must be a text or a whole number`,
      ),
    ])
    for (const id of ['12345678901234567890', '1', '0'])
      expect(await byExternalId(`${name}/${id}`)).toBe(idOf(name, id))
  })

  test("MongoDB's $oid counts as an id, and every other value that is no text or whole number is refused", async () => {
    const name = newId()
    const oid = '66b1f0c2a1b2c3d4e5f60718'
    const refused = ['""', '["x"]', 'true', 'false', '{}', '{"$oid":1}', '{"$oid":""}']
    const ids = [...refused, `{"$oid":"${oid}","x":1}`, `{"$oid":"${oid}"}`, `"${oid}"`, 'null']
    const messages = JSON.stringify(chat('a', 'b').messages)
    const { reported, tally } = await importedInto(
      node.url,
      ids.map((id) => `{"id":${id},"messages":${messages}}\n`).join(''),
      { name },
    )
    const shown = [...refused.slice(0, -1), '""', `{"$oid":"${oid}","x":1}`]
    expect(reported).toEqual([
      ...shown.map(
        (id, n) => `${name}:${n + 1}: /id is ${id}: an id must be a text or a whole number`,
      ),
      expect.stringContaining(`${name}:10: has the same id as line 9, "${oid}"`),
    ])
    expect(tally.total('conversations new')).toBe(2)
    expect(await byExternalId(`${name}/${oid}`)).toBe(idOf(name, oid))
  })

  test('an id that would make an external id of more than 255 characters is only in the metadata', async () => {
    const [name, id] = [newId(), 'x'.repeat(3000)]
    const { reported } = await importedInto(node.url, printed([{ id, ...chat('a', 'b') }]), {
      name,
    })
    expect(reported).toEqual([])
    expect(await readConversation(node.url, idOf(name, id))).toMatchObject({
      externalId: null,
      metadata: { openai: { id } },
    })
  })

  test('the first line with an id takes it, even if that line is refused', async () => {
    const name = newId()
    const unread = { id: 'x', messages: [{ role: 'bot', content: 'a' }] }
    const { reported } = await importedInto(
      node.url,
      printed([unread, { id: 'x', ...chat('a', 'b') }]),
      {
        name,
      },
    )
    expect(reported).toEqual([
      expect.stringContaining(`${name}:1: none of 1 messages has a known role`),
      expect.stringContaining(`${name}:2: has the same id as line 1, "x"`),
    ])
    expect(await byExternalId(`${name}/x`)).toBeUndefined()
  })

  test('an id is taken for the whole run: in files of one source, and a UUID in all files', async () => {
    const id = newId()
    const one = file(
      'run/one.jsonl',
      printed([
        { id: 'x', ...chat('a', 'b') },
        { id, ...chat('c', 'd') },
      ]),
    )
    const two = file('run/two.jsonl', printed([{ id: 'x', ...chat('a', 'b', 'e', 'f') }]))
    const three = file(
      'run/three.jsonl',
      printed([{ id: id.toUpperCase(), ...chat('c', 'd', 'g', 'h') }]),
    )
    const source = newId()
    const shared = await run(one, two, '--source', source)
    expect([shared.code, shared.err]).toEqual([
      1,
      expect.stringContaining(`${two}:1: has the same id as line 1 of ${one}, "x"`),
    ])
    expect(await texts(idOf(source, 'x'))).toEqual(['a', 'b'])
    const apart = await run(one, three)
    expect(apart.err).toContain(`${three}:1: has the same id as line 2 of ${one}`)
    expect(await texts(id)).toEqual(['c', 'd'])
  }, 60_000)

  test('the id table of an import returns the same values as a map, at any size', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.uuid(), fc.nat()), { maxLength: 3000, size: 'max' }),
        (pairs) => {
          const [table, map] = [new IdTable(), new Map<string, number>()]
          for (const [id, value] of pairs) {
            expect(table.get(id)).toBe(map.get(id))
            table.set(id, value)
            map.set(id, value)
          }
          for (const [id, value] of map) expect(table.get(id)).toBe(value)
        },
      ),
      { numRuns: 20 },
    )
  }, 30_000)
})

describe('a line without an id', () => {
  test('a line without an id is identified by its text: equal lines are two conversations, and new lines are added', async () => {
    const name = newId()
    const [greeting, other, third] = [chat('Hi', 'Hello'), chat('x', 'y'), chat('p', 'q')]
    const first = await importedInto(node.url, printed([greeting, greeting, other]), { name })
    expect([first.reported, first.tally.total('conversations new')]).toEqual([[], 3])
    // The second file has another order, and new lines before and between.
    const grown = printed([third, greeting, other, greeting, greeting])
    const second = await importedInto(node.url, grown, { name })
    expect(second.reported).toEqual([])
    expect([
      second.tally.total('conversations new'),
      second.tally.total('conversations found'),
    ]).toEqual([2, 3])
    const ids = [0, 1, 2].map((repeat) =>
      conversationIdOf(name, { text: JSON.stringify(greeting), repeat }),
    )
    for (const id of ids) expect(await texts(id)).toEqual(['Hi', 'Hello'])
  })

  test('a line without an id makes another conversation in another file of the same name', async () => {
    const line = printed([chat('Hi', 'Hello')])
    const files = ['a/same.jsonl', 'b/same.jsonl'].map((name) => file(name, line))
    expect((await run(...files)).out).toMatch(counted(2, 0))
    expect((await run(files[1] ?? '')).out).toMatch(counted(0, 1))
  }, 60_000)
})

describe('a source', () => {
  test('the source of an import is the path of its file: a moved file is refused, and --source with its old path continues the import', async () => {
    const lines = [{ id: 'm1', ...chat('a', 'b') }]
    const path = file('old/moved.jsonl', printed(lines))
    expect((await run(path)).code).toBe(0)
    const moved = join(directory, 'moved.jsonl')
    renameSync(path, moved)
    const refused = await run(moved)
    expect([refused.code, refused.err]).toEqual([
      1,
      expect.stringContaining('its external id "moved.jsonl/m1" belongs to conversation'),
    ])
    expect(refused.err).toContain(
      'Another `--source` imports the line as a conversation of its own.',
    )
    const continued = await run(moved, '--source', path)
    expect([continued.code, continued.out]).toEqual([0, expect.stringMatching(counted(0, 1))])
  }, 60_000)

  test('--source with the file name finds the conversations that earlier versions imported', async () => {
    const path = file('earlier/chats.jsonl', printed([{ id: 'e1', ...chat('a', 'b', 'c', 'd') }]))
    // Earlier versions used the file name as the source.
    await importedInto(node.url, printed([{ id: 'e1', ...chat('a', 'b') }]), {
      name: 'chats.jsonl',
    })
    const refused = await run(path)
    expect(refused.err).toContain('`--source chats.jsonl` continues it')
    const continued = await run(path, '--source', 'chats.jsonl')
    expect([continued.code, continued.err, continued.out]).toEqual([
      0,
      '',
      expect.stringMatching(counted(0, 1)),
    ])
    expect(await texts(idOf('chats.jsonl', 'e1'))).toEqual(['a', 'b', 'c', 'd'])
  }, 60_000)

  test('a conversation that earlier versions imported by line number is found if it holds exactly the line', async () => {
    const source = newId()
    const [whole, begun] = [1, 2].map((line) => conversationIdOf(source, { line }))
    const turn = (id: string, n: number, human: string, ai: string): [NewTurn, string] => [
      {
        user: { id: idWithin(id, `human ${n}`), text: human },
        assistant: { id: idWithin(id, `ai ${n}`), responses: [ai] },
      },
      idWithin(id, `turn ${n}`),
    ]
    for (const id of [whole, begun]) {
      must(await call(node.url, 'POST', '/v1/conversations', { id }))
      must(await recordTurn(node.url, id ?? '', ...turn(id ?? '', 0, 'Hi', 'Hello')))
    }
    const lines = [chat('Hi', 'Hello'), chat('Hi', 'Hello', 'More', 'Yes')]
    const { reported, tally } = await importedInto(node.url, printed(lines), { name: source })
    expect(tally.total('conversations found')).toBe(1)
    const id = conversationIdOf(source, { text: JSON.stringify(lines[1]), repeat: 0 })
    expect(reported).toEqual([
      `${source}:2: an earlier version imported conversation ${begun} from this line number, but its turns differ from this line: the line is imported as conversation ${id}`,
    ])
    expect(await texts(begun ?? '')).toEqual(['Hi', 'Hello'])
    expect(await texts(id)).toEqual(['Hi', 'Hello', 'More', 'Yes'])
    expect(tally.isClean()).toBe(true)
  })

  test('an import from a stream needs --source, except for an export, whose lines have ids', async () => {
    const stdin = printed([chat('a', 'b')])
    const { code, out, err } = await runTurnlog(['import', '-', '--url', node.url], { stdin })
    expect([code, out, err]).toEqual([2, '', expect.stringMatching(/^standard input has no path/)])
    const id = newId()
    await importedInto(node.url, printed([{ id, ...chat('a', 'b') }]))
    const exported = await runTurnlog(['export', id, '--output', '-', '--url', node.url])
    expect(exported.out).toContain(id)
    const again = await runTurnlog(['import', '-', '--url', node.url], { stdin: exported.out })
    expect([again.code, again.err]).toEqual([0, ''])
    const path = file('twice.jsonl', stdin)
    const twice = await run(path, path)
    expect([twice.code, twice.err]).toEqual([2, expect.stringContaining('is named twice')])
  }, 60_000)
})

describe('an existing conversation', () => {
  test('an existing conversation with other content is reported with its line, its id and advice', async () => {
    const name = newId()
    const before = { id: 'c', ...chat('a', 'b', 'c', 'd') }
    await importedInto(node.url, printed([before]), { name })
    const changed = printed([{ id: 'c', ...chat('a', 'b', 'C', 'd', 'e', 'f') }])
    const { reported, tally } = await importedInto(node.url, changed, { name })
    expect(reported).toEqual([
      `${name}:1: message 3 of conversation ${idOf(name, 'c')} was imported before with other content than this line has (idempotency-conflict): nothing was added from there on. Another \`--source\` imports the line as a conversation of its own.`,
    ])
    expect(tally.summary()).toContain('turns: idempotency-conflict')
    expect(await texts(idOf(name, 'c'))).toEqual(['a', 'b', 'c', 'd'])
  })

  test('an existing conversation with turns of another source gets no turn of a line', async () => {
    const id = newId()
    must(await call(node.url, 'POST', '/v1/conversations', { id }))
    must(await recordTurn(node.url, id, { assistant: { responses: ['mine'] } }))
    const { reported } = await importedInto(node.url, printed([{ id, ...chat('a', 'b') }]), {
      name: 'u',
    })
    expect(reported).toEqual([
      `u:1: conversation ${id} exists, and its message 1 is not from this line: nothing was added to it. Give the line another id to import it as a conversation of its own.`,
    ])
    expect(await texts(id)).toEqual(['mine'])
  })

  test('a conversation that got other turns after its import stays unchanged, and no more of the line is added', async () => {
    const name = newId()
    await importedInto(node.url, printed([{ id: 'g', ...chat('a', 'b') }]), { name })
    const id = idOf(name, 'g')
    must(await recordTurn(node.url, id, { assistant: { responses: ['later'] } }))
    const same = await importedInto(node.url, printed([{ id: 'g', ...chat('a', 'b') }]), { name })
    expect([same.reported, same.tally.total('turns replayed')]).toEqual([[], 1])
    const longer = printed([{ id: 'g', ...chat('a', 'b', 'c', 'd') }])
    expect((await importedInto(node.url, longer, { name })).reported).toEqual([
      expect.stringContaining(`conversation ${id} exists, and its message 3 is not from this line`),
    ])
    expect(await texts(id)).toEqual(['a', 'b', 'later'])
  })

  test('an existing conversation is found even if an earlier version understood fewer times', async () => {
    const name = newId()
    await importedInto(node.url, printed([{ id: 't', ...chat('a', 'b') }]), { name })
    const id = idOf(name, 't')
    // The metadata is what an import sends that reads the time of the line.
    const line = { id: 't', created: 1716200000, ...chat('a', 'b') }
    const storedMetadata = { openai: { line: { created: 1716200000 } } }
    must(await call(node.url, 'PATCH', `/v1/conversations/${id}`, { metadata: storedMetadata }))
    const { reported, tally } = await importedInto(node.url, printed([line]), { name })
    expect([reported, tally.total('turns replayed')]).toEqual([[], 1])
  })
})

describe('a line with a turn that the service refuses', () => {
  test('a line with a turn that the service refuses makes no conversation', async () => {
    const name = newId()
    const big = { role: 'tool', content: 'x'.repeat(20_000) }
    const { messages } = chat('a', 'b', 'c', 'd')
    const line = {
      id: 'b',
      messages: [
        ...messages,
        { role: 'user', content: 'e' },
        big,
        ...chat('', 'f').messages.slice(1),
      ],
    }
    const { reported, tally } = await importedInto(node.url, printed([line]), { name })
    expect(reported).toEqual([
      expect.stringMatching(
        /^.*:1: conversation .* was not created, because the service refuses one of its turns: /,
      ),
    ])
    expect(await byExternalId(`${name}/b`)).toBeUndefined()
    expect(tally.summary()).toMatch(/refused +1 {2}turns: json-too-large\n +not tried +3 /)
  })
})
