/**
 * Watcher follows a conversation. Its socket is cut at times, and it resumes from its cursor at
 * some node.
 */
import { Copy, type LiveClient } from '../live/live.ts'
import { Broken, type Claims } from './voice-claims.ts'
import type { VoiceNode } from './voice-nodes.ts'

export class Watcher {
  readonly #c: string
  readonly #alterReceived: ((text: string) => string) | undefined
  readonly copy = new Copy()
  #node: VoiceNode
  #client: LiveClient | undefined
  /** Frames that its sockets received and no claim has checked yet. */
  #unchecked: LiveClient['frames'] = []
  #wrong: string | undefined

  constructor(c: string, node: VoiceNode, alterReceived: ((text: string) => string) | undefined) {
    this.#c = c
    this.#node = node
    this.#alterReceived = alterReceived
  }

  async follow(): Promise<void> {
    const { cursor } = this.copy
    const from = cursor === undefined ? '' : `&cursor=${cursor}`
    const client = await this.#node.connect(
      `?conversation=${this.#c}${from}`,
      new Map([[this.#c, this.copy]]),
    )
    const [{ socket }, alterReceived] = [client, this.#alterReceived]
    const deliver = socket.onmessage
    if (alterReceived !== undefined && deliver !== null)
      socket.onmessage = (event) => {
        const { data }: { data: unknown } = event
        deliver.call(socket, new MessageEvent('message', { data: alterReceived(String(data)) }))
      }
    this.#client = client
    await client.until('live')
  }

  async moves(node: VoiceNode): Promise<void> {
    this.end()
    this.#node = node
    await this.follow()
  }

  /** Passes every message that it was shown to the claims. */
  report(claims: Claims): void {
    this.#take()
    if (this.#wrong !== undefined) throw new Broken('fold', this.#wrong)
    for (const frame of this.#unchecked.splice(0))
      if (frame.t === 'change') for (const message of frame.messages) claims.messageShown(message)
  }

  async reaches(version: number): Promise<void> {
    try {
      await this.#client?.reaches(this.#c, version)
    } catch (cause) {
      throw new Broken('fold', `version ${version}: ${String(cause)}`)
    }
  }

  end(): void {
    this.#take()
    if (this.#client !== undefined) this.#node.cut(this.#client)
    this.#client = undefined
  }

  #take(): void {
    this.#unchecked.push(...(this.#client?.frames.splice(0) ?? []))
    const wrong = this.#client?.wrong
    if (wrong !== undefined)
      this.#wrong ??= wrong instanceof Error ? wrong.message : JSON.stringify(wrong)
  }
}
