/** The interface that sends scripts and commands to Redis servers. */
import type { Buffer } from 'node:buffer'
import type { OnKvEvent } from '../opened.ts'
import type { Script } from './redis-scripts.ts'

/** A Carrier runs scripts on the server of a partition. */
export type Carrier = {
  /** Whether partitions are on different servers, so that a call may name only one partition. */
  readonly sharded: boolean
  /** Runs a script. Returns its reply or rejects with a `KvError`, within the deadline. */
  run(script: Script, keys: readonly string[], args: readonly Arg[]): Promise<Buffer>
  /** Whether calls are expected to be answered. */
  ready(): boolean
  close(): void
}

/** A carrier for one server, which may be part of a Cluster. */
export type ServerCarrier = Carrier & {
  /** Runs a script on keys that are being moved to this server. */
  runAsking: Carrier['run']
  /** Sends any other command. */
  command(...args: Arg[]): Promise<unknown>
}

export type Arg = string | Buffer

export type CarrierOptions = {
  /** The server's name in messages, without secrets. */
  readonly serverName: string
  /** Milliseconds that a call may take. */
  readonly deadlineMs: number
  readonly onEvent: OnKvEvent
}
