/**
 * Conversations side by side, the steps of each in order. What waits is bounded, so whoever reads a
 * file waits with it.
 */

import type { Block } from '../formats/steps.ts'
import type { ConversationImport } from './conversation-import.ts'
import type { Place } from './tally.ts'

export type Lanes = {
  /** Resolves when there is room for more. Throws what stopped the work of any conversation. */
  push(block: Block, place: Place, bytes: number): Promise<void>
  /** The conversation whose lines go on, if any. */
  current(): string | undefined
  /** Resolves when everything was carried out. */
  finish(): Promise<void>
}

export type LaneBounds = {
  readonly conversations: number
  /** Of lines that wait to be carried out. One line may exceed it. */
  readonly waitingBytesMax: number
}

type Lane = { readonly id: string; readonly work: ConversationImport; done: Promise<void> }

const waitingBlocksMax = 1024

export function createLanes(
  { conversations, waitingBytesMax }: LaneBounds,
  start: (block: Block) => ConversationImport,
): Lanes {
  const lanes = new Map<string, Lane>()
  let open: Lane | undefined
  let waitingBlocks = 0
  let waitingBytes = 0
  let failure: { readonly error: unknown } | undefined
  /** Wakes whoever waits for something to end. */
  let ended = Promise.withResolvers<void>()

  const tell = () => {
    const waiter = ended
    ended = Promise.withResolvers()
    waiter.resolve()
  }
  const until = async (condition: () => boolean) => {
    while (failure === undefined && !condition()) await ended.promise
    if (failure !== undefined) throw failure.error
  }
  const append = (lane: Lane, work: () => Promise<void> | void) => {
    lane.done = lane.done
      .then(() => (failure === undefined ? work() : undefined))
      .catch((error: unknown) => {
        failure ??= { error }
      })
      .finally(tell)
  }
  const close = (lane: Lane) =>
    append(lane, () => {
      lane.work.finish()
      lanes.delete(lane.id)
    })

  const begin = async (block: Block): Promise<Lane> => {
    const id = block.conversationId
    // The same conversation again comes after itself, never beside itself.
    await until(() => lanes.size < conversations && !lanes.has(id))
    const lane: Lane = { id, work: start(block), done: Promise.resolve() }
    lanes.set(id, lane)
    return lane
  }

  return {
    current: () => open?.id,

    async push(block, place, bytes) {
      if (block.begins && open !== undefined) {
        close(open)
        open = undefined
      }
      const lane = block.begins ? await begin(block) : open
      if (lane?.id !== block.conversationId)
        throw new Error('A block lies outside its conversation.')
      waitingBlocks += 1
      waitingBytes += bytes
      append(lane, async () => {
        for (const step of block.steps) await lane.work.apply(step, place)
        waitingBlocks -= 1
        waitingBytes -= bytes
      })
      if (block.goesOn) open = lane
      else {
        close(lane)
        open = undefined
      }
      await until(() => waitingBlocks < waitingBlocksMax && waitingBytes < waitingBytesMax)
    },

    async finish() {
      if (open !== undefined) close(open)
      open = undefined
      await until(() => lanes.size === 0)
    },
  }
}
