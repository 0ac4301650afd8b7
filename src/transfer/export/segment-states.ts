/**
 * Keeps the states of segments at a version, for the turns that complete them. The memory is
 * bounded.
 */
import type { Rest } from '../../client/client.ts'
import type { Segment } from '../../conversation/wire/schemas.ts'

/**
 * Maximum size of all states, in characters. It is far more than usual. A dropped state is read
 * again.
 */
const charactersMax = 4 * 1024 * 1024
/** Size that each state counts beside its text, in characters. */
const perEntry = 200

type State = { readonly userMessageId: string | null; readonly agentResponse: string | null }

export class SegmentStates {
  readonly #rest: Rest
  readonly #conversationId: string
  readonly #states = new Map<string, State & { readonly version: number }>()
  #characters = 0
  #newest = 0

  constructor(rest: Rest, conversationId: string) {
    this.#rest = rest
    this.#conversationId = conversationId
  }

  /** The newest version of a segment that was read from the service here. */
  get newest(): number {
    return this.#newest
  }

  /** Keeps the states of segments that were read at a version. */
  keep(segments: readonly Segment[], version: number): void {
    for (const segment of segments) this.#keepState(segment, version)
  }

  /** Resolves with the state of a segment at this version or later. */
  async since(segmentId: string, version: number): Promise<State> {
    const state = this.#states.get(segmentId)
    if (state !== undefined && state.version >= version) return state
    const segment = await this.#rest.getSegment(this.#conversationId, segmentId)
    this.#keepState(segment, version)
    this.#newest = Math.max(this.#newest, segment.version)
    return segment
  }

  #keepState({ id, userMessageId, agentResponse }: Segment, version: number): void {
    if (this.#states.has(id)) this.#drop(id)
    this.#states.set(id, { userMessageId, agentResponse, version })
    this.#characters += perEntry + (agentResponse?.length ?? 0)
    for (const oldest of this.#states.keys()) {
      if (this.#characters <= charactersMax) break
      this.#drop(oldest)
    }
  }

  #drop(id: string): void {
    this.#characters -= perEntry + (this.#states.get(id)?.agentResponse?.length ?? 0)
    this.#states.delete(id)
  }
}
