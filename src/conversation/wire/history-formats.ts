/** Schemas of a history in each format: that of Turnlog, and those of OpenAI and LangChain. */
import Type, { type Static } from 'typebox'
import { History, Message } from './schemas.ts'

/** The formats of a history. The first is the default. */
export const historyFormats = ['turnlog', 'openai', 'langchain'] as const
export type HistoryFormat = (typeof historyFormats)[number]

const { conversationId, version, cursor } = History.properties

// No other members are allowed, because OpenAI's API refuses a message with a member that it does
// not know.
export const OpenaiMessage = Type.Object(
  {
    role: Type.Union([Type.Literal('user'), Type.Literal('assistant')]),
    content: Type.String({
      description: 'The parts, joined by `[SPLIT]`. Empty for speech without a transcript.',
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
        description: 'The parts, joined by `[SPLIT]`. Empty for speech without a transcript.',
      }),
      id: Message.properties.id,
      additional_kwargs: Type.Object({
        turnlog: Type.Omit(Message, ['id', 'conversationId', 'role', 'parts', 'content'], {
          description: 'All other fields of the message.',
        }),
      }),
      response_metadata: Type.Object(
        {},
        { description: 'Always empty, because LangChain interprets some members of it.' },
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

/** A union, not "one of": a history without messages matches all three. */
export const RenderedHistory = Type.Union([History, OpenaiHistory, LangchainHistory], {
  description: 'The history in the requested `format`.',
})
export type RenderedHistory = Static<typeof RenderedHistory>
