/** The reading of OpenAI messages. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { NewConversation, NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { LineProblem } from '../../../src/transfer/formats/steps.ts'
import { ai, assistant, human, openaiMetadata, read } from '../../support/transfer/read-lines.ts'

const user = (content: unknown, more: object = {}) => ({ role: 'user', content, ...more })

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

type Relocated = {
  before?: Message[]
  after?: Message[]
  messages?: Message[]
  message?: Message
}

type Message = { role?: string; content?: unknown; [name: string]: unknown }

const relocatedIn = (metadata: NewConversation['metadata']): Relocated =>
  (metadata?.openai ?? {}) as Relocated

/** Rebuilds the messages that a conversation was imported from. */
function rebuilt({ metadata }: NewConversation, turns: readonly NewTurn[]): Message[] {
  const { before = [], after = [] } = relocatedIn(metadata)
  const spoken = turns.flatMap(({ user, assistant }) => {
    const question = relocatedIn(user?.metadata)
    const answer = relocatedIn(assistant.metadata)
    return [
      ...(question.before ?? []),
      ...(question.messages ?? (user === undefined ? [] : [one('user', [user.text], question)])),
      ...(answer.before ?? []),
      one('assistant', assistant.responses, answer),
    ]
  })
  return [...before, ...spoken, ...after]
}

/**
 * Rebuilds one message: texts that its list of content lacks are taken from the message in order.
 */
function one(role: string, texts: readonly string[], { message = {} }: Relocated): Message {
  const { content, ...rest } = message
  if (!Array.isArray(content))
    return { role, ...rest, content: texts.map((text) => ({ type: 'text', text })) }
  const isWhole = content.some(
    (item) => 'text' in item || 'refusal' in item || 'transcript' in item,
  )
  const unused = isWhole ? [] : [...texts]
  const member: Record<string, string> = { refusal: 'refusal', input_audio: 'transcript' }
  const filled = content.map((item) =>
    item.type === 'image_url' || unused.length === 0
      ? item
      : { ...item, [member[item.type] ?? 'text']: unused.shift() },
  )
  return { role, ...rest, content: filled }
}

