/** The sender of partials: the latest interim text of each speaker, at a bounded rate. */

import type { ClientFrame, Role } from '../wire/client-frames.ts'
import { fieldFault, jsonText } from '../wire/plain-json.ts'

/** Milliseconds between two partials of one speaker: the service accepts at most 25 a second. */
const intervalMs = 40
/**
 * Characters that may wait in the socket to leave this machine. Above that number no partial is sent, and a newer text
 * replaces an older one.
 */
const waitingMax = 65_536

export type Partials = {
  /**
   * Sends a partial now or at the next tick of its speaker. Throws `input-not-json`, and `field-invalid` if `text` is
   * not a string.
   */
  put(conversationId: string, role: Role, text: string): void
  /** Drops the waiting texts of a conversation, because a durable turn follows. */
  forget(conversationId: string): void
  close(): void
}

type Speaker = {
  /** The text of the frame to send at the next tick. */
  pending: string | undefined
  timer: ReturnType<typeof setTimeout>
}

export function createPartials(options: {
  /** Returns false if there is no connection. The partial is then dropped: a newer one or the turn will follow. */
  readonly send: (frame: string) => boolean
  /** Characters that wait in the socket to leave this machine. */
  readonly waiting: () => number
}): Partials {
  const speakers = new Map<string, Speaker>()

  const send = (frame: string): boolean => options.waiting() <= waitingMax && options.send(frame)

  const tick = (conversationId: string, role: Role) => {
    const name = `${conversationId} ${role}`
    const speaker = speakers.get(name)
    if (speaker?.pending === undefined) return void speakers.delete(name)
    send(speaker.pending)
    speakers.set(name, {
      pending: undefined,
      timer: setTimeout(tick, intervalMs, conversationId, role),
    })
  }

  return {
    put(conversationId, role, text) {
      const frame = jsonText({ t: 'partial', c: conversationId, role, text } satisfies ClientFrame)
      if (typeof text !== 'string') throw fieldFault('/text', 'must be a string')
      const name = `${conversationId} ${role}`
      const speaker = speakers.get(name)
      if (speaker !== undefined) speaker.pending = frame
      else if (send(frame))
        speakers.set(name, {
          pending: undefined,
          timer: setTimeout(tick, intervalMs, conversationId, role),
        })
    },
    forget(conversationId) {
      for (const role of ['human', 'ai']) {
        const speaker = speakers.get(`${conversationId} ${role}`)
        if (speaker !== undefined) speaker.pending = undefined
      }
    },
    close() {
      for (const { timer } of speakers.values()) clearTimeout(timer)
      speakers.clear()
    },
  }
}
