/**
 * The connection to a single Redis. It is made and made again in the background; while there is none,
 * calls are refused at once. Each connection asks its server which run it is, which goes into every
 * call: what another run has written reads as absent. Who was a replica meanwhile is another run
 * too, though the process is the same: its data came from elsewhere. So it is asked again and again.
 */

import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { RESP_TYPES } from 'redis'
import { KvError } from '../../../src/ports/kv.ts'
import { createDeadlines, type Deadlines } from '../deadlines.ts'
import type { OnKvEvent } from '../opened.ts'
import { createRenewableClient } from './redis-client.ts'
import {
  callFailure,
  closedHere,
  isMissingScript,
  isReplicaReply,
  lateAnswer,
  reasonOf,
} from './redis-failure.ts'
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

export function connectServer(url: string, options: CarrierOptions): ServerCarrier {
  const { place, deadlineMs, onEvent } = options
  const deadlines = createDeadlines(deadlineMs, () => lateAnswer(place))
  /** Counts connections: a reply that came over another one proves nothing of the run it was sent to. */
  let connection = 0
  let run: string | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let isIdentifying = false
  let isAway = false
  let isClosed = false
  let wasReady = false
  let renewedAt = Number.NEGATIVE_INFINITY

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
      const { current } = client
      const id = runOf(await Promise.all([current.info('server'), current.info('replication')]))
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
  const client = createRenewableClient(url, {
    connect: lose,
    ready: () => void identify(),
    error(thrown) {
      // Some errors leave the connection as it is.
      if (!client.current.isReady) lose()
      report(thrown)
    },
  })
  client.connect()

  /** Behind a name or a balancer there may be another master by now. */
  const onReplica = () => {
    const now = performance.now()
    if (isClosed || now - renewedAt < renewEveryMs) return
    renewedAt = now
    lose()
    client.renew()
  }

  const send = async (script: Script, args: readonly Arg[], isAsking: boolean) => {
    const evaluate = (command: string, text: string) => {
      // Sent in one go, so nothing comes between; its answer says nothing.
      if (isAsking) client.current.sendCommand(['ASKING']).catch(() => {})
      return client.current.sendCommand<Buffer>([command, text, ...args], asBytes)
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
        if (at === connection && isReplicaReply(thrown)) onReplica()
        // No master any more, perhaps.
        else if (!isIdentifying && /\bMOVED\b/.test(reasonOf(thrown))) void identify()
        throw callFailure(thrown, place)
      }),
      args.reduce((sum, { length }) => sum + length, 0),
    )
    if (at !== connection) throw new KvError('unknown', `The connection to ${place} was lost`)
    client.alive()
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
    command: (...args) => call(args, () => client.current.sendCommand(args)),
    ready: () => run !== undefined && !deadlines.silent(),
    close() {
      isClosed = true
      lose()
      deadlines.close(closedHere(place))
      client.close()
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

function checkRoom(deadlines: Deadlines, place: string): void {
  if (deadlines.silent()) throw new KvError('not-sent', `${place} is silent`)
  const { calls, bytes } = deadlines.outstanding()
  if (calls >= outstandingMax.calls || bytes >= outstandingMax.bytes) {
    throw new KvError('not-sent', `${calls} calls of ${bytes} bytes wait for ${place} already`)
  }
}
