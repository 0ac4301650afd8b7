/**
 * ServerConnection is the connection to a single Redis. It is made and made again in the background; while
 * there is none, calls are refused at once. Each connection asks its server which run it is, which goes
 * into every call: what another run has written reads as absent. A server that was a replica meanwhile is
 * another run too, though the process is the same: its data came from elsewhere. So it is asked again and
 * again.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { RESP_TYPES } from 'redis'
import { KvError } from '../../../src/ports/kv.ts'
import { createDeadlines, type Deadlines } from '../deadlines.ts'
import type { OnKvEvent } from '../opened.ts'
import { createRenewableClient, type RenewableClient } from './redis-client.ts'
import {
  callFailure,
  closedHere,
  isMissingScript,
  isReplicaReply,
  lateAnswer,
  reasonOf,
} from './redis-failure.ts'
import { Opening } from './redis-opening.ts'
import type { Script } from './redis-scripts.ts'
import { redisTlsMismatch } from './redis-tls.ts'

/** Runs scripts where a partition lives. */
export type Carrier = {
  /** Whether each partition is on a server of its own: a call names one partition only. */
  readonly sharded: boolean
  /** Settles within the deadline: with the reply, or a KvError. */
  run(script: Script, keys: readonly string[], args: readonly Arg[]): Promise<Buffer>
  ready(): boolean
  close(): void
}

/** A carrier to one server, of a Cluster perhaps. */
export type ServerCarrier = Carrier & {
  /** Runs a script on keys that are on their way to this server. */
  runAsking: Carrier['run']
  /** Any other command. */
  command(...args: Arg[]): Promise<unknown>
}

export type Arg = string | Buffer

export type CarrierOptions = {
  /** Without secrets, for messages. */
  readonly place: string
  readonly deadlineMs: number
  readonly onEvent: OnKvEvent
}

const identifyMs = 1000
/** A server that turns out to be a replica is dialled anew; not more often than this, in milliseconds. */
const renewEveryMs = 2000
/** What may wait for one server: a slow one must not collect calls without end. */
const outstandingMax = { calls: 10_000, bytes: 67_108_864 }

/** Replies as they came: entries are bytes. */
const asBytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }

/** Connects in the background. */
export class ServerConnection implements ServerCarrier {
  readonly sharded = false
  readonly #url: string
  readonly #options: CarrierOptions
  readonly #deadlines: Deadlines
  readonly #client: RenewableClient
  /** Calls wait before the first connection. Later, without a connection, they are refused at once. */
  readonly #opening: Opening
  /** Counts connections: a reply that came over another one proves nothing of the run it was sent to. */
  #connection = 0
  #run: string | undefined
  #timer: ReturnType<typeof setTimeout> | undefined
  #isIdentifying = false
  #isAway = false
  #isClosed = false
  #wasReady = false
  #renewedAt = Number.NEGATIVE_INFINITY

