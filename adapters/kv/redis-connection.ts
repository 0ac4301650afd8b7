/**
 * The connection to a single Redis. It is made and made again in the background; while there is none,
 * calls are refused at once. Each connection asks its server which run it is, which goes into every
 * call: what another run has written reads as absent. Who was a replica meanwhile is another run
 * too, though the process is the same: its data came from elsewhere. So it is asked again and again.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { createClient, ErrorReply, RESP_TYPES } from 'redis'
import { KvError } from '../../src/ports/kv.ts'
import { plainReason } from '../reason.ts'
import { createDeadlines, type Deadlines } from './deadlines.ts'
import type { OnKvEvent } from './opened.ts'
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
  command(...args: string[]): Promise<unknown>
}

export type Arg = string | Buffer

export type CarrierOptions = {
  /** Without secrets, for messages. */
  readonly place: string
  readonly deadlineMs: number
  readonly onEvent: OnKvEvent
}

/** Milliseconds of silence after which a connection is given up; a ping is due well before. */
const silenceMs = 3000
const pingMs = 1000
const connectTimeoutMs = 1000
const identifyMs = 1000
/** What may wait for one server: a slow one must not collect calls without end. */
const outstandingMax = { calls: 10_000, bytes: 67_108_864 }

/**
 * What every client here is made with; node-redis' own defaults wait, and give up, for ever. New for
 * each of them: node-redis writes the URL's host, port and TLS into what it is given.
 */
export const clientOptions = (url: string) => ({
  url,
  disableOfflineQueue: true,
  pingInterval: pingMs,
  // Its own, of 5 s, is a timer for each command, and covers the time before it is sent only.
  commandOptions: { timeout: 0 },
  socket: {
    connectTimeout: connectTimeoutMs,
    socketTimeout: silenceMs,
    reconnectStrategy: (attempts: number) => reconnectDelay(attempts),
  },
})

/** Milliseconds; spread, so that nodes do not come back in step. */
const reconnectDelay = (attempts: number) =>
  Math.min(50 * 2 ** attempts, 1000) * (0.5 + Math.random() / 2)

/** Replies as they came: entries are bytes. */
const asBytes = { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } }

