/** The readers of the chat libraries: the conversation that each shape becomes. */
import { describe, expect, test } from 'bun:test'
import { formatOf } from '../../../../src/transfer/formats/formats.ts'
import { LineProblem } from '../../../../src/transfer/formats/steps.ts'
import { unknownFormatText } from '../../../../src/transfer/formats/unknown-format.ts'
import { parseSourced } from '../../../../src/transfer/lines/sourced-json.ts'
import { contextOf } from '../../../support/transfer/transfer.ts'

/** Reads a document, and returns the format that reads it and its steps in short. */
function read(document: unknown) {
  const json = parseSourced(JSON.stringify(document))
  const format = formatOf(json.value)
  if (format === undefined) throw new Error('no format claims it')
  const block = format.read(json.value, contextOf(json, { ids: format.ids }))
  const [create] = block.steps.flatMap((step) => (step.do === 'create' ? [step.body] : []))
  const records = block.steps.flatMap((step) => (step.do === 'record' ? [step] : []))
  return {
    format: format.name,
    title: create?.title,
    externalId: create?.externalId,
    createdAt: create?.createdAt,
    metadata: create?.metadata,
    leftOut: Object.fromEntries(block.leftOut ?? []),
    turns: records.map(({ turn }) => [turn.user?.text, ...turn.assistant.responses]),
    at: records.flatMap(({ turn }) => [turn.user?.at, turn.assistant.at]),
    answers: records.map(({ turn }) => turn.assistant.metadata),
    people: records.map(({ turn }) => turn.user),
    reports: records.map(({ report }) => report),
  }
}

const refusal = (document: unknown): string => {
  try {
    read(document)
    return ''
  } catch (error) {
    if (error instanceof LineProblem) return error.message
    throw error
  }
}

describe('ChatGPT', () => {
  const node = (id: string, parent: string | null, role: string, parts: unknown[], more = {}) => ({
    id,
    parent,
    children: [],
    message: { id, author: { role }, content: { content_type: 'text', parts }, ...more },
  })
  const mapping = {
    root: { id: 'root', parent: null, message: null },
    s: node('s', 'root', 'system', ['']),
    q: node('q', 's', 'user', ['Hi'], { create_time: 1716200001.5 }),
    old: node('old', 'q', 'assistant', ['Old']),
    call: node('call', 'q', 'assistant', ['{"q": 1}'], { recipient: 'browser' }),
    tool: node('tool', 'call', 'tool', ['page']),
    a: node('a', 'tool', 'assistant', ['Hello'], { create_time: 1716200003.25 }),
  }

  test('the branch of current_node is the conversation, and other branches are counted', () => {
    const found = read({
      conversation_id: 'c1',
      title: 'Greeting',
      create_time: 1716200000,
      current_node: 'a',
      mapping,
    })
    expect(found).toMatchObject({
      format: 'chatgpt',
      title: 'Greeting',
      externalId: 'f.jsonl/c1',
      createdAt: '2024-05-20T10:13:20.000Z',
      turns: [['Hi', 'Hello']],
      at: ['2024-05-20T10:13:21.500Z', '2024-05-20T10:13:23.250Z'],
      leftOut: { 'messages of other branches': 1 },
    })
    const before = found.answers[0]?.chatgpt as { before: { id: string }[] }
    expect(before.before.map(({ id }) => id)).toEqual(['call', 'tool'])
  })

  test('the last leaf counts if there is no current_node, and a current_node that is missing is refused', () => {
    expect(read({ mapping }).turns).toEqual([['Hi', 'Hello']])
    expect(refusal({ mapping, current_node: 'x' })).toContain('`current_node`')
    const circle = { ...mapping, root: { ...mapping.root, parent: 'a' } }
    expect(refusal({ mapping: circle, current_node: 'a' })).toContain('its own ancestor')
  })

  test('a spoken question is audio, and a question of an image alone is refused', () => {
    const voice = { content_type: 'audio_transcription', text: 'Hi there' }
    const spoken = { ...node('q', null, 'user', [voice]), children: ['a'] }
    spoken.message.content.content_type = 'multimodal_text'
    const answer = node('a', 'q', 'assistant', ['Hello'])
    const found = read({ mapping: { q: spoken, a: answer }, current_node: 'a' })
    expect(found.people[0]).toMatchObject({ text: 'Hi there', voice: {} })
    const image = { content_type: 'image_asset_pointer', asset_pointer: 'file' }
    const seen = node('q', null, 'user', [image])
    seen.message.content.content_type = 'multimodal_text'
    expect(refusal({ mapping: { q: seen, a: answer }, current_node: 'a' })).toContain(
      'only image_asset_pointer',
    )
  })
})