/** Normalizes a message: a text equals a list of that text, and no content equals an empty list. */
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
  test('a user message and the next assistant message become a turn', () => {
    const { create, turns, relocated } = chat(
      user('Hi'),
      assistant('Hello'),
      user('Bye'),
      assistant('Goodbye'),
    )
    expect(turns).toEqual([
      { user: human('Hi'), assistant: ai(['Hello']) },
      { user: human('Bye'), assistant: ai(['Goodbye']) },
    ])
    expect(Object.keys(create)).toEqual(['id'])
    expect(relocated).toEqual({})
  })

  test('a system message is kept with the conversation at its start, and later with the next message', () => {
    const [first, later] = [
      { role: 'system', content: 'Be brief.' },
      { role: 'developer', content: 'Now in French.' },
    ]
    const {
      create,
      turns,
      relocated: counts,
    } = chat(first, user('Hi'), assistant('Hello'), later, user('Bye'), assistant('Adieu'))
    expect(create.metadata).toEqual(openaiMetadata({ before: [first] }))
    expect(turns[1]).toEqual({
      user: human('Bye', openaiMetadata({ before: [later] })),
      assistant: ai(['Adieu']),
    })
    expect(counts).toEqual({
      'messages of the role "system" -> conversation metadata.openai.before': 1,
      'messages of the role "developer" -> metadata.openai.before': 1,
    })
  })

  test('tool messages are kept with the answer that follows them', () => {
    const calls = [{ id: 'c', type: 'function', function: { name: 'f' } }]
    const call = assistant(null, { tool_calls: calls })
    const result = { role: 'tool', tool_call_id: 'c', content: '42' }
    expect(chat(user('How many?'), call, result, assistant('42.')).turns).toEqual([
      {
        user: human('How many?'),
        assistant: ai(['42.'], openaiMetadata({ before: [call, result] })),
      },
    ])
    // An answer with tool calls and text is a message. The next answer is a turn without a
    // question.
    const saying = { ...call, content: 'Let me see.' }
    expect(chat(user('How many?'), saying, result, assistant('42.')).turns).toEqual([
      {
        user: human('How many?'),
        assistant: ai(['Let me see.'], openaiMetadata({ message: { tool_calls: calls } })),
      },
      { assistant: ai(['42.'], openaiMetadata({ before: [result] })) },
    ])
  })

  test('consecutive user messages become one message and are kept unchanged in its metadata', () => {
    const result = { role: 'tool', content: 'late' }
    const { turns } = chat(user('One', { name: 'Eve' }), result, user('Two'), assistant('Three'))
    expect(turns).toEqual([
      {
        user: human(
          'One\n\nTwo',
          openaiMetadata({ messages: [user('One', { name: 'Eve' }), result, user('Two')] }),
        ),
        assistant: ai(['Three']),
      },
    ])
  })

  test("user messages without an answer are kept in the conversation's metadata", () => {
    const { create, turns } = chat(user('Hi'), assistant('Hello'), user('Still there?'), user('Hm'))
    expect(turns).toHaveLength(1)
    expect(create.metadata).toEqual(openaiMetadata({ after: [user('Still there?'), user('Hm')] }))
    const alone = chat({ role: 'system', content: 's' }, user('Hi'))
    expect(alone.turns).toEqual([])
    expect(alone.create.metadata).toEqual(
      openaiMetadata({ after: [{ role: 'system', content: 's' }, user('Hi')] }),
    )
  })

  test('content items that are not texts are kept in the metadata', () => {
    const image = { type: 'image_url', image_url: { url: 'https://i.example/1.png' } }
    const { turns } = chat(
      user([{ type: 'text', text: 'What is this?' }, image]),
      assistant([
        { type: 'text', text: 'A cat.' },
        { type: 'text', text: 'Asleep.' },
      ]),
      user([
        { type: 'text', text: 'One' },
        { type: 'text', text: 'Two' },
      ]),
      assistant([{ type: 'refusal', refusal: 'No.' }]),
    )
    expect(turns).toEqual([
      {
        user: human(
          'What is this?',
          openaiMetadata({ message: { content: [{ type: 'text' }, image] } }),
        ),
        assistant: ai(['A cat.', 'Asleep.']),
      },
      {
        user: human(
          'One\n\nTwo',
          openaiMetadata({
            message: {
              content: [
                { type: 'text', text: 'One' },
                { type: 'text', text: 'Two' },
              ],
            },
          }),
        ),
        assistant: ai(['No.'], openaiMetadata({ message: { content: [{ type: 'refusal' }] } })),
      },
    ])
  })

  test('a spoken message becomes a voice message with its transcript or with an empty text', () => {
    const audio = { type: 'input_audio', input_audio: { data: 'UklGRg==', format: 'wav' } }
    const { turns } = chat(
      user([audio]),
      assistant(null, { audio: { id: 'x', transcript: 'Hello' } }),
    )
    expect(turns).toEqual([
      {
        user: { text: '', voice: {}, metadata: openaiMetadata({ message: { content: [audio] } }) },
        assistant: ai(
          ['Hello'],
          openaiMetadata({ message: { audio: { id: 'x', transcript: 'Hello' } } }),
        ),
      },
    ])
  })

  test('messages without text, refusals, names, weights and unknown roles are kept', () => {
    const empty = user('')
    const critic = { role: 'critic', content: 'meh' }
    const { create, turns } = chat(
      empty,
      critic,
      assistant(null, { refusal: 'I cannot.', weight: 0, tool_calls: null }),
    )
    expect(create.metadata).toEqual(openaiMetadata({ before: [empty, critic] }))
    expect(turns).toEqual([
      {
        assistant: ai(
          ['I cannot.'],
          openaiMetadata({ message: { refusal: 'I cannot.', weight: 0 } }),
        ),
      },
    ])
  })

  test('a message has its own time, or the time of the other message of its turn', () => {
    const { turns } = chat(
      user('a', { created_at: 1767323045 }),
      assistant('b', { created_at: 1767323046.5 }),
      user('c'),
      assistant('d', { timestamp: '2026-01-02T03:04:05.000001+01:00' }),
      user('e', { timestamp: 1767323045000 }),
      assistant('f'),
      user('g', { timestamp: 'yesterday' }),
      assistant('h'),
    )
    expect(turns.map(({ user, assistant }) => [user?.at, assistant.at])).toEqual([
      ['2026-01-02T03:04:05.000Z', '2026-01-02T03:04:06.500Z'],
      ['2026-01-02T03:04:05.000001+01:00', '2026-01-02T03:04:05.000001+01:00'],
      ['2026-01-02T03:04:05.000Z', undefined],
      [undefined, undefined],
    ])
  })

  test('other members of a line are kept, and so are message ids that are UUIDs', () => {
    const tools = [{ type: 'function', function: { name: 'f' } }]
    const { create } = read({
      id: 'chat-1',
      metadata: { user: 7 },
      tools,
      messages: [user('a'), assistant('b')],
    })
    expect(create).toMatchObject({
      externalId: 'f.jsonl/chat-1',
      metadata: { user: 7, openai: { line: { tools } } },
    })
    const awkward = { metadata: { openai: 'x' }, messages: [] }
    expect(read(awkward).create.metadata).toEqual(
      openaiMetadata({ line: { metadata: { openai: 'x' } } }),
    )
    const id = '0192f0c1-7c00-7000-8000-000000000001'
    expect(read({ id, messages: [] }).create).toEqual({ id })
    const long = 'x'.repeat(300)
    expect(read({ id: long, messages: [] }).create.metadata).toEqual(openaiMetadata({ id: long }))
  })

  test("lines of OpenAI's Batch API and Responses API are imported", () => {
    const body = { model: 'm', messages: [user('a'), assistant('b')] }
    const batch = read({ custom_id: 'r-1', method: 'POST', url: '/v1/chat/completions', body })
    expect(batch.create).toMatchObject({
      externalId: 'f.jsonl/r-1',
      metadata: openaiMetadata({
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
        user: human('a'),
        assistant: ai(
          ['b'],
          openaiMetadata({ message: { id: 'msg_1', status: 'completed' }, before: [reasoning] }),
        ),
      },
    ])
    expect(
      read({ input: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }] }] }).create
        .metadata,
    ).toEqual(
      openaiMetadata({ after: [{ role: 'user', content: [{ type: 'input_text', text: 'a' }] }] }),
    )
  })

  test.each([
    [{ messages: ['hi'] }, 'is not a conversation: message 0 is not an object'],
    [{ messages: [user('a'), { content: 'b' }] }, 'is not a conversation: message 1 has no `role`'],
    [{ messages: [{ from: 'human', value: 'a' }] }, "no `role`; it looks like ShareGPT's"],
    [
      { messages: [user([{ type: 'image_url', image_url: {} }]), assistant('b')] },
      'message 0 has no text, only image_url, which cannot be imported',
    ],
    [
      { messages: [user({ text: 'a' })] },
      'message 0 has a `content` that is neither a text nor a list',
    ],
    [{ messages: [{ role: 'user', text: 'a' }] }, 'message 0 has no `content`'],
    [
      { messages: [{ role: 'user', parts: [{ text: 'a' }] }] },
      "message 0 has `parts`, but no text in `content`; it looks like Gemini's",
    ],
    [
      { messages: ['human', 'ai', 'tool', 'ai', 'ai'].map((type) => ({ type, text: 'a' })) },
      `none of 5 messages has a known role ("human", "ai", "tool"); they look like LangChain's`,
    ],
    [
      { messages: [user('a'), { role: 'bot', content: 'b' }] },
      '1 of 2 messages have an unknown role ("bot")',
    ],
    [
      { messages: [{ role: 'User', content: 'a' }, assistant('b')] },
      '1 of 2 messages have an unknown role ("User")',
    ],
    [
      {
        turns: [
          { speaker: 'user', text: 'a' },
          { speaker: 'agent', text: 'b' },
        ],
      },
      '1 of 2 utterances have an unknown speaker ("agent")',
    ],
    [
      { turns: [{ speaker: 'agent', text: 'b' }] },
      'none of 1 utterances has a known speaker ("agent")',
    ],
    [
      {
        messages: ['a', 'b'].flatMap((text) => [
          user(text, { id: '0192f0c1-7c00-7000-8000-000000000001' }),
          assistant(text),
        ]),
      },
      'has two messages with the id 0192f0c1-7c00-7000-8000-000000000001',
    ],
  ])('the line %p is refused: %s', (line, reason) => {
    expect(() => read(line)).toThrow(reason)
  })

  test('the original messages can be rebuilt from the recorded conversation', () => {
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
