/** Words on their way that are not durable yet: the latest of each speaker, at a bounded rate. */

import type { ClientFrame, Role } from '../wire/client-frames.ts'
import { fieldFault, jsonText } from '../wire/plain-json.ts'

/** At most 25 a second of one speaker: the service takes no more. */
const intervalMs = 40
/** While this much waits to leave the machine, newer words take the place of older ones. */
const waitingMax = 65_536

export type Partials = {
  /** Throws `input-not-json`, and `field-invalid` for a `text` that is no string. */
  put(c: string, role: Role, text: string): void
  /** A durable turn is coming: what was held back is out of date. */
  forget(c: string): void
  close(): void
}

/** `pending`: the text of the frame to send at the next tick. */
type Speaker = { pending: string | undefined; timer: ReturnType<typeof setTimeout> }

export function createPartials(options: {
  /** False: there is no connection. The words are dropped: newer ones will come, or the turn. */
  readonly send: (frame: string) => boolean
  readonly waiting: () => number
}): Partials {
  const speakers = new Map<string, Speaker>()

  const send = (frame: string): boolean => options.waiting() <= waitingMax && options.send(frame)

  const tick = (c: string, role: Role) => {
    const name = `${c} ${role}`
    const speaker = speakers.get(name)
    if (speaker?.pending === undefined) return void speakers.delete(name)
    send(speaker.pending)
    speakers.set(name, { pending: undefined, timer: setTimeout(tick, intervalMs, c, role) })
  }

  return {
    put(c, role, text) {
      const frame = jsonText({ t: 'partial', c, role, text } satisfies ClientFrame)
      if (typeof text !== 'string') throw fieldFault('/text', 'must be a string')
      const name = `${c} ${role}`
      const speaker = speakers.get(name)
      if (speaker !== undefined) speaker.pending = frame
      else if (send(frame))
        speakers.set(name, { pending: undefined, timer: setTimeout(tick, intervalMs, c, role) })
    },
    forget(c) {
      for (const role of ['human', 'ai']) {
        const speaker = speakers.get(`${c} ${role}`)
        if (speaker !== undefined) speaker.pending = undefined
      }
    },
    close() {
      for (const { timer } of speakers.values()) clearTimeout(timer)
      speakers.clear()
    },
  }
}
