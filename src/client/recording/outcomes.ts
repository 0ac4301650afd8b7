/** What writes over the socket resolve with: the answers of the service, without what belongs to the socket. */
import { Problem } from '../../problem-error.ts'
import type { JournalEntry } from '../journal/journal.ts'
import type { Answer } from './write-queues.ts'

type Bare<Frame> = Omit<Frame, 't' | 'id' | 'c'>

/** An answer of one type, without what belongs to the socket. */
export type Inner<T extends Answer['t']> = Bare<Extract<Answer, { t: T }>>

/** `replayed`: the key had recorded it before. Null ids: without responses, nothing was recorded. */
export type Recorded = Inner<'recorded'>
/** A null id: there was nothing to attach, or no AI message; with `heldUntil`, the audio waits for its turn. */
export type Attached = Inner<'attached'>
/** `replayed`: the key had opened it before. */
export type Opened = Inner<'turn.opened'>
/** `replayed`: all that was sent was there before. */
export type Completed = Inner<'turn.completed'>
export type Interrupted = Inner<'interrupted'>
export type Written = Recorded | Attached | Opened | Completed | Interrupted

/** Throws `answer-unusable` for an answer of another type. */
export function inner<T extends Answer['t']>(answer: Answer, type: T): Inner<T> {
  if (!isOf(answer, type)) throw new Problem('answer-unusable')
  return bare(answer)
}

/** What became of a write that was left in the journal. */
export function recoveredOutcome(entry: JournalEntry, answer: Answer): Written {
  if ('turn' in entry) return inner(answer, 'recorded')
  // The key of a speech entry begins with the type of its frame.
  switch (entry.key.split(' ')[0]) {
    case 'turn.open':
      return inner(answer, 'turn.opened')
    case 'turn.complete':
      return inner(answer, 'turn.completed')
    case 'interrupt':
      return inner(answer, 'interrupted')
    default:
      return inner(answer, 'attached')
  }
}

const isOf = <T extends Answer['t']>(
  answer: Answer,
  type: T,
): answer is Extract<Answer, { t: T }> => answer.t === type

function bare<Frame extends Answer>(frame: Frame): Bare<Frame> {
  const { t: _, id: __, c: ___, ...rest } = frame
  return rest
}
