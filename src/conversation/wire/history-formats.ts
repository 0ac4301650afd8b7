/** The shapes a history is given in, as schemas: ours, and those of the libraries that read it. */
import Type, { type Static } from 'typebox'
import { History, Message } from './schemas.ts'

/** What callers may ask for; the first is the default. */
export const historyFormats = ['turnlog', 'openai', 'langchain'] as const
export type HistoryFormat = (typeof historyFormats)[number]

const { conversationId, version, cursor } = History.properties

// Closed: the API it is sent on to refuses a message with any other member.
export const OpenaiMessage = Type.Object(
  {
    role: Type.Union([Type.Literal('user'), Type.Literal('assistant')]),
    content: Type.String({
      description: 'The parts, joined by `[SPLIT]`; empty for speech without a transcript.',
    }),
  },
  {
    additionalProperties: false,
    description: 'A message parameter of the Chat Completions API of OpenAI.',
  },
)
export type OpenaiMessage = Static<typeof OpenaiMessage>

export const OpenaiHistory = Type.Object({
  conversationId,
  version,
  cursor,
  messages: Type.Array(OpenaiMessage),
})
export type OpenaiHistory = Static<typeof OpenaiHistory>

export const LangchainMessage = Type.Object(
  {
    type: Type.Union([Type.Literal('human'), Type.Literal('ai')]),
    data: Type.Object({
      content: Type.String({
        description: 'The parts, joined by `[SPLIT]`; empty for speech without a transcript.',
      }),
      id: Message.properties.id,
      additional_kwargs: Type.Object({
        turnlog: Type.Omit(Message, ['id', 'conversationId', 'role', 'parts', 'content'], {
          description: 'Everything else of the message.',
        }),
      }),
      response_metadata: Type.Object(
        {},
        { description: 'Empty: what stands here can change what LangChain makes of a message.' },
      ),
    }),
  },
  { description: 'A stored message of LangChain, for `mapStoredMessagesToChatMessages`.' },
)
export type LangchainMessage = Static<typeof LangchainMessage>

export const LangchainHistory = Type.Object({
  conversationId,
  version,
  cursor,
  messages: Type.Array(LangchainMessage),
})
export type LangchainHistory = Static<typeof LangchainHistory>

/** Not "one of": a history without messages is all three. */
export const RenderedHistory = Type.Union([History, OpenaiHistory, LangchainHistory], {
  description: 'The messages have the shape that `format` asked for.',
})
export type RenderedHistory = Static<typeof RenderedHistory>
