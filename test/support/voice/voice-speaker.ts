/**
 * Speaker sends steps through a socket that is cut at times, and repeats the frames without an
 * answer.
 */
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'
import type { LiveClient } from '../live/live.ts'
import { until } from '../servers/processes.ts'
import { Broken, type Claims } from './voice-claims.ts'
import { soon, type VoiceNode } from './voice-nodes.ts'
import type { Step } from './voice-steps.ts'
import type { Answer, Thread } from './voice-worlds.ts'

export type OutFrame = { readonly t: string; readonly [member: string]: unknown }

/** The connection between a speaker and its socket, in which a test can plant a mistake. */
export type Line = (
  frame: OutFrame,
  isAgain: boolean,
  send: (frame: OutFrame) => void,
  answer: (frame: ServerFrame) => void,
) => void

/**
 * The moment at which a socket is cut: right after the last frame was sent, while its write is in
 * progress, or after its commit but before its answer.
 */
export type Moment = 'at once' | 'in progress' | 'unanswered'

export type Cut = { readonly moment: Moment; readonly node: number }

export type Move = { readonly step: Step; readonly frame: OutFrame; readonly cut: Cut | null }

export type Tally = { count(name: string, n?: number): void }

type Sent = { readonly id: string; readonly step: Step; readonly frame: OutFrame; tries: number }

export class Speaker {
  readonly #nodes: readonly VoiceNode[]
  readonly #line: Line
  readonly #claims: Claims
  readonly #tally: Tally
  #node: VoiceNode
  #client: LiveClient | undefined
  #read = 0
  #frames = 0

  constructor(
    nodes: readonly VoiceNode[],
    node: VoiceNode,
    { line, claims, tally }: { line: Line; claims: Claims; tally: Tally },
  ) {
    this.#nodes = nodes
    this.#node = node
    this.#line = line
    this.#claims = claims
    this.#tally = tally
  }

  /**
   * Sends all moves without waiting. Resolves with the steps and their answers when all are
   * answered.
   */
  async play(moves: readonly Move[]): Promise<Thread[]> {
    this.#client ??= await this.#node.connect()
    const steps: { step: Step; answer: Answer }[] = []
    const own: Thread = { steps, mayStop: false }
    const threads = [own]
    const waiting: Sent[] = []
    for (const { step, frame, cut } of moves) {
      this.#frames += 1
      const sent = { id: `${this.#frames}`, step, frame, tries: 0 }
      waiting.push(sent)
      if (cut === null) {
        this.#send(sent)
        continue
      }
      const begun = this.#node.calls.begun
      if (cut.moment === 'unanswered') this.#client.socket.onmessage = null
      this.#send(sent)
      await this.#reached(cut.moment, begun)
      this.#collect(waiting, steps)
      const unknown = waiting.map((each) => ({ step: each.step }))
      threads.push({
        steps: unknown,
        mayStop: true,
        after: { thread: own, count: steps.length },
      })
      this.end()
      this.#node = this.#nodes[cut.node] ?? this.#node
      this.#client = await this.#node.connect()
      this.#tally.count(`cuts ${cut.moment}`)
      for (const each of waiting) this.#send(each)
    }
    await until('all frames are answered', () => {
      this.#collect(waiting, steps)
      return waiting.length === 0
    })
    return threads
  }

  end(): void {
    if (this.#client !== undefined) this.#node.cut(this.#client)
    this.#client = undefined
    this.#read = 0
  }

  async #reached(moment: Moment, begun: number): Promise<void> {
    if (moment === 'at once') return
    const { calls } = this.#node
    const client = this.#client
    const isReached = () =>
      calls.begun > begun && (moment === 'in progress' || calls.inProgress === 0)
    const end = performance.now() + 10_000
    // The loop looks as often as possible, because a write takes a millisecond.
    while (!isReached() && client?.closed === undefined) {
      if (performance.now() > end) throw new Error('no write began')
      await soon()
    }
  }

  #send(sent: Sent): void {
    const client = this.#client
    if (client === undefined) throw new Error('there is no socket')
    sent.tries += 1
    this.#claims.stepSent(sent.step)
    this.#tally.count(sent.tries === 1 ? `frames ${sent.frame.t}` : 'resends')
    this.#line(
      { ...sent.frame, id: sent.id },
      sent.tries > 1,
      (frame) => client.send(frame),
      (frame) => client.frames.push(frame),
    )
  }

  /** Collects answers, which arrive in the order of their frames. */
  #collect(waiting: Sent[], steps: { step: Step; answer: Answer }[]): void {
    const { frames, wrong, closed } = this.#client ?? {}
    if (wrong !== undefined) throw wrong
    for (const frame of frames?.slice(this.#read) ?? []) {
      this.#read += 1
      if (!('id' in frame) || frame.id === undefined) continue
      const sent = waiting.shift()
      if (sent?.id !== frame.id)
        throw new Broken(
          'answers',
          `frame ${frame.id} was answered before frame ${sent?.id}, which was sent earlier`,
        )
      const answer = answerOf(frame)
      steps.push({ step: sent.step, answer })
      this.#claims.answered(sent.step, frame)
      if (frame.t === 'problem') this.#tally.count(`problems ${frame.code}`)
      else if (answer.outcome === 'replayed')
        this.#tally.count(sent.tries > 1 ? 'replays after a cut' : 'replays otherwise')
    }
    if (closed !== undefined && waiting.length > 0)
      throw new Broken('answers', `the socket was closed with ${closed.code} ${closed.reason}`)
  }
}

function answerOf(frame: ServerFrame): Answer {
  if (frame.t === 'problem') return { outcome: frame.code }
  if ('replayed' in frame && frame.replayed) return { outcome: 'replayed' }
  const isHeld = frame.t === 'attached' && frame.heldUntil !== undefined
  const isUnchanged = frame.t === 'interrupted' && !frame.changed
  return {
    outcome: isHeld ? 'held' : isUnchanged ? 'unchanged' : 'done',
    ...('version' in frame ? { version: frame.version } : {}),
    ...(frame.t === 'turn.opened' ? { seq: frame.seq } : {}),
  }
}
