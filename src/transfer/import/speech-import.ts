/** Seats, halves, reports and voice sessions of one conversation, brought through the routes of speech. */
import type { CompletedTurn, OpenedTurn } from '../../conversation/wire/voice-schemas.ts'
import type { Report, Step } from '../formats/steps.ts'
import { Refused, type Rest } from '../rest.ts'

export type SpeechImport = {
  /** The `seq` that the seat has there. */
  open(key: string, at: string | undefined): Promise<number>
  complete(step: Step & { do: 'half' }): Promise<CompletedTurn>
  /** The turn as it stands, where its human half was brought before; else undefined. */
  goOn(step: Step & { do: 'record' }): Promise<CompletedTurn | undefined>
  report(report: Report): Promise<void>
  session(step: Step & { do: 'voiceSession' }): Promise<void>
}

/** Every function fails with what the service refuses. */
export function createSpeechImport(rest: Rest, path: string): SpeechImport {
  const unless = async (code: string, work: () => Promise<unknown>) => {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== code) throw error
    }
  }
  return {
    async open(key, at) {
      const body = at === undefined ? {} : { at }
      return (await rest.send<OpenedTurn>('POST', `${path}/turns/open`, body, key)).body.seq
    },
    async complete({ halves, key }) {
      return (await rest.send<CompletedTurn>('POST', `${path}/turns/complete`, halves, key)).body
    },
    async goOn({ turn: { assistant, segment }, seatKey }) {
      if (seatKey === undefined) return undefined
      const halves = { assistant, ...(segment === undefined ? {} : { segment }) }
      try {
        const sent = rest.send<CompletedTurn>('POST', `${path}/turns/complete`, halves, seatKey)
        return (await sent).body
      } catch (error) {
        if (error instanceof Refused && error.code === 'turn-not-open') return undefined
        throw error
      }
    },
    async report({ messageId, heard, at }) {
      await rest.send('POST', `${path}/messages/${messageId}/interrupt`, { heard, at })
    },
    async session({ body, hasEnded }) {
      await unless('voice-session-ended', async () => {
        await rest.send('POST', `${path}/voice-sessions`, body)
        const name = encodeURIComponent(body.id ?? '')
        if (hasEnded) await rest.send('POST', `${path}/voice-sessions/${name}/end`, {})
      })
    },
  }
}
