/** The results of writes over the socket: the answers of the service without the members of the frame. */
import { Problem } from '../../problem-error.ts'
import type { JournalEntry } from '../journal/journal.ts'
import type { Answer } from './write-queues.ts'

type WithoutFrame<Frame> = Omit<Frame, 't' | 'id' | 'c'>

/** The result of an answer of one type. */
export type Result<T extends Answer['t']> = WithoutFrame<Extract<Answer, { t: T }>>

/**
 * The result of `record`: the ids of both messages, the version and the cursor of the turn. `replayed` says whether
 * the key had recorded the turn before. Both ids are null if the turn had no responses: nothing was recorded.
 */
export type Recorded = Result<'recorded'>
/**
 * The result of `attach`. `messageId` is null if there was nothing to attach, if there is no AI message, or if the
 * service holds the audio for its turn: then `heldUntil` says how long.
 */
export type Attached = Result<'attached'>
/** The result of `voice.open`: the seat of the turn. `replayed` says whether the key had opened it before. */
export type Opened = Result<'turn.opened'>
/**
 * The result of `voice.complete`: the ids of both messages. `replayed` says whether all of it was recorded before.
 * `assistantMessageId` is null until the answer is recorded.
 */
export type Completed = Result<'turn.completed'>
/** The result of `voice.interrupt`. `changed` says whether the report changed the message. */
export type Interrupted = Result<'interrupted'>
/** The result of any write over the socket. */
export type Written = Recorded | Attached | Opened | Completed | Interrupted

/** The result of an answer. Throws `answer-unusable` if the answer has another type. */
export function resultOf<T extends Answer['t']>(answer: Answer, type: T): Result<T> {
  if (!isOf(answer, type)) throw new Problem('answer-unusable')
  return withoutFrame(answer)
}

/** The result of a write that an earlier run left in the journal. */
export function recoveredOutcome(entry: JournalEntry, answer: Answer): Written {
  if ('turn' in entry) return resultOf(answer, 'recorded')
  // The key of a speech entry begins with the type of its frame.
  switch (entry.key.split(' ')[0]) {
    case 'turn.open':
      return resultOf(answer, 'turn.opened')
    case 'turn.complete':
      return resultOf(answer, 'turn.completed')
    case 'interrupt':
      return resultOf(answer, 'interrupted')
    default:
      return resultOf(answer, 'attached')
  }
}

const isOf = <T extends Answer['t']>(
  answer: Answer,
  type: T,
): answer is Extract<Answer, { t: T }> => answer.t === type

function withoutFrame<Frame extends Answer>(frame: Frame): WithoutFrame<Frame> {
  const { t: _, id: __, c: ___, ...rest } = frame
  return rest
}
