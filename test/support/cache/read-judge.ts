/**
 * Judges reads of one conversation by the answers that its writers got. Every durable change has a
 * version, so the right answer at each version is known word for word.
 */
import canonicalize from 'canonicalize'
import type { Message } from '../../../src/conversation/wire/schemas.ts'

/** An acknowledged change: its version, and the messages that it wrote, in the state after it. */
export type AcknowledgedChange = { readonly version: number; readonly messages: readonly Message[] }

/** A request for the newest `last` messages, or for a page. */
export type ReadRequest =
  | { readonly last: number }
  | { readonly after: number; readonly limit: number }
  | { readonly before: number; readonly limit: number }
  | { readonly newest: number }

export type ReadRecord = {
  readonly request: ReadRequest
  readonly mode: 'strong' | 'eventual' | 'floor'
  /**
   * The version that the answer must reach, known before the request was sent; 0 for `eventual`.
   */
  readonly floor: number
  readonly startedAt: number
  readonly endedAt: number
  readonly version: number
  readonly source: string
  /** One digest a message, in the order of the answer. */
  readonly messages: readonly number[]
}

/**
 * Returns a digest, so that thousands of answers can be kept. Members of JSON that callers gave are
 * sorted, because the database stores them in another order.
 */
export const digestOf = (message: Message): number =>
  Bun.hash.xxHash32(
    JSON.stringify({
      ...message,
      memoryRetrievalTrace: canonicalize(message.memoryRetrievalTrace),
      metadata: canonicalize(message.metadata),
    }),
  )

/** Returns one sentence for each wrong read and each missing change. */
export function judgeReads(options: {
  readonly changes: readonly AcknowledgedChange[]
  readonly reads: readonly ReadRecord[]
  /** The newest version that the cache showed before these reads. @default 0 */
  readonly newestShown?: number
}): string[] {
  const { changes, reads, newestShown = 0 } = options
  const inOrder = [...changes].sort((a, b) => a.version - b.version)
  return [
    // Version 1 is the conversation's creation.
    ...inOrder.flatMap(({ version }, index) =>
      version === index + 2 ? [] : [`change ${index + 1} has version ${version}, not ${index + 2}`],
    ),
    ...wrongContents(inOrder, reads),
    ...reads.flatMap((read) =>
      read.version >= read.floor ? [] : [`${nameOf(read)} is behind ${read.floor}`],
    ),
    ...backwards(reads, newestShown),
  ]
}

/** Returns the messages after all changes up to a version, as digests by seq. */
export function stateAt(changes: readonly AcknowledgedChange[], version: number): number[] {
  const state: number[] = []
  for (const change of [...changes].sort((a, b) => a.version - b.version))
    if (change.version <= version) applyTo(state, change)
  return state
}

const applyTo = (state: number[], { messages }: AcknowledgedChange) => {
  for (const message of messages) state[message.seq - 1] = digestOf(message)
}

const nameOf = ({ mode, version, source, request }: ReadRecord) =>
  `the ${mode} read of ${JSON.stringify(request)} at version ${version} from the ${source}`

function wrongContents(
  inOrder: readonly AcknowledgedChange[],
  reads: readonly ReadRecord[],
): string[] {
  const head = inOrder.at(-1)?.version ?? 1
  const state: number[] = []
  let next = 0
  return [...reads]
    .sort((a, b) => a.version - b.version)
    .flatMap((read) => {
      if (read.version > head) return [`${nameOf(read)} is ahead of ${head}`]
      for (; (inOrder[next]?.version ?? Number.POSITIVE_INFINITY) <= read.version; next += 1)
        applyTo(state, inOrder[next] ?? { version: 0, messages: [] })
      const expected = expectedOf(state, read.request)
      const isRight =
        expected.length === read.messages.length &&
        expected.every((digest, index) => digest === read.messages[index])
      return isRight ? [] : [`${nameOf(read)} is not what was written`]
    })
}

function expectedOf(state: readonly number[], request: ReadRequest): number[] {
  if ('last' in request) return state.slice(-request.last)
  if ('after' in request) return state.slice(request.after, request.after + request.limit)
  if ('newest' in request) return state.slice(-request.newest).reverse()
  const end = Math.min(request.before - 1, state.length)
  return state.slice(Math.max(0, end - request.limit), end)
}

/** Returns reads from the cache that began after another one ended, and have an older version. */
function backwards(reads: readonly ReadRecord[], shownBefore: number): string[] {
  const cached = reads.filter(({ source }) => source === 'cache')
  const byEnd = [...cached].sort((a, b) => a.endedAt - b.endedAt)
  let newestShown = shownBefore
  let ended = 0
  return [...cached]
    .sort((a, b) => a.startedAt - b.startedAt)
    .flatMap((read) => {
      for (let one = byEnd[ended]; one !== undefined; one = byEnd[ended]) {
        if (one.endedAt >= read.startedAt) break
        newestShown = Math.max(newestShown, one.version)
        ended += 1
      }
      return read.version >= newestShown
        ? []
        : [`${nameOf(read)} comes after ${newestShown} was shown`]
    })
}
