/** OpenAI messages, as an import reads them. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { NewConversation, NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { LineProblem } from '../../../src/transfer/formats/steps.ts'
import { a, answered, kept, read, said } from '../../support/transfer/read-lines.ts'

const u = (content: unknown, more: object = {}) => ({ role: 'user', content, ...more })

const chat = (...messages: unknown[]) => read({ messages })

/** Whether a line is imported rather than refused. */
function isRead(line: unknown): boolean {
  try {
    read(line)
    return true
  } catch (error) {
    if (error instanceof LineProblem) return false
    throw error
  }
}

type RelocatedCounts = {
  before?: Message[]
  after?: Message[]
  messages?: Message[]
  message?: Message
}

type Message = { role?: string; content?: unknown; [name: string]: unknown }

const keptIn = (metadata: NewConversation['metadata']): RelocatedCounts =>
  (metadata?.openai ?? {}) as RelocatedCounts

/** The messages that an import was made of. */
function rebuilt({ metadata }: NewConversation, turns: readonly NewTurn[]): Message[] {
  const { before = [], after = [] } = keptIn(metadata)
  const said = turns.flatMap(({ user, assistant }) => {
    const asked = keptIn(user?.metadata)
    const answer = keptIn(assistant.metadata)
    return [
      ...(asked.before ?? []),
      ...(asked.messages ?? (user === undefined ? [] : [one('user', [user.text], asked)])),
      ...(answer.before ?? []),
      one('assistant', assistant.responses, answer),
    ]
  })
  return [...before, ...said, ...after]
}

/** Texts left out of a list of content are the message's, in order. */
function one(role: string, texts: readonly string[], { message = {} }: RelocatedCounts): Message {
  const { content, ...rest } = message
  if (!Array.isArray(content))
    return { role, ...rest, content: texts.map((text) => ({ type: 'text', text })) }
  const isWhole = content.some(
    (item) => 'text' in item || 'refusal' in item || 'transcript' in item,
  )
  const left = isWhole ? [] : [...texts]
  const member: Record<string, string> = { refusal: 'refusal', input_audio: 'transcript' }
  const filled = content.map((item) =>
    item.type === 'image_url' || left.length === 0
      ? item
      : { ...item, [member[item.type] ?? 'text']: left.shift() },
  )
  return { role, ...rest, content: filled }
}

/** A text and a list of one text say the same; nothing and an empty list, too. */
function plain({ role, content, ...rest }: Message): unknown {
  const items =
    typeof content === 'string' ? [{ type: 'text', text: content }] : ((content ?? []) as object[])
  const full = items.filter((item) => !('text' in item) || item.text !== '')
  return {
    role,
    rest,
    content: full.map((item) =>
      JSON.stringify(Object.entries(item).toSorted(([one], [other]) => (one < other ? -1 : 1))),
    ),
  }
}

