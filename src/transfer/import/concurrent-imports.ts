/**
 * Imports several conversations at once, and the steps of each in order. The queue of lines is
 * bounded: the reader of a file waits while it is full.
 */

import type { Block } from '../formats/steps.ts'
import type { ConversationImport } from './conversation-import.ts'
import type { SourceLine } from './tally.ts'

export type ImportBounds = {
  /** Maximum number of conversations imported at once. */
  readonly conversations: number
  /** Maximum size of the queued lines, in bytes. One line may exceed it. */
  readonly waitingBytesMax: number
}

type RunningImport = {
  readonly id: string
  readonly conversation: ConversationImport
  /** Resolves when all steps that were appended so far have run. */
  done: Promise<void>
}

const waitingBlocksMax = 1024

export class ConcurrentImports {
  readonly #bounds: ImportBounds
  readonly #start: (block: Block) => ConversationImport
  readonly #running = new Map<string, RunningImport>()
  /** The import that the next lines of the file may belong to. */
  #open: RunningImport | undefined
  #waitingBlocks = 0
  #waitingBytes = 0
  #failure: { readonly error: unknown } | undefined
  /** Resolves when the next queued block of any conversation is done. */
  #blockDone = Promise.withResolvers<void>()

  constructor(bounds: ImportBounds, start: (block: Block) => ConversationImport) {
    this.#bounds = bounds
    this.#start = start
  }

  /** The id of the conversation that the next lines of the file may belong to, if there is one. */
  current(): string | undefined {
    return this.#open?.id
  }

  /**
   * Queues a block, and resolves when the queue has room again. Throws the error that stopped any
   * import.
   */
  async push(block: Block, sourceLine: SourceLine, bytes: number): Promise<void> {
    if (block.begins) this.#closeOpen()
    const running = block.begins ? await this.#begin(block) : this.#open
    if (running?.id !== block.conversationId)
      throw new Error('A block lies outside its conversation.')
    this.#waitingBlocks += 1
    this.#waitingBytes += bytes
    this.#append(running, async () => {
      for (const step of block.steps) await running.conversation.apply(step, sourceLine)
      this.#waitingBlocks -= 1
      this.#waitingBytes -= bytes
    })
    this.#open = running
    if (!block.continues) this.#closeOpen()
    const { waitingBytesMax } = this.#bounds
    await this.#until(
      () => this.#waitingBlocks < waitingBlocksMax && this.#waitingBytes < waitingBytesMax,
    )
  }

  /** Resolves when all queued blocks are done. */
  async finish(): Promise<void> {
    this.#closeOpen()
    await this.#until(() => this.#running.size === 0)
  }

  async #begin(block: Block): Promise<RunningImport> {
    const id = block.conversationId
    // If a conversation occurs twice in a file, its second import waits for the first one to end.
    await this.#until(
      () => this.#running.size < this.#bounds.conversations && !this.#running.has(id),
    )
    const running = { id, conversation: this.#start(block), done: Promise.resolve() }
    this.#running.set(id, running)
    return running
  }

  #closeOpen(): void {
    const running = this.#open
    this.#open = undefined
    if (running === undefined) return
    this.#append(running, () => {
      running.conversation.finish()
      this.#running.delete(running.id)
    })
  }

  #append(running: RunningImport, work: () => Promise<void> | void): void {
    running.done = running.done
      .then(() => (this.#failure === undefined ? work() : undefined))
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => this.#wake())
  }

  #wake(): void {
    const done = this.#blockDone
    this.#blockDone = Promise.withResolvers()
    done.resolve()
  }

  async #until(condition: () => boolean): Promise<void> {
    while (this.#failure === undefined && !condition()) await this.#blockDone.promise
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
