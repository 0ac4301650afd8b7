/** Seats, halves, reports and voice sessions of one conversation, by the routes of speech. */
import type { Rest } from '../../client/client.ts'
import type { CompletedTurn } from '../../conversation/wire/voice-schemas.ts'
import type { Report, Step } from '../formats/steps.ts'
import { refusalOf } from '../service-client.ts'

/** Every method fails with what the service refuses. */
export class SpeechImport {
  readonly #rest: Rest
  readonly #conversationId: string

  constructor(rest: Rest, conversationId: string) {
    this.#rest = rest
    this.#conversationId = conversationId
  }

  /** Opens a seat; resolves with the `seq` that it has in the service. */
  async open(key: string, at: string | undefined): Promise<number> {
    const body = at === undefined ? {} : { at }
    return (await this.#rest.openTurn(this.#conversationId, key, body)).seq
  }

  /** Null: the half has no responses, and nothing was written. */
  complete({ halves, key }: Step & { do: 'half' }): Promise<CompletedTurn | null> {
    return this.#rest.completeTurn(this.#conversationId, key, halves)
  }

  /** The turn as it stands, where its human half was imported before; else undefined. */
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

  async report({ messageId, heard, at }: Report): Promise<void> {
    await this.#rest.interrupt(this.#conversationId, messageId, { heard, at })
  }

  async session({ body, hasEnded }: Step & { do: 'voiceSession' }): Promise<void> {
    try {
      const { id } = await this.#rest.startVoiceSession(this.#conversationId, body)
      // A second try is safe: a session that has ended is refused, and that is the aim.
      if (hasEnded) await this.#rest.endVoiceSession(this.#conversationId, id, { resend: true })
    } catch (error) {
      if (refusalOf(error)?.code !== 'voice-session-ended') throw error
    }
  }
}