describe('OpenAI messages', () => {
  test('in pairs are turns', () => {
    const { create, turns, kept } = chat(u('Hi'), a('Hello'), u('Bye'), a('Goodbye'))
    expect(turns).toEqual([
      { user: said('Hi'), assistant: answered(['Hello']) },
      { user: said('Bye'), assistant: answered(['Goodbye']) },
    ])
    expect(Object.keys(create)).toEqual(['id'])
    expect(kept).toEqual({})
  })

  test('of the system stand with the conversation before the first, else with what follows', () => {
    const [first, later] = [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: 'Now in French.' },
    ]
    const {
      create,
      turns,
      kept: counts,
    } = chat(first, u('Hi'), a('Hello'), later, u('Bye'), a('Adieu'))
    expect(create.metadata).toEqual(kept({ before: [first] }))
    expect(turns[1]).toEqual({
      user: said('Bye', kept({ before: [later] })),
      assistant: answered(['Adieu']),
    })
    expect(counts).toEqual({
      'messages of the role "system" -> conversation metadata.openai.before': 1,
      'messages of the role "developer" -> metadata.openai.before': 1,
    })
  })

  test('of tools stand with the answer that was made of them', () => {
    const calls = [{ id: 'c', type: 'function', function: { name: 'f' } }]
    const call = a(null, { tool_calls: calls })
    const result = { role: 'tool', tool_call_id: 'c', content: '42' }
    expect(chat(u('How many?'), call, result, a('42.')).turns).toEqual([
      { user: said('How many?'), assistant: answered(['42.'], kept({ before: [call, result] })) },
    ])
    // An answer that also says something is a message, and the next one stands alone.
    const saying = { ...call, content: 'Let me see.' }
    expect(chat(u('How many?'), saying, result, a('42.')).turns).toEqual([
      {
        user: said('How many?'),
        assistant: answered(['Let me see.'], kept({ message: { tool_calls: calls } })),
      },
      { assistant: answered(['42.'], kept({ before: [result] })) },
    ])
  })

  test('of a user in a row are one, and kept as they came', () => {
    const result = { role: 'tool', content: 'late' }
    const { turns } = chat(u('One', { name: 'Eve' }), result, u('Two'), a('Three'))
    expect(turns).toEqual([
      {
        user: said('One\n\nTwo', kept({ messages: [u('One', { name: 'Eve' }), result, u('Two')] })),
        assistant: answered(['Three']),
      },
    ])
  })

  test('without an answer stay with the conversation', () => {
    const { create, turns } = chat(u('Hi'), a('Hello'), u('Still there?'), u('Hm'))
    expect(turns).toHaveLength(1)
    expect(create.metadata).toEqual(kept({ after: [u('Still there?'), u('Hm')] }))
    const alone = chat({ role: 'system', content: 's' }, u('Hi'))
    expect(alone.turns).toEqual([])
    expect(alone.create.metadata).toEqual(
      kept({ after: [{ role: 'system', content: 's' }, u('Hi')] }),
    )
  })

  test('with lists of content keep what is no text', () => {
    const image = { type: 'image_url', image_url: { url: 'https://i.example/1.png' } }
    const { turns } = chat(
      u([{ type: 'text', text: 'What is this?' }, image]),
      a([
        { type: 'text', text: 'A cat.' },
        { type: 'text', text: 'Asleep.' },
      ]),
      u([
        { type: 'text', text: 'One' },
        { type: 'text', text: 'Two' },
      ]),
      a([{ type: 'refusal', refusal: 'No.' }]),
    )
    expect(turns).toEqual([
      {
        user: said('What is this?', kept({ message: { content: [{ type: 'text' }, image] } })),
        assistant: answered(['A cat.', 'Asleep.']),
      },
      {
        user: said(
          'One\n\nTwo',
          kept({
            message: {
              content: [
                { type: 'text', text: 'One' },
                { type: 'text', text: 'Two' },
              ],
            },
          }),
        ),
        assistant: answered(['No.'], kept({ message: { content: [{ type: 'refusal' }] } })),
      },
    ])
  })

  test('that were spoken are audio, with their transcript or without text', () => {
    const audio = { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }
    const { turns } = chat(u([audio]), a(null, { audio: { id: 'x', transcript: 'Hello' } }))
    expect(turns).toEqual([
      {
        user: { text: '', voice: {}, metadata: kept({ message: { content: [audio] } }) },
        assistant: answered(
          ['Hello'],
          kept({ message: { audio: { id: 'x', transcript: 'Hello' } } }),
        ),
      },
    ])
  })

  test('without text are kept, and so are refusals, names, weights and unknown roles', () => {
    const empty = u('')
    const critic = { role: 'critic', content: 'meh' }
    const { create, turns } = chat(
      empty,
      critic,
      a(null, { refusal: 'I cannot.', weight: 0, tool_calls: null }),
    )
    expect(create.metadata).toEqual(kept({ before: [empty, critic] }))
    expect(turns).toEqual([
      {
        assistant: answered(['I cannot.'], kept({ message: { refusal: 'I cannot.', weight: 0 } })),
      },
    ])
  })

  test('have the times they say, and one without takes that of the other', () => {
    const { turns } = chat(
      u('a', { created_at: 1767323045 }),
      a('b', { created_at: 1767323046.5 }),
      u('c'),
      a('d', { timestamp: '2026-01-02T03:04:05.000001+01:00' }),
      u('e', { timestamp: 1767323045000 }),
      a('f'),
      u('g', { timestamp: 'yesterday' }),
      a('h'),
    )
    expect(turns.map(({ user, assistant }) => [user?.at, assistant.at])).toEqual([
      ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:06.500Z'],
      ['2026-01-02T03:04:05.000001+01:00', '2026-01-02T03:04:05.000001+01:00'],
      ['2026-01-02T03:04:05.000Z', undefined],
      [undefined, undefined],
    ])
  })

  test('keep what else a line has, and their own ids where those are UUIDs', () => {
    const tools = [{ type: 'function', function: { name: 'f' } }]
    const { create } = read({
      id: 'chat-1',
      metadata: { user: 7 },
      tools,
      messages: [u('a'), a('b')],
    })
    expect(create).toMatchObject({
      externalId: 'f.jsonl/chat-1',
      metadata: { user: 7, openai: { line: { tools } } },
    })
    const awkward = { metadata: { openai: 'x' }, messages: [] }
    expect(read(awkward).create.metadata).toEqual(kept({ line: { metadata: { openai: 'x' } } }))
    const id = '0192f0c1-7c00-7000-8000-000000000001'
    expect(read({ id, messages: [] }).create).toEqual({ id })
    const long = 'x'.repeat(300)
    expect(read({ id: long, messages: [] }).create.metadata).toEqual(kept({ id: long }))
  })

  test('of the Batch API and the Responses API are read, too', () => {
    const body = { model: 'm', messages: [u('a'), a('b')] }
    const batch = read({ custom_id: 'r-1', method: 'POST', url: '/v1/chat/completions', body })
    expect(batch.create).toMatchObject({
      externalId: 'f.jsonl/r-1',
      metadata: kept({
        line: { method: 'POST', url: '/v1/chat/completions', body: { model: 'm' } },
      }),
    })
    const reasoning = { type: 'reasoning', id: 'rs_1', summary: [] }
    const answer = {
      type: 'message',
      id: 'msg_1',
      role: 'assistant',
      status: 'completed',
      content: [{ type: 'output_text', text: 'b', annotations: [] }],
    }
    const { turns } = read({ input: 'a', output: [reasoning, answer], instructions: 'Be brief.' })
    expect(turns).toEqual([
      {
        user: said('a'),
        assistant: answered(
          ['b'],
          kept({ message: { id: 'msg_1', status: 'completed' }, before: [reasoning] }),
        ),
      },
    ])
    expect(
      read({ input: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }] }] }).create
        .metadata,
    ).toEqual(kept({ after: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }] }] }))
  })

  test.each([
    [{ messages: ['hi'] }, 'is no conversation: message 0 is no object'],
    [{ messages: [u('a'), { content: 'b' }] }, 'is no conversation: message 1 has no `role`'],
    [{ messages: [{ from: 'human', value: 'a' }] }, "no `role`; it looks like ShareGPT's"],
    [
      { messages: [u([{ type: 'image_url', image_url: {} }]), a('b')] },
      'message 0 has no text, only image_url, which cannot be imported',
    ],
    [{ messages: [u({ text: 'a' })] }, 'message 0 has a `content` that is no text and no list'],
    [{ messages: [{ role: 'user', text: 'a' }] }, 'message 0 has no `content`'],
    [
      { messages: [{ role: 'user', parts: [{ type: 'text', text: 'a' }] }] },
      "message 0 has `parts`, and no text in `content`; it looks like the AI SDK's",
    ],
    [
      { messages: ['human', 'ai', 'tool', 'ai', 'ai'].map((type) => ({ type, content: 'a' })) },
      `none of 5 messages has a known role ("human", "ai", "tool"); they look like LangChain's`,
    ],
    [
      { messages: [u('a'), { role: 'bot', content: 'b' }] },
      '1 of 2 messages have a role that is not known ("bot")',
    ],
    [
      { messages: [{ role: 'User', content: 'a' }, a('b')] },
      '1 of 2 messages have a role that is not known ("User")',
    ],
    [
      {
        turns: [
          { speaker: 'user', text: 'a' },
          { speaker: 'agent', text: 'b' },
        ],
      },
      '1 of 2 utterances have a speaker that is not known ("agent")',
    ],
    [
      { turns: [{ speaker: 'agent', text: 'b' }] },
      'none of 1 utterances has a known speaker ("agent")',
    ],
    [
      {
        messages: ['a', 'b'].flatMap((text) => [
          u(text, { id: '0192f0c1-7c00-7000-8000-000000000001' }),
          a(text),
        ]),
      },
      'has two messages with the id 0192f0c1-7c00-7000-8000-000000000001',
    ],
  ])('%p are refused: %s', (line, reason) => {
    expect(() => read(line)).toThrow(reason)
  })

  test('can be put together again from what is recorded', () => {
    const content = fc.oneof(
      fc.constantFrom('', 'Hi', 'a\n\nb', null),
      fc.array(
        fc.oneof(
          fc.constantFrom(
            { type: 'text', text: 'x' },
            { type: 'text', text: 'y', annotations: [1] },
            { type: 'refusal', refusal: 'no' },
            { type: 'image_url', image_url: { url: 'u' } },
            { type: 'input_audio', transcript: 't', n: 1 },
          ),
        ),
        { maxLength: 3 },
      ),
    )
    const message = fc.record(
      {
        role: fc.constantFrom('user', 'assistant', 'user', 'assistant', 'system', 'tool', 'x'),
        content,
        name: fc.constantFrom('n', ''),
        tool_calls: fc.constant([{ id: 'c' }]),
      },
      { requiredKeys: ['role', 'content'] },
    )
    fc.assert(
      fc.property(fc.array(message, { maxLength: 12 }), (messages) => {
        fc.pre(isRead({ messages }))
        const { create, turns } = read({ messages })
        expect(rebuilt(create, turns).map(plain)).toEqual(messages.map(plain))
      }),
      { numRuns: 2000 },
    )
  })
})
