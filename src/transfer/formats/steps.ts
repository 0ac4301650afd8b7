/** What an import has to do, as a format's reader says it and as it is then carried out. */
import type { Message, NewConversation, NewTurn } from '../../conversation/wire/schemas.ts'
import type { NewVoiceSession, TurnHalves } from '../../conversation/wire/voice-schemas.ts'
import type { LineIdentity } from '../import/line-identities.ts'
import type { ExportedMessage } from './export-format.ts'
import type { StrangeTimes } from './message-times.ts'

/** The audio of an AI message, and the segment it is tagged with. */
export type Audio = {
  readonly messageId: string
  readonly urls: readonly (string | null)[]
  readonly segmentId: string | null
}

/** What was heard of an AI message, and when that was reported. */
export type Report = {
  readonly messageId: string
  readonly heard: NonNullable<Message['heard']>
  readonly at: string
}

/** The turns of a line that is a whole conversation. */
export type WholeLine = {
  readonly turns: readonly NewTurn[]
  /** The same under the id that earlier versions derived. */
  readonly earlier:
    | { readonly conversationId: string; readonly turns: readonly NewTurn[] }
    | undefined
  /** The id that a `--source` of the file's name would give; undefined where it is the same one. */
  readonly idByFileName: string | undefined
  /** What to do where the conversation that is there is another one: a sentence. */
  readonly advice: string
  /** Whether the id stands in the line, as a UUID. */
  readonly hasOwnId: boolean
  readonly externalPrefix: string
}

export type Step =
  | {
      readonly do: 'create'
      readonly body: NewConversation & { readonly id: string }
      readonly whole?: WholeLine
      readonly kept: Kept
    }
  | {
      readonly do: 'record'
      readonly key: string
      readonly turn: NewTurn
      /** Where it stands in a conversation that is one line, from 1. */
      readonly seq?: number
      /** What an export says the turn's messages are, their order included. */
      readonly exported?: readonly ExportedMessage[]
      /** Given afterwards: what may still change is no part of a turn's request. */
      readonly audio?: Audio
      readonly report?: Report
      /** Under which half of it may have been brought before. */
      readonly seatKey?: string
      readonly kept: Kept
    }
  | { readonly do: 'seat'; readonly seq: number; readonly key: string }
  | {
      readonly do: 'half'
      readonly seq: number
      /** Of the turn's seat. */
      readonly key: string
      readonly halves: TurnHalves
      readonly audio?: Audio
      readonly report?: Report
    }
  | { readonly do: 'heard'; readonly report: Report }
  | { readonly do: 'voiceSession'; readonly body: NewVoiceSession; readonly hasEnded: boolean }
  | { readonly do: 'segment'; readonly segmentId: string }
  | { readonly do: 'messageAudio'; readonly audio: Audio }
  | {
      readonly do: 'segmentAudio'
      readonly segmentId: string
      readonly urls: readonly (string | null)[]
    }
  | { readonly do: 'end'; readonly messages: number }
  | { readonly do: 'withdraw' }

/** What was kept in another place than a turn's own: `what -> where`, and how many. */
export type Kept = ReadonlyMap<string, number>

/** The steps of one line, all of one conversation. */
export type Block = {
  readonly conversationId: string
  readonly steps: readonly Step[]
  /** Whether the conversation begins here, and whether other lines belong to it, too. */
  readonly begins: boolean
  readonly goesOn: boolean
  /** Times that a dialogue has and that are none. */
  readonly strangeTimes?: StrangeTimes
}

/** What is known of a line beside its content. */
export type LineContext = LineIdentity & {
  /** What external ids begin with. */
  readonly externalPrefix: string
  /** The source text of the number `holder[name]`. */
  readonly numberText: (holder: object, name: string) => string
  /** The text of an answer -> its parts. */
  readonly split: (text: string) => string[]
}

/** A line that is JSON and cannot be read as its format. */
export class LineProblem extends Error {
  override readonly name = 'LineProblem'
}
