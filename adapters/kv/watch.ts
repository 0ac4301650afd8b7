/** A watch: what a store tells of changes becomes a stream of the entries as they are. */
import { KvError } from '../../src/ports/kv.ts'
import type { KvStore, Stored } from './store.ts'

/** Milliseconds until entries that could not be read are read again, if nothing happens before. */
const retryMs = 250
/** Reads of watches that run at a time: after an outage, thousands want to look. */
const readsMax = 16

type Entries = readonly (Stored | undefined)[]

export type Watches = {
  open<Row>(keys: readonly string[], rowOf: (entries: Entries) => Row): ReadableStream<Row>
  /** Ends all of them. */
  close(): void
}

export function createWatches(store: KvStore): Watches {
  const open = new Set<() => void>()
  const turns: (() => void)[] = []
  let reading = 0

  const read = async (keys: readonly string[]): Promise<Entries> => {
    if (reading >= readsMax) await new Promise<void>((resolve) => turns.push(resolve))
    else reading += 1
    try {
      return await store.read(keys)
    } finally {
      const next = turns.shift()
      if (next === undefined) reading -= 1
      else next()
    }
  }

  return {
    open<Row>(keys: readonly string[], rowOf: (entries: Entries) => Row) {
      let isDirty = false
      let isOver = false
      let wake = () => {}
      let unlisten = () => {}
      let shown: string | undefined
      const onChange = () => {
        isDirty = true
        wake()
      }
      /** Until the next change; or for some milliseconds. */
      const idle = (ms?: number) =>
        new Promise<void>((resolve) => {
          const timer = ms === undefined ? undefined : setTimeout(resolve, ms)
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      const end = () => {
        isOver = true
        open.delete(close)
        unlisten()
        wake()
      }
      let close = end
      /** Once they are others than were shown, or it is over. */
      const nextEntries = async (): Promise<Entries> => {
        for (;;) {
          if (isOver) return []
          if (!isDirty) {
            await idle()
            continue
          }
          isDirty = false
          const entries = await read(keys).catch(away)
          if (entries === undefined) {
            // A change that is heard meanwhile has it looked at once.
            if (!isDirty && !isOver) await idle(retryMs)
            isDirty = true
            continue
          }
          const now = entries.map((entry) => entry?.versionstamp ?? '-').join()
          if (now === shown) continue
          shown = now
          return entries
        }
      }
      return new ReadableStream<Row>(
        {
          start(controller) {
            close = () => {
              end()
              controller.close()
            }
            open.add(close)
            unlisten = store.listen(keys, onChange)
          },
          async pull(controller) {
            try {
              const entries = await nextEntries()
              if (!isOver) controller.enqueue(rowOf(entries))
            } catch (thrown) {
              // The stream has failed then, and must not be closed any more.
              end()
              throw thrown
            }
          },
          cancel: end,
        },
        { highWaterMark: 0 },
      )
    },
    close() {
      for (const close of [...open]) close()
    },
  }
}

/** A store that is away comes back; anything else is the stream's end. */
function away(thrown: unknown): undefined {
  if (!(thrown instanceof KvError)) throw thrown
}