describe('LangChain', () => {
  const dict = (type: string, data: object) => ({ type, data })
  const lc = (name: string, kwargs: object) => ({
    lc: 1,
    type: 'constructor',
    id: ['langchain_core', 'messages', name],
    kwargs,
  })
  const state = (type: string, fields: object) => ({ type, ...fields })

  test.each([
    ['dict', dict('human', { content: 'Hi' }), dict('ai', { content: 'Hello', id: 'r' })],
    [
      'dumps',
      lc('HumanMessage', { content: 'Hi' }),
      lc('AIMessage', { content: 'Hello', id: 'r' }),
    ],
    [
      'chunk',
      lc('HumanMessage', { content: 'Hi' }),
      lc('AIMessageChunk', { content: 'Hello', id: 'r' }),
    ],
    ['state', state('human', { content: 'Hi' }), state('ai', { content: 'Hello', id: 'r' })],
  ])('the form %s of a message is read', (_, human, ai) => {
    for (const document of [
      [human, ai],
      { messages: [human, ai] },
      { values: { messages: [human, ai] } },
      { channel_values: { messages: [human, ai] } },
    ])
      expect(read(document)).toMatchObject({
        format: 'langchain',
        turns: [['Hi', 'Hello']],
        answers: [{ langchain: { message: { id: 'r' } } }],
      })
  })

  test('the thread of a LangGraph state is the id, and calls and results stay with the answer', () => {
    const found = read({
      values: {
        messages: [
          state('system', { content: 'Be brief' }),
          state('human', { content: 'Weather?' }),
          state('ai', { content: '', tool_calls: [{ name: 'w', args: {}, id: '1' }] }),
          state('tool', { content: '3C', tool_call_id: '1' }),
          state('ai', { content: [{ type: 'text', text: '3 degrees' }] }),
        ],
      },
      config: { configurable: { thread_id: 't-1' } },
      created_at: '2024-05-20T10:13:20Z',
    })
    expect(found).toMatchObject({
      externalId: 'f.jsonl/t-1',
      createdAt: '2024-05-20T10:13:20Z',
      turns: [['Weather?', '3 degrees']],
      metadata: { langchain: { before: [{ type: 'system' }] } },
      answers: [{ langchain: { before: [{ type: 'ai' }, { type: 'tool' }] } }],
    })
  })

  test('a message of an unknown type is refused if it may be the person', () => {
    expect(refusal([dict('customer', { content: 'Hi' }), dict('ai', { content: 'Hello' })])).toBe(
      '1 of 2 messages have an unknown role ("customer")',
    )
  })
})

