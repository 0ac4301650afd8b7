/**
 * The reasons for which the server closes a socket. The range of a code says what a client does,
 * also for codes that it does not know: 40xx: do not reconnect unchanged; 41xx: reconnect with
 * growing delays; 42xx: reconnect now.
 */

type Row = {
  readonly code: number
  /** The cause and what to do, for the AsyncAPI document. */
  readonly help: string
  /** Bounds of the random time to wait before reconnecting, in milliseconds. */
  readonly retryMs?: readonly [number, number]
}

const backOff = [500, 30_000] as const

export const closings = {
  internal: {
    code: 4100,
    help: 'The service failed. Its log has the reason.',
    retryMs: backOff,
  },
  'too-slow': {
    code: 4101,
    help: 'The client did not read fast enough. Resume from the last cursor.',
    retryMs: backOff,
  },
  'credit-exceeded': {
    code: 4103,
    help: 'More frames or bytes waited for their answers than `welcome.credit` allows. The outcome of unanswered frames is unknown: send them again with the same keys.',
    retryMs: backOff,
  },
  silent: {
    code: 4104,
    help: 'No frame and no pong arrived from the client for 2.25 pings.',
    retryMs: backOff,
  },
  'frames-exceeded': {
    code: 4105,
    help: 'The client sent far more frames, WebSocket pings or pongs than `welcome.limits.framesPerSecond` allows. The outcome of unanswered frames is unknown: send them again with the same keys, and more slowly.',
    retryMs: backOff,
  },
  draining: {
    code: 4200,
    help: 'The node is stopping. It has answered its pending frames, unless they took longer than its grace period. Resume at another node.',
    retryMs: [0, 8000],
  },
} as const satisfies Record<string, Row>

export type Closing = keyof typeof closings
