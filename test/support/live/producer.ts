/**
 * Producer is an agent: it records turns with keys, and audio later, over a socket or REST. It
 * sends each write again until it is answered. It also changes its own conversations in other ways.
 */
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'
import type { Change, ProducerHistory } from './live-history.ts'
import { openNative } from './subscriber.ts'

export type ProducerOptions = {
  readonly name: string
  readonly bases: () => readonly string[]
  readonly shared: readonly string[]
  /** Conversations that no other producer writes to. */
  readonly own: readonly string[]
  readonly random: () => number
  readonly silenceMs: number
  /** Whether it writes over REST instead of a socket. */
  readonly rest: boolean
  /** Average milliseconds between two turns. */
  readonly paceMs: number
  /**
   * About how many milliseconds a socket lasts before the producer hangs up, even with unanswered
   * writes.
   */
  readonly restlessMs?: number
}

type Pending = {
  readonly c: string
  readonly key: string
  readonly text: string
  /** The frame without its id, which is the key. */
  readonly frame: object
  readonly turn: object
  readonly audio: { readonly id: string; readonly urls: string[] } | undefined
  /** Present if the turn was acknowledged and is sent again as a test of replays. */
  readonly isRepeated?: true
  /** The earliest time to send it. Infinity while it waits for its answer. */
  sendAt: number
}

/** The maximum number of unanswered writes, below the credit of a socket. */
const pendingMax = 8

export class Producer {
  readonly history: ProducerHistory
  acknowledged = 0
  connects = 0
  readonly #options: ProducerOptions
  readonly #pending = new Map<string, Pending>()
  readonly #erased = new Set<string>()
  /** Whether all writes are answered, after `stop`. */
  isDone = false
  #wire: ReturnType<typeof openNative> | undefined
  #isOpen = false
  #aliveAt = 0
  #leaveAt = Number.POSITIVE_INFINITY
  #socket = 0
  #count = 0
  #isStopped = false
  #isOver = false

  constructor(options: ProducerOptions) {
    this.#options = options
    this.history = { name: options.name, events: [] }
    void this.#run()
  }

  /** Starts no further write. */
  stop(): void {
    this.#isStopped = true
  }

  /** Ends at once, without waiting for answers. */
  halt(): void {
    this.#isStopped = true
    this.#isOver = true
    this.#wire?.close()
  }

  async #run(): Promise<void> {
    await (this.#options.rest ? this.#runRest() : this.#runSocket())
    await this.#changing
    this.isDone = true
  }

