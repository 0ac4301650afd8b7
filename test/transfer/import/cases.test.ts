/**
 * Imports each file of `../shared/cases` into a service. A file is imported correctly, or refused
 * as a whole with a reason.
 */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { Conversation, Message } from '../../../src/conversation/wire/schemas.ts'
import { casePath, casesAreHere } from '../../support/cases.ts'
import { type Node, startNode } from '../../support/servers/node.ts'
import { testDatabaseUrl } from '../../support/servers/postgres.ts'
import { runTurnlog } from '../../support/servers/turnlog.ts'
import { readAll, readConversations } from '../../support/writing/checker.ts'

let node: Node
beforeAll(async () => {
  node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
}, 30_000)
afterAll(async () => {
  await node[Symbol.asyncDispose]()
})

type Made = Conversation & { messages: Message[] }
type Result = { code: number; out: string; reported: string[]; made: Made[] }

/** Imports a case, and reads the conversations that it made. */
async function imported(file: string, ...flags: string[]): Promise<Result> {
  const before = new Set((await readConversations(node.url)).conversations.map(({ id }) => id))
  const path = casePath(file)
  const { code, out, err } = await runTurnlog(['import', path, ...flags, '--url', node.url])
  const { conversations } = await readConversations(node.url)
  const made = await Promise.all(
    conversations
      .filter(({ id }) => !before.has(id))
      .map(async (one) => ({ ...one, messages: await readAll(node.url, one.id) })),
  )
  made.sort((one, other) => (`${one.externalId}` < `${other.externalId}` ? -1 : 1))
  const reported = err.split('\n').filter((line) => line !== '')
  return { code, out, made, reported: reported.map((line) => line.replace(`${path}:`, '')) }
}

const contents = ({ messages }: Made) => messages.map(({ content }) => content)

