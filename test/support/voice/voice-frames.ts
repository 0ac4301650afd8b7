/** The frames of steps, and counts of their results. */
import { newId } from '../../../src/conversation/wire/ids.ts'
import type { OutFrame, Tally } from './voice-speaker.ts'
import { missingTurn, type Step } from './voice-steps.ts'
import {
  answerParts,
  hashOf,
  heardAt,
  nameOf,
  sessionName,
  spokenText,
  urlOf,
  userOf,
} from './voice-words.ts'

/**
 * The frame of a step, and the step that the frame really does: a step for an unknown message names
 * a missing one.
 */
export function framed(
  step: Step,
  c: string,
  answerId: (key: number) => string | undefined,
  /** The id of a message of another conversation. */
  foreign: string | undefined,
): { step: Step; frame: OutFrame } {
  const responsesOf = (words: number) => ({
    responses: answerParts('key' in step ? step.key : 0, words),
  })
  const target = (key: number) => {
    const messageId = answerId(key)
    return messageId === undefined
      ? { key: missingTurn, messageId: foreign ?? newId() }
      : { key, messageId }
  }
  switch (step.do) {
    case 'open':
      return { step, frame: { t: 'turn.open', c, key: nameOf(step.key) } }
    case 'record': {
      const turn = { user: userOf(step.key, step.words), assistant: responsesOf(step.words) }
      return { step, frame: { t: 'record', c, key: nameOf(step.key), turn } }
    }
    case 'complete': {
      const { key, user, assistant } = step
      const halves = {
        ...(user === null ? {} : { user: userOf(key, user) }),
        ...(assistant === null ? {} : { assistant: responsesOf(assistant) }),
      }
      return { step, frame: { t: 'turn.complete', c, key: nameOf(key), ...halves } }
    }
    case 'heard': {
      const { key, messageId } = target(step.key)
      const { heard, at } = step
      const frame = { t: 'interrupt', c, messageId, heard, at: heardAt(at) }
      return { step: { ...step, key }, frame }
    }
    case 'audio': {
      const { key, part, words, by } = step
      const textHash = hashOf(spokenText(key, part, words))
      const audio = { t: 'attach', c, part, ttsAudioUrl: urlOf(key, part, words), textHash }
      if (by === 'key') return { step, frame: { ...audio, key: nameOf(key) } }
      const { messageId, key: found } = target(key)
      return { step: { ...step, key: found }, frame: { ...audio, messageId } }
    }
    case 'start': {
      const { session } = step
      const sessionId = sessionName(session)
      return { step, frame: { t: 'voice.start', c, sessionId, metadata: { room: session } } }
    }
    case 'end':
      return { step, frame: { t: 'voice.end', c, sessionId: sessionName(step.session) } }
    default:
      throw new Error(`the step ${step.do} has no frame`)
  }
}

export class Counts implements Tally {
  readonly #counts = new Map<string, number>()

  count(name: string, n = 1): void {
    this.#counts.set(name, this.of(name) + n)
  }

  atLeast(name: string, n: number): void {
    this.#counts.set(name, Math.max(this.of(name), n))
  }

  of(name: string): number {
    return this.#counts.get(name) ?? 0
  }

  /** A table with one line for each first word of the names. */
  get table(): string {
    const lines = new Map<string, string[]>()
    for (const [name, n] of [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
      const [first = '', ...rest] = name.split(' ')
      lines.set(first, [...(lines.get(first) ?? []), `${rest.join(' ')} ${n}`.trim()])
    }
    return [...lines].map(([first, all]) => `  ${first.padEnd(10)} ${all.join(', ')}`).join('\n')
  }
}