describe('the AI SDK', () => {
  test('texts of parts are the message, and tools, thoughts and files are kept', () => {
    const messages = [
      { id: 'u', role: 'user', parts: [{ type: 'text', text: 'Weather?' }] },
      {
        id: 'a',
        role: 'assistant',
        metadata: { createdAt: 1750000000000 },
        parts: [
          { type: 'reasoning', text: 'think' },
          { type: 'tool-w', toolCallId: '1', state: 'output-available', output: 3 },
          { type: 'text', text: 'It is 3 degrees.', state: 'done' },
        ],
      },
    ]
    for (const document of [messages, { id: 'chat', messages }])
      expect(read(document)).toMatchObject({
        format: 'ai-sdk',
        turns: [['Weather?', 'It is 3 degrees.']],
        at: ['2025-06-15T15:06:40.000Z', '2025-06-15T15:06:40.000Z'],
        answers: [
          {
            'ai-sdk': {
              message: {
                parts: [
                  { type: 'reasoning', text: 'think' },
                  { type: 'tool-w', output: 3 },
                  { type: 'text' },
                ],
              },
            },
          },
        ],
      })
  })

  test('a question of a file alone is refused with its kind', () => {
    const file = { type: 'file', mediaType: 'image/png', url: 'https://x.example/a.png' }
    const answer = { role: 'assistant', parts: [{ type: 'text', text: 'A cat' }] }
    expect(refusal([{ role: 'user', parts: [file] }, answer])).toBe(
      'is no conversation: message 0 has no text, only file, which cannot be imported',
    )
  })
})

describe('ShareGPT', () => {
  test('a list of from and value is a conversation, under each name of the agent', () => {
    for (const agent of ['gpt', 'assistant', 'chatgpt', 'bing', 'bard', 'model'])
      expect(
        read({
          id: 's',
          conversations: [
            { from: 'system', value: 'Be brief' },
            { from: 'human', value: 'Hi' },
            { from: agent, value: 'Hello' },
          ],
        }),
      ).toMatchObject({ format: 'sharegpt', externalId: 'f.jsonl/s', turns: [['Hi', 'Hello']] })
  })
})

describe('LibreChat', () => {
  const message = (
    messageId: string,
    parentMessageId: string,
    isCreatedByUser: boolean,
    text: string,
  ) => ({
    messageId,
    parentMessageId,
    isCreatedByUser,
    text,
    sender: isCreatedByUser ? 'User' : 'GPT',
  })
  const root = '00000000-0000-0000-0000-000000000000'

  test('the branch of the last message is the conversation', () => {
    const messages = [
      message('q', root, true, 'Hi'),
      message('old', 'q', false, 'Old'),
      message('a', 'q', false, 'Hello'),
    ]
    expect(read({ conversationId: 'l', title: 'T', messages })).toMatchObject({
      format: 'librechat',
      title: 'T',
      externalId: 'f.jsonl/l',
      turns: [['Hi', 'Hello']],
      leftOut: { 'messages of other branches': 1 },
    })
  })

  test('a recursive export, whose answers are children, is read', () => {
    const nested = {
      ...message('q', root, true, 'Hi'),
      children: [message('a', 'q', false, 'Hello')],
    }
    expect(read({ conversationId: 'l', recursive: true, messages: [nested] }).turns).toEqual([
      ['Hi', 'Hello'],
    ])
  })

  test('the content list of an agent is read if there is no text', () => {
    const agent = {
      ...message('a', 'q', false, ''),
      content: [
        { type: 'think', think: 'hm' },
        { type: 'text', text: { value: 'Hello' } },
      ],
    }
    expect(read({ messages: [message('q', root, true, 'Hi'), agent] }).turns).toEqual([
      ['Hi', 'Hello'],
    ])
  })
})

describe('Open WebUI', () => {
  const messages = {
    q: { id: 'q', parentId: null, role: 'user', content: 'Hi', timestamp: 1716200001 },
    old: { id: 'old', parentId: 'q', role: 'assistant', content: 'Old' },
    a: { id: 'a', parentId: 'q', role: 'assistant', content: 'Hello', timestamp: 1716200002 },
  }

  test('the branch of currentId is the conversation', () => {
    const document = {
      id: 'w',
      title: 'T',
      created_at: 1716200000,
      chat: { models: ['m'], history: { messages, currentId: 'a' } },
    }
    expect(read(document)).toMatchObject({
      format: 'open-webui',
      title: 'T',
      externalId: 'f.jsonl/w',
      createdAt: '2024-05-20T10:13:20.000Z',
      turns: [['Hi', 'Hello']],
      at: ['2024-05-20T10:13:21.000Z', '2024-05-20T10:13:22.000Z'],
      leftOut: { 'messages of other branches': 1 },
      metadata: { 'open-webui': { document: { chat: { models: ['m'] } } } },
    })
  })
})

