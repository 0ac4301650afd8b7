/** One who follows a conversation, is cut off now and then, and goes on from its cursor at some node. */
import { Copy, type LiveClient } from '../live/live.ts'
import { Broken, type Claims } from './voice-claims.ts'
import type { VoiceNode } from './voice-nodes.ts'

export class Watcher {
  readonly #c: string
  readonly #alterReceived: ((text: string) => string) | undefined
  readonly copy = new Copy()
  #node: VoiceNode
  #client: LiveClient | undefined
  /** What its sockets showed and nobody has judged. */
  #shown: LiveClient['frames'] = []
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

  /** Everything it was shown. */
  report(claims: Claims): void {
    this.#take()
    if (this.#wrong !== undefined) throw new Broken('fold', this.#wrong)
    for (const frame of this.#shown.splice(0))
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
    this.#shown.push(...(this.#client?.frames.splice(0) ?? []))
    const wrong = this.#client?.wrong
    if (wrong !== undefined)
      this.#wrong ??= wrong instanceof Error ? wrong.message : JSON.stringify(wrong)
  }
}
