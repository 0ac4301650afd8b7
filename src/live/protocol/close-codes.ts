/**
 * Why the server closes a socket. The range tells a client what to do, so that it obeys codes it does
 * not know: 40xx do not come back unchanged, 41xx come back later and later, 42xx come back now.
 */

type Row = {
  readonly code: number
  /** What is wrong and what to do: for the protocol's page. */
  readonly help: string
  /** In milliseconds: when to come back. */
  readonly retryMs?: readonly [number, number]
}

const backOff = [500, 30_000] as const

export const closings = {
  internal: {
    code: 4100,
    help: 'A fault of the service; its log has the reason.',
    retryMs: backOff,
  },
  'too-slow': {
    code: 4101,
    help: 'The reader did not take what was sent: resume from the last cursor.',
    retryMs: backOff,
  },
  'credit-exceeded': {
    code: 4103,
    help: 'More frames or bytes waited for their answer than `welcome.credit` allows. Those that were not answered have an unknown outcome: send them again with the same keys.',
    retryMs: backOff,
  },
  silent: {
    code: 4104,
    help: 'Nothing was heard for more than two pings: neither a frame nor a pong.',
    retryMs: backOff,
  },
  'frames-exceeded': {
    code: 4105,
    help: 'Far more frames came, or pings and pongs of WebSocket itself, than `welcome.limits.framesPerSecond` allows. Those that were not answered have an unknown outcome: send them again with the same keys, and no faster than that.',
    retryMs: backOff,
  },
  draining: {
    code: 4200,
    help: 'The node is about to stop. What was in hand has been answered, unless it took longer than the node may; resume at another node.',
    retryMs: [0, 8000],
  },
} as const satisfies Record<string, Row>

export type Closing = keyof typeof closings