describe('LiveKit', () => {
  const item = (role: string, text: string, more = {}) => ({
    id: text,
    type: 'message',
    role,
    content: [text],
    interrupted: false,
    ...more,
  })

  test('an interrupted answer is reported as heard at its time', () => {
    const items = [
      item('user', 'Book', { transcript_confidence: 0.9, created_at: 1750000001 }),
      { type: 'function_call', call_id: 'c', name: 'book', arguments: '{}' },
      item('assistant', 'Booked for', { interrupted: true, created_at: 1750000004.5 }),
      item('assistant', 'Yes?', { interrupted: true }),
    ]
    for (const document of [
      { room_id: 'r', chat_history: { items } },
      { id: 'r', items },
    ]) {
      const { format, turns, reports, people } = read(document)
      expect({ format, turns }).toEqual({
        format: 'livekit',
        turns: [
          ['Book', 'Booked for'],
          [undefined, 'Yes?'],
        ],
      })
      expect(people[0]?.voice).toEqual({})
      expect(reports.map((one) => one && [one.heard, one.at])).toEqual([
        [{ text: 'Booked for' }, '2025-06-15T15:06:44.500Z'],
        undefined,
      ])
    }
  })
})

describe('Gemini', () => {
  const contents = [
    { role: 'user', parts: [{ text: 'Hi' }] },
    { role: 'model', parts: [{ functionCall: { name: 'w' } }] },
    { role: 'user', parts: [{ functionResponse: { name: 'w' } }] },
    { role: 'model', parts: [{ text: 'thinking', thought: true }, { text: 'Hello' }] },
  ]

  test('contents are messages, alone, in a request, in a history and with the answer beside them', () => {
    const answer = { candidates: [{ content: contents[3] }] }
    const asked = contents.slice(0, 3)
    for (const document of [
      contents,
      { contents },
      { history: contents },
      { key: 'k', request: { contents } },
      { key: 'k', request: { contents: asked }, response: answer },
      { contents: asked, ...answer },
    ])
      expect(read(document)).toMatchObject({ format: 'gemini', turns: [['Hi', 'Hello']] })
  })

  test('chunks of AI Studio are messages, and thoughts are kept', () => {
    const chunks = [
      { text: 'Hi', role: 'user' },
      { text: 'hm', role: 'model', isThought: true },
      { text: 'Hello', role: 'model' },
    ]
    expect(read({ chunkedPrompt: { chunks } })).toMatchObject({
      format: 'gemini',
      turns: [['Hi', 'Hello']],
    })
  })
})

describe('Pipecat', () => {
  test('a bare list of messages is a conversation of the format openai', () => {
    const list = [
      { role: 'system', content: 'Be kind' },
      { role: 'user', content: 'Hel' },
      { role: 'user', content: 'lo' },
      { role: 'assistant', content: 'Hi' },
    ]
    expect(read(list)).toMatchObject({ format: 'openai', turns: [['Hel\n\nlo', 'Hi']] })
  })
})

describe('an unknown document', () => {
  test('the refusal names its shape and the known formats in one line, without its contents', () => {
    expect(unknownFormatText({ name: 'secret', rows: [1] })).toBe(
      'has none of the known formats (turnlog, chatgpt, langchain, ai-sdk, gemini, librechat, open-webui, livekit, sharegpt, openai, dialogues): it is an object with `name`, `rows`. See docs/importing.md',
    )
    expect(unknownFormatText([{ a: 'secret' }, 2])).toContain(
      'it is a list of 2, first an object with `a`.',
    )
    expect(unknownFormatText('secret')).toContain('it is a text.')
    expect(unknownFormatText({})).toContain('it is an empty object.')
  })
})
