/**
 * Sequence plays a dialogue of docs/PROTOCOL.md against a real service: it sends the lines of the
 * clients, and compares each line of the server with the frame that arrives.
 */
import { isDeepStrictEqual } from 'node:util'
import { until } from '../servers/processes.ts'
import { LiveClient } from './live.ts'

type Json = Readonly<Record<string, unknown>>

/** A service that a sequence is played against, and the conversation that `<c>` stands for. */
export type SequenceTarget = { readonly url: string; readonly conversationId: string }

type Step =
  | { readonly kind: 'connect'; readonly actor: string; readonly query: string }
  | { readonly kind: 'lose'; readonly actor: string; readonly isCommitted: boolean }
  | { readonly kind: 'send' | 'receive'; readonly actor: string; readonly text: string }

/** The blocks of a document that are sequences, by the headings above them. */
export function sequencesIn(document: string): Map<string, string> {
  const sections = document.split('\n### ').map((section) => section.split('```sequence\n'))
  return new Map(
    sections.flatMap(([heading = '', block]) =>
      block === undefined ? [] : [[heading.split('\n')[0] ?? '', block.split('```')[0] ?? '']],
    ),
  )
}

/**
 * The steps of a block. A line that begins with a space continues the one before; `(…)` is a
 * remark.
 */
function stepsOf(block: string): Step[] {
  const lines = block.replaceAll(/\n +/g, ' ').trim().split('\n')
  return lines
    .filter((line) => !line.startsWith('('))
    .map((line): Step => {
      const [, actor = '', arrow = '', text = ''] =
        /^(\w+) +(→|←|connects|loses)\.? *(.*)$/.exec(line) ?? []
      if (arrow === '→') return { kind: 'send', actor, text }
      if (arrow === '←') return { kind: 'receive', actor, text }
      if (arrow === 'connects')
        return { kind: 'connect', actor, query: text.split(' ').at(-1) ?? '' }
      if (arrow === 'loses')
        return { kind: 'lose', actor, isCommitted: text.includes('after the commit') }
      throw new Error(`no step of a sequence: ${line}`)
    })
}

export class Sequence {
  readonly #target: SequenceTarget
  readonly #values: Map<string, unknown>
  readonly #clients = new Map<string, LiveClient>()
  /** Answers of REST that no line has taken yet, by actor. */
  readonly #answers = new Map<string, Json>()

  constructor(target: SequenceTarget) {
    this.#target = target
    this.#values = new Map([['<c>', target.conversationId]])
  }

  /** Plays the block. Fails at the first line of the server that differs from the received frame. */
  async play(block: string): Promise<void> {
    const steps = stepsOf(block)
    for (let at = 0; at < steps.length; ) {
      const step = steps[at]
      if (step === undefined) break
      if (step.kind !== 'receive') {
        await this.#act(step)
        at += 1
        continue
      }
      const rest = steps.slice(at)
      const end = rest.findIndex(({ kind }) => kind !== 'receive')
      const group = end === -1 ? rest : rest.slice(0, end)
      await this.#receive(group.flatMap((one) => (one.kind === 'receive' ? [one] : [])))
      at += group.length
    }
    for (const [actor, client] of this.#clients) {
      if (client.wrong !== undefined) throw client.wrong
      const extra = unpinged(client)
      client.close()
      if (extra.length > 0) throw new Error(`${actor} also received ${JSON.stringify(extra)}`)
    }
  }

  async #act(step: Exclude<Step, { kind: 'receive' }>): Promise<void> {
    const { actor } = step
    if (step.kind === 'connect') {
      const client = new LiveClient(this.#target.url, this.#substituted(step.query))
      this.#clients.set(actor, client)
      await client.opened
    } else if (step.kind === 'lose') {
      const before = step.isCommitted ? this.#clients.get(actor)?.frames.length : undefined
      // The answer shows that the write is committed; the sequence pretends that it was lost.
      if (before !== undefined)
        await until('the write is committed', () => this.#client(actor).of('recorded').length > 0)
      this.#client(actor).terminate()
      this.#clients.delete(actor)
    } else if (/^(GET|POST) /.test(step.text)) {
      const [method = '', path = '', ...body] = this.#substituted(step.text).split(' ')
      const text = body.join(' ')
      const response = await fetch(`${this.#target.url}${path}`, {
        method,
        ...(text === '' ? {} : { body: text, headers: { 'content-type': 'application/json' } }),
      })
      this.#answers.set(actor, { status: response.status, body: await response.json() })
    } else this.#client(actor).send(this.#substituted(step.text))
  }

  /** Lines of the server without a line of a client between them may arrive in any order. */
  async #receive(lines: readonly { readonly actor: string; readonly text: string }[]) {
    for (const { actor, text } of lines) {
      const [, status, body] = /^(\d{3}) (.*)$/.exec(text) ?? []
      if (status !== undefined && body !== undefined) {
        const answer = this.#answers.get(actor)
        this.#answers.delete(actor)
        this.#compare(actor, { status: Number(status), body: parsed(body) }, answer)
        continue
      }
      const expected = parsed(text)
      const client = this.#client(actor)
      const isAnswer = 'id' in expected
      const next = () => unpinged(client).find((frame) => 'id' in frame === isAnswer)
      await until(`${actor} receives ${text}`, () => next() !== undefined, 20_000)
      const frame = next()
      if (frame === undefined) throw new Error('it is gone')
      client.frames.splice(client.frames.indexOf(frame), 1)
      this.#compare(actor, expected, { ...frame })
    }
  }

  #compare(actor: string, expected: unknown, received: unknown): void {
    if (!this.#fits(expected, received))
      throw new Error(
        `${actor} received ${JSON.stringify(received)}, not ${JSON.stringify(expected)}`,
      )
  }

  /** Whether the received value is the expected one. Placeholders take a value once and keep it. */
  #fits(expected: unknown, received: unknown): boolean {
    if (typeof expected === 'string' && /^<.+>$/.test(expected)) {
      if (!this.#values.has(expected)) this.#values.set(expected, received)
      return isDeepStrictEqual(this.#values.get(expected), received)
    }
    if (Array.isArray(expected))
      return (
        Array.isArray(received) &&
        expected.length === received.length &&
        expected.every((one, index) => this.#fits(one, received[index]))
      )
    if (typeof expected !== 'object' || expected === null) return expected === received
    if (typeof received !== 'object' || received === null) return false
    const wanted = { ...expected, [ellipsis]: true }
    const isPart = ellipsis in expected
    const extra = Object.keys(received).filter((name) => !(name in wanted))
    const own = new Map(Object.entries(received))
    return (
      (isPart || extra.length === 0) &&
      Object.entries(expected).every(
        ([name, value]) => name === ellipsis || this.#fits(value, own.get(name)),
      )
    )
  }

  #substituted(text: string): string {
    return text.replaceAll(/<[^<>]+>/g, (name) => {
      const value = this.#values.get(name)
      if (typeof value !== 'string') throw new Error(`no frame before has a text ${name}`)
      return value
    })
  }

  #client(actor: string): LiveClient {
    const client = this.#clients.get(actor)
    if (client === undefined) throw new Error(`${actor} is not connected`)
    return client
  }
}

/** The member that stands for all members of an object that a line leaves out. */
const ellipsis = '…'

const parsed = (text: string): Json =>
  JSON.parse(
    text.replaceAll(/,? ?…/g, (comma) => `${comma.startsWith(',') ? ', ' : ''}"${ellipsis}": true`),
  )

const unpinged = ({ frames }: LiveClient) => frames.filter(({ t }) => t !== 'ping')