  get #isAnswered(): boolean {
    return this.#isOver || (this.#isStopped && this.#pending.size === 0)
  }

  #base(): string {
    const all = this.#options.bases()
    return all[Math.floor(this.#options.random() * all.length)] ?? ''
  }

  #pick(items: readonly string[]): string {
    return items[Math.floor(this.#options.random() * items.length)] ?? ''
  }

  /** A random conversation. Some are much busier than others. */
  #somewhere(): string {
    const { random, shared, own } = this.#options
    const live = own.filter((c) => !this.#erased.has(c))
    if (shared.length === 0 || (live.length > 0 && random() < 0.2)) return this.#pick(live)
    return shared[Math.floor(random() ** 2 * shared.length)] ?? ''
  }

  #newTurn(): Pending {
    const { name, random } = this.#options
    this.#count += 1
    const text = `${name}/${this.#count}`
    const key = `key-${text}`
    const c = this.#somewhere()
    const dice = random()
    const long = dice < 0.02 ? 'x'.repeat(20_000 + random() * 40_000) : 'an answer'
    const turn =
      dice > 0.8
        ? { assistant: { responses: [text, long] } }
        : { user: { text, voice: { sessionId: name } }, assistant: { responses: [long, 'more'] } }
    return { c, key, text, frame: { t: 'record', c, key, turn }, turn, audio: undefined, sendAt: 0 }
  }

  #addAudio(c: string, id: string): void {
    this.#count += 1
    const text = `${this.#options.name}/audio/${this.#count}`
    const audio = { id, urls: [`https://audio.example/${text}`] }
    const frame = { t: 'attach', c, messageId: id, ttsAudioUrls: audio.urls }
    this.#pending.set(text, { c, key: text, text, frame, turn: {}, audio, sendAt: 0 })
    this.history.events.push({ kind: 'trying', c, change: { what: 'audio', ...audio } })
  }

  async #runSocket(): Promise<void> {
    let nextAt = 0
    for (;;) {
      const now = performance.now()
      const { paceMs, silenceMs, random, own } = this.#options
      if (!this.#isStopped && now >= nextAt && this.#pending.size < pendingMax) {
        nextAt = now + paceMs * (0.5 + random())
        const turn = this.#newTurn()
        this.#pending.set(turn.key, turn)
        // A change runs beside the turns, and one at a time.
        if (random() < 0.02 && own.length > 0) void this.#changeOwn()
      }
      if (this.#isAnswered) break
      if (this.#wire === undefined) this.#connect()
      else if (now - this.#aliveAt > silenceMs || now > this.#leaveAt) this.#lost()
      else if (this.#isOpen) this.#send(now)
      await Bun.sleep(5)
    }
  }

  #connect(): void {
    this.connects += 1
    const { restlessMs = Number.POSITIVE_INFINITY, random } = this.#options
    this.#aliveAt = performance.now()
    this.#leaveAt = this.#aliveAt + restlessMs * (0.5 + random())
    this.#isOpen = false
    const wire = openNative(this.#base(), {
      opened: () => {
        if (wire !== this.#wire) return
        this.#isOpen = true
        this.#socket += 1
        for (const each of this.#pending.values()) each.sendAt = 0
      },
      text: (text) => wire === this.#wire && this.#take(JSON.parse(text)),
      closed: () => wire === this.#wire && this.#lost(),
    })
    this.#wire = wire
  }

  #lost(): void {
    this.#wire?.close()
    this.#wire = undefined
    this.#isOpen = false
  }

  #send(now: number): void {
    for (const each of this.#pending.values()) {
      if (each.sendAt > now) continue
      each.sendAt = Number.POSITIVE_INFINITY
      this.#note(each, this.#socket)
      this.#wire?.send({ id: each.key, ...each.frame })
    }
  }

  #note({ c, key, text, audio }: Pending, socket?: number): void {
    if (audio !== undefined) return
    const over = socket === undefined ? {} : { socket }
    this.history.events.push({ kind: 'sent', c, key, text, ...over })
  }

  #take(frame: ServerFrame): void {
    this.#aliveAt = performance.now()
    if (frame.t === 'ping') this.#wire?.send({ t: 'pong' })
    if (frame.t === 'recorded') {
      const { version, humanMessageId, assistantMessageId, replayed } = frame
      this.#recorded(frame.id ?? '', version, [humanMessageId, assistantMessageId], replayed)
    } else if (frame.t === 'attached') this.#attached(frame.id ?? '', frame.version)
    else if (frame.t === 'problem')
      this.#refused(frame.id ?? '', frame.code, frame.retryable, performance.now())
  }

  #recorded(key: string, version: number, ids: (string | null)[], replayed: boolean): void {
    const pending = this.#pending.get(key)
    if (pending === undefined) return
    const { c } = pending
    this.#pending.delete(key)
    this.history.events.push({ kind: 'recorded', c, key, version, ids, replayed })
    if (pending.isRepeated === true) return
    this.acknowledged += 1
    if (this.#options.random() < 0.05 && !this.#isStopped)
      this.#pending.set(key, { ...pending, isRepeated: true, sendAt: 0 })
    const assistantId = ids[1] ?? null
    if (assistantId !== null && this.#options.random() < 0.15 && !this.#isStopped)
      this.#addAudio(c, assistantId)
  }

  #attached(key: string, version: number): void {
    const pending = this.#pending.get(key)
    if (pending?.audio === undefined) return
    this.#pending.delete(key)
    const change = { what: 'audio', ...pending.audio } as const
    this.history.events.push({ kind: 'changed', c: pending.c, change, version, isUnsure: false })
  }

  #refused(key: string, code: string, retryable: boolean, now: number): void {
    const pending = this.#pending.get(key)
    if (pending === undefined) return
    if (retryable) {
      // The turn moves to the end, because later turns may have been recorded already.
      this.#pending.delete(key)
      this.#pending.set(key, { ...pending, sendAt: now + 50 })
      return
    }
    this.#pending.delete(key)
    this.history.events.push({ kind: 'refused', c: pending.c, key, code })
  }

  async #runRest(): Promise<void> {
    const { paceMs, random, own } = this.#options
    while (!this.#isAnswered) {
      if (this.#pending.size === 0) {
        const turn = this.#newTurn()
        this.#pending.set(turn.key, turn)
      }
      for (const each of [...this.#pending.values()]) await this.#callPending(each)
      if (random() < 0.02 && own.length > 0) await this.#changeOwn()
      await Bun.sleep(paceMs * (0.5 + random()))
    }
  }

  async #callPending(pending: Pending): Promise<void> {
    const { c, key, audio, turn } = pending
    this.#note(pending)
    const at = `/v1/conversations/${c}`
    const answer =
      audio === undefined
        ? await this.#ask('POST', `${at}/turns`, turn, key)
        : await this.#ask('PUT', `${at}/messages/${audio.id}/tts`, { ttsAudioUrls: audio.urls })
    if (answer === undefined) return
    const { status, body } = answer
    if (status >= 400) this.#refused(key, String(body['code']), body['retryable'] === true, 0)
    else if (audio !== undefined) this.#attached(key, Number(body['version']))
    else {
      const ids = [body['humanMessageId'], body['assistantMessageId']].map((id) =>
        typeof id === 'string' ? id : null,
      )
      this.#recorded(key, Number(body['version']), ids, body['replayed'] === true)
    }
  }

  #changing: Promise<void> = Promise.resolve()

  /** Creates a segment, sets a title or erases an own conversation. */
  #changeOwn(): Promise<void> {
    this.#changing = this.#changing.then(() => this.#change())
    return this.#changing
  }

  async #change(): Promise<void> {
    const { own, random, name } = this.#options
    const live = own.filter((c) => !this.#erased.has(c))
    const c = this.#pick(live)
    if (c === '') return
    const at = `/v1/conversations/${c}`
    const dice = random()
    this.#count += 1
    if (dice < 0.4) {
      const id = crypto.randomUUID()
      await this.#insist('POST', `${at}/segments`, c, { what: 'segment', id }, { id })
    } else if (dice < 0.9 || live.length === 1) {
      const title = `${name}/title/${this.#count}`
      await this.#insist('PATCH', at, c, { what: 'title', title }, { title })
    } else {
      this.#erased.add(c)
      await this.#insist('DELETE', at, c, { what: 'erasure' })
    }
  }

  /** Repeats a call until it succeeds, is refused, or the run ends. */
  async #insist(method: string, at: string, c: string, change: Change, body?: object) {
    this.history.events.push({ kind: 'trying', c, change })
    let isUnsure = false
    while (!this.#isOver) {
      const answer = await this.#ask(method, at, body)
      if (answer === undefined || answer.body['code'] === 'outcome-unknown') isUnsure = true
      else if (answer.status < 400) {
        const version = Number(answer.body['version'])
        this.history.events.push({ kind: 'changed', c, change, version, isUnsure })
        return
      } else if (answer.body['retryable'] !== true) {
        const [key, code] = [change.what, String(answer.body['code'])]
        this.history.events.push({ kind: 'refused', c, key, code })
        return
      }
      await Bun.sleep(50)
    }
  }

  /** The answer of a call. Undefined if the outcome is unknown. */
  async #ask(method: string, path: string, body?: object, key?: string) {
    try {
      const response = await fetch(`${this.#base()}${path}`, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(key === undefined ? {} : { 'idempotency-key': key }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(this.#options.silenceMs),
      })
      const answered: Record<string, unknown> = JSON.parse(await response.text())
      return { status: response.status, body: answered }
    } catch {
      await Bun.sleep(20)
      return undefined
    }
  }
}