export function connectServer(url: string, options: CarrierOptions): ServerCarrier {
  const { place, deadlineMs, onEvent } = options
  const client = createClient(clientOptions(url))
  const deadlines = createDeadlines(deadlineMs, () => lateAnswer(place))
  /** Counts connections: a reply that came over another one proves nothing of the run it was sent to. */
  let connection = 0
  let run: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isIdentifying = false
  let isAway = false
  let isClosed = false
  let wasReady = false

  const lose = () => {
    connection += 1
    run = undefined
    clearTimeout(timer)
    deadlines.renew()
  }
  const report = (thrown: unknown) => {
    if (isAway || isClosed) return
    isAway = true
    onEvent({ type: 'unreachable', message: `${place} cannot be reached: ${reasonOf(thrown)}` })
    if (!wasReady) void advise()
  }
  /** A URL that asks for the wrong thing fails from the start, and the reason does not say so. */
  const advise = async () => {
    const mismatch = await redisTlsMismatch(url)
    if (mismatch !== undefined && !isClosed)
      onEvent({ type: 'mistaken', message: `${place} cannot be used: ${mismatch}` })
  }
  const identify = async () => {
    const at = connection
    clearTimeout(timer)
    isIdentifying = true
    try {
      const id = runOf(await Promise.all([client.info('server'), client.info('replication')]))
      if (at !== connection) return
      // Answers on their way are of whoever it was.
      if (run !== undefined && run !== id) connection += 1
      run = id
      wasReady = true
      if (isAway) onEvent({ type: 'reachable', message: `${place} can be reached again` })
      isAway = false
    } catch (thrown) {
      if (at !== connection) return
      if (run === undefined) report(thrown)
    } finally {
      isIdentifying = false
    }
    timer = setTimeout(() => void identify(), identifyMs)
    timer.unref()
  }
  client
    .on('connect', lose)
    .on('ready', () => void identify())
    .on('error', (thrown) => {
      // Some errors leave the connection as it is.
      if (!client.isReady) lose()
      report(thrown)
    })
  client.connect().catch(report)

  const send = async (script: Script, args: readonly Arg[], isAsking: boolean) => {
    const evaluate = (command: string, text: string) => {
      // Sent in one go, so nothing comes between; its answer says nothing.
      if (isAsking) client.sendCommand(['ASKING']).catch(() => {})
      return client.sendCommand<Buffer>([command, text, ...args], asBytes)
    }
    try {
      return await evaluate('EVALSHA', script.sha)
    } catch (thrown) {
      if (!isMissingScript(thrown)) throw thrown
      return await evaluate('EVAL', script.text)
    }
  }
  /** Sends to the server that is connected now, and takes no other one's answer. */
  const call = async <T>(args: readonly Arg[], sendTo: (run: string) => Promise<T>): Promise<T> => {
    const at = connection
    if (run === undefined) throw new KvError('not-sent', `${place} cannot be reached`)
    checkRoom(deadlines, place)
    const reply = await deadlines.within(
      sendTo(run).catch((thrown: unknown) => {
        // No master any more, perhaps.
        if (!isIdentifying && /READONLY|MOVED/.test(reasonOf(thrown))) void identify()
        return rethrow(thrown, place)
      }),
      args.reduce((sum, { length }) => sum + length, 0),
    )
    if (at !== connection) throw new KvError('unknown', `The connection to ${place} was lost`)
    return reply
  }
  const runWith =
    (isAsking: boolean): Carrier['run'] =>
    (script, keys, args) =>
      call(args, (id) => send(script, [String(keys.length), ...keys, id, ...args], isAsking))

  return {
    sharded: false,
    run: runWith(false),
    runAsking: runWith(true),
    command: (...args) => call(args, () => client.sendCommand(args)),
    ready: () => run !== undefined && !deadlines.silent(),
    close() {
      isClosed = true
      lose()
      deadlines.close(closedHere(place))
      client.destroy()
    },
  }
}

/** Of the server's process, and of the line of replication that it leads or follows. */
function runOf(infos: readonly string[]): string {
  const info = infos.join('\n')
  const [, process] = /^run_id:(\w{40})/m.exec(info) ?? []
  const [, line] = /^master_replid:(\w{40})/m.exec(info) ?? []
  if (process === undefined || line === undefined) throw new Error('it does not tell its run_id')
  return createHash('sha1').update(process).update(line).digest('hex')
}

const isMissingScript = (thrown: unknown) =>
  thrown instanceof Error && thrown.message.startsWith('NOSCRIPT')

function checkRoom(deadlines: Deadlines, place: string): void {
  if (deadlines.silent()) throw new KvError('not-sent', `${place} is silent`)
  const { calls, bytes } = deadlines.outstanding()
  if (calls >= outstandingMax.calls || bytes >= outstandingMax.bytes) {
    throw new KvError('not-sent', `${calls} calls of ${bytes} bytes wait for ${place} already`)
  }
}

const lateAnswer = (place: string) =>
  new KvError('unknown', `${place} did not answer within the deadline`)

const closedHere = (place: string) =>
  new KvError('unknown', `${place} was closed here before it answered`)

/** What a failed call means for its outcome. */
function rethrow(thrown: unknown, place: string): never {
  const reason = reasonOf(thrown)
  if (thrown instanceof ErrorReply) throw new KvError('refused', `${place} answered ${reason}`)
  const isUnsent = /offline|client is closed|queue is full|aborted/i.test(reason)
  throw new KvError(isUnsent ? 'not-sent' : 'unknown', `The call of ${place} failed: ${reason}`)
}

export function reasonOf(thrown: unknown): string {
  if (thrown instanceof AggregateError) return thrown.errors.map(reasonOf).join(', ')
  if (!(thrown instanceof Error)) return String(thrown)
  if ('code' in thrown && typeof thrown.code === 'string') return plainReason(thrown.code)
  return thrown.message || thrown.name
}
