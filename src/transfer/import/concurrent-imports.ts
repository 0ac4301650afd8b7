/**
 * Imports conversations side by side, and the steps of each in order. The queued lines are bounded, so the
 * reader of a file waits with them.
 */

import type { Block } from '../formats/steps.ts'
import type { ConversationImport } from './conversation-import.ts'
import type { SourceLine } from './tally.ts'

export type ImportBounds = {
  readonly conversations: number
  /** The maximum of queued lines, in bytes. One line may exceed it. */
  readonly waitingBytesMax: number
}

type Lane = { readonly id: string; readonly work: ConversationImport; done: Promise<void> }

const waitingBlocksMax = 1024

export class ConcurrentImports {
  readonly #bounds: ImportBounds
  readonly #start: (block: Block) => ConversationImport
  readonly #lanes = new Map<string, Lane>()
  /** The lane of the conversation whose lines go on. */
  #open: Lane | undefined
  #waitingBlocks = 0
  #waitingBytes = 0
  #failure: { readonly error: unknown } | undefined
  /** Resolves when any work ends. */
  #ended = Promise.withResolvers<void>()

  constructor(bounds: ImportBounds, start: (block: Block) => ConversationImport) {
    this.#bounds = bounds
    this.#start = start
  }

  /** The conversation whose lines go on, if any. */
  current(): string | undefined {
    return this.#open?.id
  }

  /** Resolves when there is room for more. Throws what stopped the work of any conversation. */
  async push(block: Block, sourceLine: SourceLine, bytes: number): Promise<void> {
    if (block.begins) this.#closeOpen()
    const lane = block.begins ? await this.#begin(block) : this.#open
    if (lane?.id !== block.conversationId) throw new Error('A block lies outside its conversation.')
    this.#waitingBlocks += 1
    this.#waitingBytes += bytes
    this.#append(lane, async () => {
      for (const step of block.steps) await lane.work.apply(step, sourceLine)
      this.#waitingBlocks -= 1
      this.#waitingBytes -= bytes
    })
    this.#open = lane
    if (!block.continues) this.#closeOpen()
    const { waitingBytesMax } = this.#bounds
    await this.#until(
      () => this.#waitingBlocks < waitingBlocksMax && this.#waitingBytes < waitingBytesMax,
    )
  }

  /** Resolves when everything was carried out. */
  async finish(): Promise<void> {
    this.#closeOpen()
    await this.#until(() => this.#lanes.size === 0)
  }

  async #begin(block: Block): Promise<Lane> {
    const id = block.conversationId
    // A conversation that comes again is imported after itself, never beside itself.
    await this.#until(() => this.#lanes.size < this.#bounds.conversations && !this.#lanes.has(id))
    const lane: Lane = { id, work: this.#start(block), done: Promise.resolve() }
    this.#lanes.set(id, lane)
    return lane
  }

  #closeOpen(): void {
    const lane = this.#open
    this.#open = undefined
    if (lane === undefined) return
    this.#append(lane, () => {
      lane.work.finish()
      this.#lanes.delete(lane.id)
    })
  }

  #append(lane: Lane, work: () => Promise<void> | void): void {
    lane.done = lane.done
      .then(() => (this.#failure === undefined ? work() : undefined))
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#wake())
  }

  #wake(): void {
    const waiting = this.#ended
    this.#ended = Promise.withResolvers()
    waiting.resolve()
  }

  async #until(condition: () => boolean): Promise<void> {
    while (this.#failure === undefined && !condition()) await this.#ended.promise
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
