/** Histories in the formats of other libraries, passed to these libraries. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { InMemoryChatMessageHistory } from '@langchain/core/chat_history'
import {
  AIMessage,
  type BaseMessage,
  HumanMessage,
  mapChatMessagesToStoredMessages,
  mapStoredMessagesToChatMessages,
  type StoredMessage,
} from '@langchain/core/messages'
import OpenAI from 'openai'
import type { ChatCompletionMessageParam } from 'openai/resources/chat/completions'
import type {
  LangchainHistory,
  OpenaiHistory,
} from '../../../src/conversation/wire/history-formats.ts'
import type { History, NewTurn } from '../../../src/conversation/wire/schemas.ts'
import { type TestApp, testApp } from '../../support/servers/app.ts'
import {
  dialogueFiles,
  dialoguesAreHere,
  readDialogues,
  sentences,
  turnsOf,
} from '../../support/transfer/dialogues.ts'

let app: TestApp
beforeAll(async () => {
  app = await testApp()
})
afterAll(() => app[Symbol.asyncDispose]())

/**
 * Records these turns in a conversation, and returns functions that read its history in each
 * format.
 */
async function recorded(turns: readonly NewTurn[]) {
  const { headers } = await app.ask('POST', '/v1/conversations', {})
  const path = headers.get('location')
  for (const turn of turns) expect((await app.ask('POST', `${path}/turns`, turn)).status).toBe(201)
  const history = async (query: string) =>
    (await app.ask('GET', `${path}/history${query}`)).body as unknown
  return {
    turnlog: async (more = '') => (await history(`?format=turnlog${more}`)) as History,
    openai: async (more = '') => (await history(`?format=openai${more}`)) as OpenaiHistory,
    langchain: async (more = '') => (await history(`?format=langchain${more}`)) as LangchainHistory,
    byDefault: async () => (await history('')) as History,
  }
}

/** The messages that a server receives from the real client of OpenAI. */
async function sentByOpenai(messages: ChatCompletionMessageParam[]): Promise<unknown> {
  const received = Promise.withResolvers<{ messages: unknown }>()
  using server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      received.resolve((await request.json()) as { messages: unknown })
      const message = { role: 'assistant', content: 'Noted.', refusal: null }
      return Response.json({ choices: [{ index: 0, finish_reason: 'stop', message }] })
    },
  })
  const client = new OpenAI({ apiKey: 'none', baseURL: `${server.url}v1`, maxRetries: 0 })
  const answer = await client.chat.completions.create({ model: 'any', messages })
  expect(answer.choices[0]?.message.content).toBe('Noted.')
  return (await received.promise).messages
}

/** The messages as LangChain loads them into its memory. */
async function loadedByLangchain(messages: unknown): Promise<BaseMessage[]> {
  // A cast is needed, because the type has members that LangChain's own JSON omits.
  const stored = messages as StoredMessage[]
  return await new InMemoryChatMessageHistory(mapStoredMessagesToChatMessages(stored)).getMessages()
}

/** The JSON that LangChain would store for these messages. */
const storedAgain = (messages: BaseMessage[]): unknown =>
  JSON.parse(JSON.stringify(mapChatMessagesToStoredMessages(messages)))

const spoken: NewTurn = {
  user: {
    text: '',
    at: '2026-11-23T09:30:00.123456Z',
    voice: { sessionId: 'call-7', durationSeconds: 3 },
    metadata: { asr: 'none' },
  },
  assistant: {
    responses: ['I did not catch that.', 'Once more, please?'],
    ttsAudioUrls: ['https://audio.example/1.mp3', null],
    memoryRetrievalTrace: { lookups: [] },
    metadata: { model: 'm-1' },
  },
}

