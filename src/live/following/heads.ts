/** The heads of many conversations, asked together: what is asked while a batch is under way waits. */
import type { HeadName, HeadRead, LiveReads } from '../../conversation/reading/live-reads.ts'

type Asked = HeadName & {
  readonly resolve: (head: HeadRead | undefined) => void
  readonly reject: (error: unknown) => void
}

export type Heads = {
  /**
   * As it is at some moment after the call; undefined where there is none. Fails with
   * a `database-` code.
   */
  read(name: HeadName): Promise<HeadRead | undefined>
}

const batchMax = 1000

/** Batches under way at a time. */
const flights = 2

export function createHeads(reads: LiveReads): Heads {
  let waiting: Asked[] = []
  let flying = 0
  let isDue = false

  const pump = () => {
    isDue = false
    while (flying < flights && waiting.length > 0) {
      const batch = waiting.slice(0, batchMax)
      waiting = waiting.slice(batchMax)
      flying += 1
      void run(batch)
    }
  }
  const run = async (batch: readonly Asked[]) => {
    try {
      const found = await reads.heads(batch)
      for (const [index, { resolve }] of batch.entries()) resolve(found[index])
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
    flying -= 1
    pump()
  }

  return {
    read(name) {
      return new Promise((resolve, reject) => {
        waiting.push({ ...name, resolve, reject })
        if (isDue) return
        isDue = true
        // Those who ask in the same breath share a statement.
        queueMicrotask(pump)
      })
    },
  }
}