describe.skipIf(!casesAreHere)('a case', () => {
  test('three ids that differ in the last digit make three conversations', async () => {
    const { code, made } = await imported('snowflake-merge.jsonl')
    expect(code).toBe(0)
    const greeting = 'Hello, how can I help?'
    expect(made.map((one) => [one.externalId, contents(one)])).toEqual([
      ['snowflake-merge.jsonl/1234567890123456788', [greeting, 'Card lost', 'Blocked.']],
      ['snowflake-merge.jsonl/1234567890123456789', [greeting]],
      [
        'snowflake-merge.jsonl/1234567890123456790',
        [greeting, 'Card lost', 'Blocked.', 'My balance, please', '20 euros.'],
      ],
    ])
    const again = await imported('snowflake-merge.jsonl')
    expect([again.code, again.made]).toEqual([0, []])
  }, 60_000)

  test('a second line with the same id is refused with that id, in every run', async () => {
    const first = await imported('user-id-as-id.jsonl')
    const refusals = [
      '2: has the same id as line 1, "user-42": this line was not imported, because one id names one conversation',
      '3: has the same id as line 1, "user-42": this line was not imported, because one id names one conversation',
    ]
    expect([first.code, first.reported]).toEqual([1, refusals])
    expect(first.made.map(contents)).toEqual([['Hi', 'Hello']])
    const again = await imported('user-id-as-id.jsonl')
    expect([again.code, again.reported, again.made]).toEqual([1, refusals, []])
    const [one] = first.made
    expect(await readAll(node.url, one?.id ?? '')).toEqual(one?.messages ?? [])
  }, 60_000)

  test('two files of one name in the folders day1 and day2 make two conversations, and a second import adds nothing', async () => {
    const days = [await imported('day1/calls.jsonl'), await imported('day2/calls.jsonl')]
    expect(days.map(({ code }) => code)).toEqual([0, 0])
    const greeting = 'Hello, how can I help?'
    expect(days.map(({ made }) => made.map(contents))).toEqual([
      [[greeting]],
      [[greeting, 'Another caller: balance?', '20 euros.']],
    ])
    for (const file of ['day1/calls.jsonl', 'day2/calls.jsonl', 'day1/calls.jsonl']) {
      const { code, out, made } = await imported(file)
      expect([code, made]).toEqual([0, []])
      expect(out).toMatch(/conversations +1 {2}\(0 new, 1 already stored\)/)
    }
    for (const { id, messages } of days.flatMap(({ made }) => made))
      expect(await readAll(node.url, id)).toEqual(messages)
  }, 60_000)

  test('an imported number that JavaScript cannot hold is refused with its pointer', async () => {
    expect(await imported('numbers.jsonl')).toMatchObject({
      code: 1,
      made: [],
      reported: [
        '1: /metadata/score is 1e400, which is outside the range of a double; /metadata/row is the integer 1234567890123456789, which JavaScript cannot hold exactly: it would become 1234567890123456800',
      ],
    })
  }, 60_000)

  test("every message has the time that its library wrote, whatever the time's name", async () => {
    const { code, out, made } = await imported('time-names.jsonl')
    expect([code, made.length]).toEqual([0, 1])
    expect(made[0]?.createdAt).toBe('2024-05-20T10:13:20.000000Z')
    expect(made[0]?.messages.map(({ content, createdAt }) => [content, createdAt])).toEqual(
      [
        ['A', '21.250000'],
        ['B', '22.000000'],
        ['C', '23.000000'],
        ['D', '24.000000'],
        ['E', '25.000000'],
        ['F', '26.000000'],
        ['G', '27.000000'],
        ['H', '28.000000'],
        ['I', '29.000000'],
        ['J', '30.000000'],
        ['K', '31.500000'],
        ['L', '32.500000'],
      ].map(([text = '', second]) => [text, `2024-05-20T10:13:${second}Z`]),
    )
    expect(out).not.toContain('times not understood')
  }, 60_000)

  test('openai-pretty, trailing-commas: a printed document and lists without brackets are read', async () => {
    const pretty = await imported('openai-pretty.json')
    expect([pretty.code, pretty.made.map(contents)]).toEqual([0, [['Hi', 'Hello']]])
    const commas = await imported('trailing-commas.jsonl')
    expect([commas.code, commas.made.map(contents)]).toEqual([
      0,
      [
        ['Hi', 'Hello'],
        ['Hi', 'Hello'],
      ],
    ])
  }, 60_000)

  test('uimessages: an import stores both question-answer pairs, and keeps tools, thoughts and files', async () => {
    const { code, made } = await imported('uimessages.jsonl')
    expect([code, made.map(contents)]).toEqual([
      0,
      [['Weather?', 'It is 3 degrees.', 'old', 'old answer']],
    ])
    const [question, answer] = made[0]?.messages ?? []
    expect(question?.metadata).toMatchObject({
      'ai-sdk': { message: { parts: [{ type: 'text' }, { type: 'file' }] } },
    })
    expect(JSON.stringify(answer?.metadata)).toContain('"type":"tool-getWeather"')
    expect(JSON.stringify(answer?.metadata)).toContain('"text":"think"')
  }, 60_000)

  test('langchain-dump: the messages are in the history, with their calls and results', async () => {
    const { code, made } = await imported('langchain-dump.jsonl')
    expect([code, made.map(contents)]).toEqual([
      0,
      [['Weather in Oslo and Rome?', 'Oslo 3, Rome 19.']],
    ])
    const kept = JSON.stringify(made[0]?.messages[1]?.metadata)
    for (const one of ['"call_1"', '"call_2"', '"3C"', '"19C"']) expect(kept).toContain(one)
  }, 60_000)

  test('sharegpt, pipecat: each is read as its own format', async () => {
    const sharegpt = await imported('sharegpt.jsonl')
    expect([sharegpt.code, sharegpt.made.map(contents)]).toEqual([0, [['Hi', 'Hello']]])
    const pipecat = await imported('pipecat-dump.json')
    expect([pipecat.code, pipecat.made.map(contents)]).toEqual([
      0,
      [['Hel\n\nlo there', 'Hi.', 'Done.']],
    ])
    expect(JSON.stringify(pipecat.made[0]?.messages[2]?.metadata)).toContain('IN_PROGRESS')
  }, 60_000)

  test('livekit-report: an interrupted answer has what was heard, and times and items are kept', async () => {
    const { code, made } = await imported('livekit-report.jsonl')
    expect(code).toBe(0)
    const messages = made[0]?.messages ?? []
    expect(
      messages.map(({ role, content, heard, interruptedAt }) => ({
        role,
        content,
        heard,
        interruptedAt,
      })),
    ).toEqual([
      { role: 'human', content: 'Book a table', heard: null, interruptedAt: null },
      {
        role: 'ai',
        content: 'Booked for eight, and I',
        heard: { text: 'Booked for eight, and I' },
        interruptedAt: '2025-06-15T15:06:44.500000Z',
      },
      { role: 'human', content: 'wait', heard: null, interruptedAt: null },
      { role: 'ai', content: 'Yes?', heard: null, interruptedAt: null },
    ])
    expect(messages[0]).toMatchObject({
      messageType: 'audio',
      createdAt: '2025-06-15T15:06:41.123456Z',
    })
    const kept = JSON.stringify(made)
    for (const one of ['function_call_output', 'agent_handoff', 'a.png'])
      expect(kept).toContain(one)
  }, 60_000)

  test('chatgpt-array: the branch of current_node is read, with title and times', async () => {
    const { code, out, made } = await imported('chatgpt-array.json')
    expect(code).toBe(0)
    expect(made.map(({ title }) => title)).toEqual(['Terrace dogs'])
    expect(made.map(contents)).toEqual([['Do they take dogs?', 'Yes, outside.']])
    expect(made[0]?.messages[0]?.createdAt).toBe('2024-05-20T10:13:21.500000Z')
    expect(out).toMatch(/left out +1 {2}messages of other branches/)
  }, 60_000)

  test.each([
    ['nul-tool.jsonl', /^1: \/messages\/2\/content contains NUL/],
    [
      'long-tool.jsonl',
      /^1: conversation .* was not created, .*\/assistant\/metadata: has \d+ bytes, at most 16384 are allowed$/,
    ],
    ['image-only.jsonl', /^1: .*message 0 has no text, only image_url/],
  ])(
    'the file %s is refused with a reason, and nothing of it is recorded',
    async (file, reason) => {
      const { code, reported, made } = await imported(file)
      expect({ code, reported, made }).toEqual({
        code: 1,
        reported: [expect.stringMatching(reason)],
        made: [],
      })
    },
    60_000,
  )

  test('nul-tool: it is imported whole with --replace-invalid, and the texts are counted', async () => {
    const { code, out, made } = await imported('nul-tool.jsonl', '--replace-invalid')
    expect([code, made.map(contents)]).toEqual([0, [['read pdf', 'ok', 'next', 'fine']]])
    expect(JSON.stringify(made[0]?.messages[1]?.metadata)).toContain('bin \ufffd x')
    expect(out).toMatch(/replaced +1 {2}texts/)
  }, 60_000)

  test('long-tool: with --large=omit a marker stands for the result, and later turns are there', async () => {
    const { code, out, made } = await imported('long-tool.jsonl', '--large=omit')
    expect(code).toBe(0)
    expect(JSON.stringify(made[0]?.messages[1]?.metadata)).toMatch(
      /omitted by the import: \d+ bytes, SHA-256 [0-9a-f]{64}/,
    )
    expect(out).toMatch(/omitted +1 {2}large values/)
  }, 60_000)
})
