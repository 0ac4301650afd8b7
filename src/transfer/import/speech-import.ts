/** Imports the seats, halves, interruptions and voice sessions of one conversation. */
import type { Rest } from '../../client/client.ts'
import type { CompletedTurn } from '../../conversation/wire/voice-schemas.ts'
import type { Report, Step } from '../formats/steps.ts'
import { refusalOf } from '../service-client.ts'

/** Every method rejects with the problem of the service if the service refuses the request. */
export class SpeechImport {
  readonly #rest: Rest
  readonly #conversationId: string

  constructor(rest: Rest, conversationId: string) {
    this.#rest = rest
    this.#conversationId = conversationId
  }

  /** Opens a seat, and resolves with the `seq` that the service gave it. */
  async open(key: string, at: string | undefined): Promise<number> {
    const body = at === undefined ? {} : { at }
    return (await this.#rest.openTurn(this.#conversationId, key, body)).seq
  }

  /**
   * Fills a half of a turn. Resolves with null if the half has no responses: nothing was written
   * then.
   */
  complete({ halves, key }: Step & { do: 'half' }): Promise<CompletedTurn | null> {
    return this.#rest.completeTurn(this.#conversationId, key, halves)
  }

  /**
   * Adds the answer to a human half that an earlier import brought to a seat. Resolves with the
   * turn, or with undefined if no such seat exists.
   */
  async completeSeat(step: Step & { do: 'record' }): Promise<CompletedTurn | null | undefined> {
    const { turn, seatKey } = step
    if (seatKey === undefined) return undefined
    const { assistant, segment } = turn
    const halves = { assistant, ...(segment === undefined ? {} : { segment }) }
    try {
      return await this.#rest.completeTurn(this.#conversationId, seatKey, halves)
    } catch (error) {
      if (refusalOf(error)?.code === 'turn-not-open') return undefined
      throw error
    }
  }

  /**
   * Reports an interruption: what the listener heard of an AI message. A report is taken back at the
   * time of the import, because an export has no time of it.
   */
  async report({ messageId, heard, at }: Report): Promise<void> {
    const body = { heard, ...(at === null ? {} : { at }) }
    await this.#rest.interrupt(this.#conversationId, messageId, body)
  }

  /** Starts a voice session, and ends it if it had ended. */
  async session({ body, hasEnded }: Step & { do: 'voiceSession' }): Promise<void> {
    try {
      const { id } = await this.#rest.startVoiceSession(this.#conversationId, body)
      // A resent end is safe: the service refuses it if the session has ended, which is the goal.
      if (hasEnded) await this.#rest.endVoiceSession(this.#conversationId, id, { resend: true })
    } catch (error) {
      if (refusalOf(error)?.code !== 'voice-session-ended') throw error
    }
  }
}
