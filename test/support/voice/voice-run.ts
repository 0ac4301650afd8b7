/**
 * Runs one schedule of spoken turns over real sockets, and compares it with the model and the
 * claims.
 */

import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import type { Message, VoiceSession } from '../../../src/conversation/wire/schemas.ts'
import { Broken, Claims } from './voice-claims.ts'
import { type Counts, framed } from './voice-frames.ts'
import { VoiceModel } from './voice-model.ts'
import { quiet, seatsMax, type VoiceNode, type VoiceNodes } from './voice-nodes.ts'
import { type Burst, type Schedule, speakers } from './voice-schedule.ts'
import { type Line, type Move, type OutFrame, Speaker } from './voice-speaker.ts'
import { type Lapse, lapseCalls, type Step } from './voice-steps.ts'
import { Watcher } from './voice-watcher.ts'
import { sessionName } from './voice-words.ts'
import { type Thread, worldsAfter } from './voice-worlds.ts'

/** Faults that a test can plant. */
export type Faults = {
  readonly line?: () => Line
  /** Changes the text of a frame before a watcher receives it. */
  readonly alterReceived?: (text: string) => string
  /** Changes the path of a read. */
  readonly alterPath?: (path: string) => string
}

const straight: Line = (frame, _, send) => send(frame)

const { tenant } = localPrincipal

type Stored = { messages: Message[]; voiceSessions: VoiceSession[]; version: number }

const bySeq = (messages: readonly Message[]) => messages.toSorted((a, b) => a.seq - b.seq)
const byId = (sessions: readonly VoiceSession[]) =>
  sessions.toSorted((a, b) => (a.id < b.id ? -1 : 1))

export class Run {
  readonly #bench: VoiceNodes
  readonly #faults: Faults
  readonly #counts: Counts
  readonly #c: string
  readonly #foreign: string | undefined
  readonly #claims = new Claims()
  readonly #speakers: Speaker[]
  readonly #watchers: Watcher[]
  readonly #sent: { step: Step; frame: OutFrame }[] = []
  #worlds = [new VoiceModel(seatsMax)]
  #messages: Message[] = []