  constructor(url: string, options: CarrierOptions) {
    this.#url = url
    this.#options = options
    this.#deadlines = createDeadlines(options.deadlineMs, () => lateAnswer(options.place))
    this.#opening = new Opening(options.deadlineMs)
    this.#client = createRenewableClient(url, {
      connect: () => this.#lose(),
      ready: () => void this.#identify(),
      error: (thrown) => {
        // Some errors leave the connection as it is.
        if (!this.#client.current.isReady) this.#lose()
        this.#report(thrown)
      },
    })
    this.#client.connect()
  }

  run(script: Script, keys: readonly string[], args: readonly Arg[]): Promise<Buffer> {
    return this.#call(args, (run) =>
      this.#send(script, [String(keys.length), ...keys, run, ...args], false),
    )
  }

  runAsking(script: Script, keys: readonly string[], args: readonly Arg[]): Promise<Buffer> {
    return this.#call(args, (run) =>
      this.#send(script, [String(keys.length), ...keys, run, ...args], true),
    )
  }

  command(...args: Arg[]): Promise<unknown> {
    return this.#call(args, () => this.#client.current.sendCommand(args))
  }

  ready(): boolean {
    return this.#run !== undefined && !this.#deadlines.silent()
  }

  close(): void {
    this.#isClosed = true
    this.#opening.end()
    this.#lose()
    this.#deadlines.close(closedHere(this.#options.place))
    this.#client.close()
  }

  #lose(): void {
    this.#connection += 1
    this.#run = undefined
    clearTimeout(this.#timer)
    this.#deadlines.renew()
  }

  #report(thrown: unknown): void {
    this.#opening.end()
    if (this.#isAway || this.#isClosed) return
    this.#isAway = true
    const { place, onEvent } = this.#options
    onEvent({ type: 'unreachable', message: `${place} cannot be reached: ${reasonOf(thrown)}` })
    if (!this.#wasReady) void this.#advise()
  }

  /** A URL that asks for the wrong thing fails from the start, and the reason does not say so. */
  async #advise(): Promise<void> {
    const { place, onEvent } = this.#options
    const mismatch = await redisTlsMismatch(this.#url)
    if (mismatch !== undefined && !this.#isClosed)
      onEvent({ type: 'mistaken', message: `${place} cannot be used: ${mismatch}` })
  }

  /** Asks which run the server is, at once and then again and again. */
  async #identify(): Promise<void> {
    const at = this.#connection
    clearTimeout(this.#timer)
    this.#isIdentifying = true
    try {
      const { current } = this.#client
      const run = runOf(await Promise.all([current.info('server'), current.info('replication')]))
      if (at !== this.#connection) return
      this.#identified(run)
    } catch (thrown) {
      if (at !== this.#connection) return
      if (this.#run === undefined) this.#report(thrown)
    } finally {
      this.#isIdentifying = false
    }
    this.#timer = setTimeout(() => void this.#identify(), identifyMs)
    this.#timer.unref()
  }

  #identified(run: string): void {
    const { place, onEvent } = this.#options
    // Answers on their way are of the run before.
    if (this.#run !== undefined && this.#run !== run) this.#connection += 1
    this.#run = run
    this.#opening.end()
    this.#wasReady = true
    if (this.#isAway) onEvent({ type: 'reachable', message: `${place} can be reached again` })
    this.#isAway = false
  }

  /** Dials anew: behind a name or a balancer there may be another master by now. */
  #onReplica(): void {
    const now = performance.now()
    if (this.#isClosed || now - this.#renewedAt < renewEveryMs) return
    this.#renewedAt = now
    this.#lose()
    this.#client.renew()
  }

  async #send(script: Script, args: readonly Arg[], isAsking: boolean): Promise<Buffer> {
    try {
      return await this.#evaluate('EVALSHA', script.sha, args, isAsking)
    } catch (thrown) {
      if (!isMissingScript(thrown)) throw thrown
      return await this.#evaluate('EVAL', script.text, args, isAsking)
    }
  }

  #evaluate(
    command: string,
    text: string,
    args: readonly Arg[],
    isAsking: boolean,
  ): Promise<Buffer> {
    const { current } = this.#client
    // Sent in one go, so nothing comes between; its answer says nothing.
    if (isAsking) current.sendCommand(['ASKING']).catch(() => {})
    return current.sendCommand<Buffer>([command, text, ...args], asBytes)
  }

  /** Sends to the server that is connected now, and takes no other one's answer. */
  async #call<T>(args: readonly Arg[], sendTo: (run: string) => Promise<T>): Promise<T> {
    const { place } = this.#options
    const at = this.#connection
    if (this.#run === undefined && !this.#opening.isOver) {
      const work = this.#opening.over.then(() => this.#call(args, sendTo))
      return await this.#deadlines.within(work, 0)
    }
    if (this.#run === undefined) throw new KvError('not-sent', `${place} cannot be reached`)
    checkRoom(this.#deadlines, place)
    let bytes = 0
    for (const { length } of args) bytes += length
    const sent = sendTo(this.#run).catch((thrown: unknown) => this.#failed(thrown, at))
    const reply = await this.#deadlines.within(sent, bytes)
    if (at !== this.#connection) throw new KvError('unknown', `The connection to ${place} was lost`)
    this.#client.alive()
    return reply
  }

  #failed(thrown: unknown, at: number): never {
    if (at === this.#connection && isReplicaReply(thrown)) this.#onReplica()
    // It may be no master any more.
    else if (!this.#isIdentifying && /\bMOVED\b/.test(reasonOf(thrown))) void this.#identify()
    throw callFailure(thrown, this.#options.place)
  }
}

/** Names the server's process, and the line of replication that it leads or follows. */
function runOf(infos: readonly string[]): string {
  const info = infos.join('\n')
  const [, process] = /^run_id:(\w{40})/m.exec(info) ?? []
  const [, line] = /^master_replid:(\w{40})/m.exec(info) ?? []
  if (process === undefined || line === undefined) throw new Error('it does not tell its run_id')
  return createHash('sha1').update(process).update(line).digest('hex')
}

function checkRoom(deadlines: Deadlines, place: string): void {
  if (deadlines.silent()) throw new KvError('not-sent', `${place} is silent`)
  const { calls, bytes } = deadlines.outstanding()
  if (calls >= outstandingMax.calls || bytes >= outstandingMax.bytes) {
    throw new KvError('not-sent', `${calls} calls of ${bytes} bytes wait for ${place} already`)
  }
}
