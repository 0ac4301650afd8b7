/**
 * ServerConnection is the connection to a single Redis. It connects and reconnects in the
 * background. Calls wait for the first connection; later, without one, they are refused at once. Each connection asks its server for
 * its run, which goes into every call: data that another run has written reads as absent. A server
 * that was a replica in between is another run too, even in the same process, because its data came
 * from another server. So the question is repeated regularly.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { RESP_TYPES } from 'redis'
import { KvError } from '../../../src/ports/kv.ts'
import { createDeadlines, type Deadlines } from '../deadlines.ts'
import type { Arg, CarrierOptions, ServerCarrier } from './redis-carrier.ts'
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

/** Milliseconds between two questions for the server's run. */
const identifyMs = 1000
/** The least milliseconds between two new connections to an address that leads to a replica. */
const renewEveryMs = 2000
/** The most unanswered calls of one server, and their bytes. */
const outstandingMax = { calls: 10_000, bytes: 67_108_864 }

/** Options for replies as bytes, because entries are bytes. */
const asBytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }

export class ServerConnection implements ServerCarrier {
  readonly sharded = false
  readonly #url: string
  readonly #options: CarrierOptions
  readonly #deadlines: Deadlines
  readonly #client: RenewableClient
  /** Calls wait before the first connection. Later, without a connection, they are refused at once. */
  readonly #opening: Opening
  /**
   * Counts connections and runs. A reply that arrives under another number may come from another
   * run than the one that the call was sent to.
   */
  #connection = 0
  /** Names the server's run, see `runOf`; undefined while it is not known. */
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
    this.#deadlines = createDeadlines(options.deadlineMs, () => lateAnswer(options.serverName))
    this.#opening = new Opening(options.deadlineMs)
    this.#client = createRenewableClient(url, {
      connect: () => this.#lose(),
      ready: () => void this.#identify(),
      error: (thrown) => {
        // Some errors leave the connection usable.
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
    this.#deadlines.close(closedHere(this.#options.serverName))
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
    const { serverName, onEvent } = this.#options
    onEvent({
      type: 'unreachable',
      message: `${serverName} cannot be reached: ${reasonOf(thrown)}`,
    })
    if (!this.#wasReady) void this.#advise()
  }

  /** Reports a disagreement about TLS, which the reason of a failed first connect does not show. */
  async #advise(): Promise<void> {
    const { serverName, onEvent } = this.#options
    const mismatch = await redisTlsMismatch(this.#url)
    if (mismatch !== undefined && !this.#isClosed)
      onEvent({ type: 'mistaken', message: `${serverName} cannot be used: ${mismatch}` })
  }

  /** Asks for the server's run, now and then every `identifyMs` milliseconds. */
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
    const { serverName, onEvent } = this.#options
    // Answers that are on their way come from the run before.
    if (this.#run !== undefined && this.#run !== run) this.#connection += 1
    this.#run = run
    this.#opening.end()
    this.#wasReady = true
    if (this.#isAway) onEvent({ type: 'reachable', message: `${serverName} can be reached again` })
    this.#isAway = false
  }

  /**
   * Connects again after a replica answered: the name or the balancer may lead to the master by
   * now.
   */
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
    // Both commands are sent in one go, so no other comes between them. The answer to ASKING is not
    // needed.
    if (isAsking) current.sendCommand(['ASKING']).catch(() => {})
    return current.sendCommand<Buffer>([command, text, ...args], asBytes)
  }

  /** Sends a call to the connected server, and accepts an answer of this run only. */
  async #call<T>(args: readonly Arg[], sendTo: (run: string) => Promise<T>): Promise<T> {
    const { serverName } = this.#options
    const at = this.#connection
    if (this.#run === undefined && !this.#opening.isOver) {
      const work = this.#opening.over.then(() => this.#call(args, sendTo))
      return await this.#deadlines.within(work, 0)
    }
    if (this.#run === undefined) throw new KvError('not-sent', `${serverName} cannot be reached`)
    checkRoom(this.#deadlines, serverName)
    let bytes = 0
    for (const { length } of args) bytes += length
    const sent = sendTo(this.#run).catch((thrown: unknown) => this.#failed(thrown, at))
    const reply = await this.#deadlines.within(sent, bytes)
    if (at !== this.#connection)
      throw new KvError('unknown', `The connection to ${serverName} was lost`)
    this.#client.alive()
    return reply
  }

  #failed(thrown: unknown, at: number): never {
    if (at === this.#connection && isReplicaReply(thrown)) this.#onReplica()
    // The server may no longer be a master.
    else if (!this.#isIdentifying && /\bMOVED\b/.test(reasonOf(thrown))) void this.#identify()
    throw callFailure(thrown, this.#options.serverName)
  }
}

/** Names a server's run: its process and the history of replication that it leads or follows. */
function runOf(infos: readonly string[]): string {
  const info = infos.join('\n')
  const [, process] = /^run_id:(\w{40})/m.exec(info) ?? []
  const [, history] = /^master_replid:(\w{40})/m.exec(info) ?? []
  if (process === undefined || history === undefined)
    throw new Error('its INFO shows no run_id or no master_replid')
  return createHash('sha1').update(process).update(history).digest('hex')
}

function checkRoom(deadlines: Deadlines, serverName: string): void {
  if (deadlines.silent()) throw new KvError('not-sent', `${serverName} is silent`)
  const { calls, bytes } = deadlines.outstanding()
  if (calls >= outstandingMax.calls || bytes >= outstandingMax.bytes) {
    throw new KvError('not-sent', `${calls} calls of ${bytes} bytes already wait for ${serverName}`)
  }
}
