/** The steps of an import: readers of formats make them, and the import carries them out. */
import type { Message, NewConversation, NewTurn } from '../../conversation/wire/schemas.ts'
import type { NewVoiceSession, TurnHalves } from '../../conversation/wire/voice-schemas.ts'
import type { ExportedMessage } from './export-format.ts'
import type { UnusedTimes } from './message-times.ts'

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
  /** The same turns under the conversation id that earlier versions derived. */
  readonly earlier:
    | { readonly conversationId: string; readonly turns: readonly NewTurn[] }
    | undefined
  /** The id that `--source <file name>` would derive; undefined where it is the same id. */
  readonly idByFileName: string | undefined
  /** What to do where the conversation that is there is another one: a sentence. */
  readonly advice: string
  /** Whether the line itself gives the id, as a UUID. */
  readonly hasOwnId: boolean
  readonly externalPrefix: string
}

export type Step =
  | {
      readonly do: 'create'
      readonly body: NewConversation & { readonly id: string }
      readonly whole?: WholeLine
      readonly kept: RelocatedCounts
    }
  | {
      readonly do: 'record'
      readonly key: string
      readonly turn: NewTurn
      /** The `seq` of its first message, in a conversation that is one line. */
      readonly seq?: number
      /** The turn's messages as an export has them, in order. */
      readonly exported?: readonly ExportedMessage[]
      /** Sent after the turn: what may still change is no part of the turn's request. */
      readonly audio?: Audio
      readonly report?: Report
      /** The key of a seat under which an earlier import may have brought the human half. */
      readonly seatKey?: string
      readonly kept: RelocatedCounts
    }
  | { readonly do: 'seat'; readonly seq: number; readonly key: string }
  | {
      readonly do: 'half'
      readonly seq: number
      /** The key of the turn's seat. */
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

/** Counts of what was kept in another place than its own, by `what -> where`. */
export type RelocatedCounts = ReadonlyMap<string, number>

/** The steps of one line, all of one conversation. */
export type Block = {
  readonly conversationId: string
  readonly steps: readonly Step[]
  /** Whether the conversation begins here, and whether other lines belong to it, too. */
  readonly begins: boolean
  readonly continues: boolean
  /** Values under the name of a time that are no times. */
  readonly unusedTimes?: UnusedTimes
}

/** The id that a line gives its conversation, and the member that holds it. */
export type LineName = { readonly member: string; readonly id: string }

export type LineIdentity = {
  readonly conversationId: string
  readonly name: LineName | undefined
  /** The id that earlier versions derived from the line's number. */
  readonly earlierId: string | undefined
}

/** What a format needs to know of a line beside its content. */
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
