/**
 * The writer serves the `record` and `attach` frames: it records turns and audio through the same
 * store as REST, and answers after the commit.
 */

import type { Reader } from '../../conversation/reading/reader.ts'
import type { Store } from '../../conversation/store.ts'
import type { Principal } from '../../conversation/wire/principal.ts'
import type { Frame } from '../protocol/frame.ts'
import { textOf } from '../protocol/frame-text.ts'

type FrameOf<T extends Frame['t']> = Extract<Frame, { readonly t: T }>

/** Each function returns the answer's frame as text, and fails with the problem codes of the store. */
export type Writer = {
  record(principal: Principal, frame: FrameOf<'record'>): Promise<string>
  attach(principal: Principal, frame: FrameOf<'attach'>): Promise<string>
}

export function createWriter(store: Store, reader: Reader): Writer {
  const named = ({ id, c }: { readonly id?: string; readonly c: string }) =>
    id === undefined ? { c } : { id, c }
  return {
    async record(principal, frame) {
      const { c, turn, key } = frame
      const recorded = await store.recordTurn(principal, c, turn, key)
      const { version, cursor } = recorded ?? (await reader.head(principal, c))
      return textOf({
        t: 'recorded',
        ...named(frame),
        version,
        cursor,
        humanMessageId: recorded?.humanMessageId ?? null,
        assistantMessageId: recorded?.assistantMessageId ?? null,
        replayed: recorded?.replayed ?? false,
      })
    },

    async attach(principal, frame) {
      const { c, messageId, audio } = frame
      const attached =
        'key' in audio
          ? await store.attachByKey(principal, c, audio)
          : await store.attachTts(principal, c, messageId, audio)
      const { version, cursor } = attached ?? (await reader.head(principal, c))
      return textOf({
        t: 'attached',
        ...named(frame),
        version,
        cursor,
        messageId: attached !== null && 'messageId' in attached ? attached.messageId : null,
        ...(attached !== null && 'heldUntil' in attached ? { heldUntil: attached.heldUntil } : {}),
      })
    },
  }
}