  constructor(
    bench: VoiceNodes,
    c: string,
    options: { faults: Faults; counts: Counts; foreign: string | undefined },
  ) {
    this.#bench = bench
    this.#c = c
    this.#faults = options.faults
    this.#counts = options.counts
    this.#foreign = options.foreign
    const line = options.faults.line?.() ?? straight
    const shared = { line, claims: this.#claims, tally: options.counts }
    const { nodes } = bench
    this.#speakers = Array.from(
      { length: speakers },
      (_, n) => new Speaker(nodes, this.#node(n), shared),
    )
    this.#watchers = nodes.map((node) => new Watcher(c, node, options.faults.alterReceived))
  }

  /** Plays the schedule. Returns the id of a message of the conversation. */
  async play(schedule: Schedule): Promise<string | undefined> {
    try {
      await Promise.all(this.#watchers.map((watcher) => watcher.follow()))
      for (const [n, burst] of schedule.entries()) {
        await this.#sendBurst(burst)
        await quiet(this.#bench.nodes)
        await this.#compare(this.#node(n))
      }
      await this.#end()
      return this.#messages.at(-1)?.id
    } finally {
      this.#counts.count('checks', this.#claims.checks)
      for (const each of [...this.#speakers, ...this.#watchers]) each.end()
    }
  }

  #node(n: number): VoiceNode {
    const node = this.#bench.nodes[n % this.#bench.nodes.length]
    if (node === undefined) throw new Error('the bench has no nodes')
    return node
  }

  async #sendBurst({ moves, lapse, drop }: Burst): Promise<void> {
    const model = this.#worlds[0]
    const answerId = (key: number) => {
      const seq = model?.answerOf(key)?.seq
      return this.#messages.find((message) => message.seq === seq)?.id
    }
    const before = this.#sent.length
    const bySocket = this.#speakers.map((): Move[] => [])
    for (const { socket, what, cut } of moves) {
      const again = typeof what === 'number' ? this.#sent[what % Math.max(before, 1)] : undefined
      if (typeof what === 'number') {
        if (before === 0 || again === undefined) continue
        this.#counts.count('retries')
      }
      const sent =
        again ??
        framed(typeof what === 'number' ? { do: 'expire' } : what, this.#c, answerId, this.#foreign)
      this.#sent.push(sent)
      bySocket[socket]?.push({ ...sent, cut })
    }
    const watcher = drop === null ? undefined : this.#watchers[drop.watcher]
    const [lapsed, ...threads] = await Promise.all([
      lapse === null ? [] : this.#lapse(lapse),
      ...this.#speakers.map((speaker, n) => speaker.play(bySocket[n] ?? [])),
      watcher?.moves(this.#node(drop?.node ?? 0)).then(() => {
        this.#counts.count('cuts of watchers')
        return []
      }) ?? [],
    ])
    const all = [...lapsed, ...threads.flat()]
    const worlds = worldsAfter(this.#worlds, all)
    this.#claims.must(
      'answers',
      worlds.length > 0,
      () =>
        `no order explains ${printed(all)}\nafter ${this.#worlds.map(({ name }) => name).join('\nor ')}`,
    )
    this.#worlds = worlds
  }

  async #lapse(lapse: Lapse): Promise<Thread[]> {
    const more = lapse.do === 'lapse' ? [sessionName(lapse.session)] : []
    await this.#bench.query(lapseCalls[lapse.do], [tenant, this.#c, ...more])
    this.#counts.count(`lapses ${lapse.do === 'lapse' ? 'sessions' : 'seats'}`)
    return [{ steps: [{ step: lapse }], mayStop: false }]
  }

  /** Compares the stored conversation with the models, and keeps the models that match. */
  async #compare(node: VoiceNode): Promise<void> {
    const { messages, voiceSessions, version } = await this.#changes(node)
    this.#messages = messages
    for (const watcher of this.#watchers) watcher.report(this.#claims)
    this.#claims.judge(messages, voiceSessions)
    const stored = {
      version,
      rows: messages.map(({ seq, role, state, parts, heard, ttsAudioUrls, voiceSessionId }) => ({
        ...{ seq, role, state, parts, session: voiceSessionId },
        ...{ urls: ttsAudioUrls, heard },
      })),
      sessions: voiceSessions.map(({ id, endedAt }) => ({ id, ended: endedAt !== null })),
    }
    const expected = (model: VoiceModel) => ({
      version: model.version,
      rows: model.stored(),
      sessions: model.sessions(),
    })
    const fitting = this.#worlds.filter((model) => Bun.deepEquals(stored, expected(model)))
    const [first] = this.#worlds
    if (fitting.length === 0 && first !== undefined)
      this.#claims.same('stored', stored, expected(first), `one of ${this.#worlds.length}`)
    this.#counts.atLeast('worlds', fitting.length)
    this.#claims.checks += 1
    this.#worlds = fitting
  }

  async #changes(node: VoiceNode): Promise<Stored> {
    const messages = new Map<string, Message>()
    const sessions = new Map<string, VoiceSession>()
    for (let since = ''; ; ) {
      const page = await this.#read(node, `changes?limit=100${since}`)
      for (const message of page.messages) messages.set(message.id, message)
      for (const session of page.voiceSessions ?? []) sessions.set(session.id, session)
      since = `&since=${page.cursor}`
      if (page.hasMore !== true)
        return {
          messages: bySeq([...messages.values()]),
          voiceSessions: byId([...sessions.values()]),
          version: page.version,
        }
    }
  }

  async #read(node: VoiceNode, what: string) {
    const path = `/v1/conversations/${this.#c}/${what}`
    const { status, body, text } = await node.ask('GET', this.#faults.alterPath?.(path) ?? path)
    if (status !== 200) throw new Error(`${path}: ${text}`)
    return body as {
      messages: Message[]
      voiceSessions?: VoiceSession[]
      version: number
      cursor: string
      hasMore?: boolean
    }
  }

  /** Checks that the watchers have the same content as every node returns in every view. */
  async #end(): Promise<void> {
    const [model] = this.#worlds
    if (model === undefined) throw new Broken('stored', 'no model matches')
    const claims = this.#claims
    for (const watcher of this.#watchers) {
      await watcher.reaches(model.version)
      watcher.report(claims)
    }
    for (const node of this.#bench.nodes) {
      const messages = async (what: string) => (await this.#read(node, what)).messages
      const pending = await messages('messages?include=pending')
      const sessions = (await this.#read(node, 'voice-sessions')).voiceSessions ?? []
      const said = await messages('history?view=said')
      const heard = await messages('history?view=heard')
      for (const { copy } of this.#watchers) {
        const followed = copy.state.messages.filter(({ state }) => state !== 'expired')
        claims.same('fold', followed, pending, 'the messages of a follower')
        claims.same('fold', byId([...copy.voiceSessions.values()]), byId(sessions), 'sessions')
        claims.same('fold', followed.filter(isFilled), said, 'the filled messages of a follower')
      }
      claims.same('views', await messages('history?view=said&include=pending'), pending, 'history')
      claims.same('views', await messages('messages'), said, 'pages')
      const seqs = model.rows.filter(isFilled).map(({ seq }) => seq)
      claims.same(
        'views',
        said.map(({ seq }) => seq),
        seqs,
        'the said view',
      )
      claims.heardView(said, heard)
      const parts = heard.map(({ seq, parts }) => ({ seq, parts }))
      claims.same('views', parts, model.heard(), 'the heard view')
    }
  }
}

const isFilled = ({ state }: { readonly state: string }) => state === 'filled'

const printed = (threads: readonly Thread[]) =>
  threads
    .map(({ steps, mayStop }) => `\n${mayStop ? 'perhaps ' : ''}${JSON.stringify(steps)}`)
    .join('')