describe('a history with format=openai', () => {
  test('a history for OpenAI has the role and content of each message, and no other member', async () => {
    const { openai, turnlog } = await recorded([spoken, { assistant: { responses: ['Hello?'] } }])
    const history = await openai()
    expect(history.messages).toEqual([
      { role: 'user', content: '' },
      { role: 'assistant', content: 'I did not catch that.[SPLIT]Once more, please?' },
      { role: 'assistant', content: 'Hello?' },
    ])
    const { messages: _, ...envelope } = await turnlog()
    expect(history).toEqual({ ...envelope, messages: history.messages })
  })

  test('a history with last has only that number of newest messages', async () => {
    const turn = (text: string) => ({ user: { text }, assistant: { responses: [`${text}!`] } })
    const { openai, langchain } = await recorded([turn('a'), turn('b')])
    expect((await openai('&last=3')).messages.map(({ content }) => content)).toEqual([
      'a!',
      'b',
      'b!',
    ])
    expect((await langchain('&last=1')).messages.map(({ data }) => data.content)).toEqual(['b!'])
  })
})

describe('a history with format=langchain', () => {
  test('a history for LangChain has every field of a message, also after LangChain stored it again', async () => {
    const { langchain, turnlog } = await recorded([spoken])
    const history = await langchain()
    const { messages, ...envelope } = await turnlog()
    expect(history).toEqual({ ...envelope, messages: history.messages })
    const loaded = await loadedByLangchain(history.messages)
    const [human, ai] = loaded
    expect([HumanMessage.isInstance(human), AIMessage.isInstance(ai)]).toEqual([true, true])
    expect(loaded.map(({ content, id }) => ({ content, id }))).toEqual(
      messages.map(({ content, id }) => ({ content, id })),
    )
    const back = loaded.map(({ additional_kwargs: kwargs, id, text: content, type }, n) => ({
      ...Object(kwargs.turnlog),
      conversationId: history.conversationId,
      id,
      content,
      role: type,
      parts: messages[n]?.role === 'ai' ? content.split('[SPLIT]') : [content],
    }))
    expect(back).toEqual(messages)
    expect(storedAgain(loaded)).toEqual(history.messages)
  })

  test('metadata with names that LangChain interprets does not change a message', async () => {
    const metadata = {
      output_version: 'v1',
      model_provider: 'anthropic',
      function_call: { name: 'f', arguments: '{}' },
      tool_calls: [{ id: '1', type: 'function', function: { name: 'f', arguments: '{}' } }],
      output: [{ type: 'message', content: 'other' }],
    }
    const { langchain } = await recorded([
      {
        user: { text: 'Hi', metadata },
        assistant: { responses: ['Hello'], metadata, memoryRetrievalTrace: metadata },
      },
    ])
    const [human, ai] = await loadedByLangchain((await langchain()).messages)
    expect([human?.content, ai?.content]).toEqual(['Hi', 'Hello'])
    expect(ai).toMatchObject({ tool_calls: [], invalid_tool_calls: [], response_metadata: {} })
    expect(ai?.additional_kwargs).toMatchObject({ turnlog: { metadata } })
  })
})

describe('a history', () => {
  test('a history has the format turnlog by default, and is empty in every format without messages', async () => {
    const { turnlog, byDefault, openai, langchain } = await recorded([])
    expect(await byDefault()).toEqual(await turnlog())
    expect([(await openai()).messages, (await langchain()).messages]).toEqual([[], []])
  })

  test.skipIf(!dialoguesAreHere)(
    'the history of a real dialogue is accepted by both libraries',
    async () => {
      const dialogues = dialogueFiles.flatMap((file) => readDialogues(file).slice(0, 12))
      expect(dialogues).toHaveLength(24)
      for (const dialogue of dialogues) {
        const turns = turnsOf(dialogue, sentences)
        const said = turns.flatMap(({ user, assistant }) => [
          ...(user === undefined ? [] : [{ role: 'user' as const, content: user.text }]),
          { role: 'assistant' as const, content: assistant.responses.join('[SPLIT]') },
        ])
        const { openai, langchain } = await recorded(turns)
        // The types of OpenAI's client accept the messages without a cast.
        const params: ChatCompletionMessageParam[] = (await openai()).messages
        expect(await sentByOpenai(params)).toEqual(said)
        const loaded = await loadedByLangchain((await langchain()).messages)
        expect(loaded.map(({ type, text }) => [type, text])).toEqual(
          said.map(({ role, content }) => [role === 'user' ? 'human' : 'ai', content]),
        )
      }
    },
    30_000,
  )
})
