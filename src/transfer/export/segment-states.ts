/** The states of segments at a version, for the turns that complete them. Memory is bounded. */
import type { Rest } from '../../client/client.ts'
import type { Segment } from '../../conversation/wire/schemas.ts'

/** Far more than a conversation usually has; a segment that was dropped is asked for again. */
const charactersMax = 4 * 1024 * 1024
const perEntry = 200

type State = { readonly userMessageId: string | null; readonly agentResponse: string | null }

export class SegmentStates {
  readonly #rest: Rest
  readonly #conversationId: string
  readonly #known = new Map<string, State & { readonly version: number }>()
  #characters = 0
  #newest = 0

  constructor(rest: Rest, conversationId: string) {
    this.#rest = rest
    this.#conversationId = conversationId
  }

  /** The newest version that a segment asked for here has shown. */
  get newest(): number {
    return this.#newest
  }

  /** Notes segments as they were read at a version. */
  learn(segments: readonly Segment[], version: number): void {
    for (const segment of segments) this.#note(segment, version)
  }

  /** The segment as it was at this version or later. */
  async since(segmentId: string, version: number): Promise<State> {
    const state = this.#known.get(segmentId)
    if (state !== undefined && state.version >= version) return state
    const segment = await this.#rest.getSegment(this.#conversationId, segmentId)
    this.#note(segment, version)
    this.#newest = Math.max(this.#newest, segment.version)
    return segment
  }

  #note({ id, userMessageId, agentResponse }: Segment, version: number): void {
    if (this.#known.has(id)) this.#forget(id)
    this.#known.set(id, { userMessageId, agentResponse, version })
    this.#characters += perEntry + (agentResponse?.length ?? 0)
    for (const oldest of this.#known.keys()) {
      if (this.#characters <= charactersMax) break
      this.#forget(oldest)
    }
  }

  #forget(id: string): void {
    this.#characters -= perEntry + (this.#known.get(id)?.agentResponse?.length ?? 0)
    this.#known.delete(id)
  }
}
