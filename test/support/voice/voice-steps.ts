/** Random steps of spoken turns, for schedules of a store and of sockets. */
import fc from 'fast-check'
import type { Heard } from './voice-words.ts'

export type Step =
  | { readonly do: 'open'; readonly key: number }
  | { readonly do: 'record'; readonly key: number; readonly words: number }
  | {
      readonly do: 'complete'
      readonly key: number
      readonly user: number | null
      readonly assistant: number | null
    }
  | {
      readonly do: 'heard'
      readonly key: number
      readonly at: number
      readonly heard: Heard | null
    }
  | {
      readonly do: 'audio'
      readonly key: number
      readonly part: number
      readonly words: number
      readonly by: 'key' | 'message'
    }
  | { readonly do: 'start' | 'end'; readonly session: number }
  | Lapse

/** A step that no client requests: a deadline has passed. */
export type Lapse = { readonly do: 'expire' } | { readonly do: 'lapse'; readonly session: number }

/** The key of a turn that does not exist. */
export const missingTurn = -1

/**
 * The calls with which a node ends seats and sessions after their deadlines. The first parameters
 * are tenant and conversation.
 */
export const lapseCalls = {
  expire: `SELECT version FROM turnlog_expire_seats_v1($1, $2::uuid, now() + interval '10 days', 100, 10000)`,
  lapse: `SELECT outcome FROM turnlog_end_voice_session_v1(
    $1, $2::uuid, $3, now(), now() + interval '10 days', 10000)`,
}

const session = fc.integer({ min: 0, max: 1 })
const part = fc.integer({ min: 0, max: 2 })

export const heard: fc.Arbitrary<Heard | null> = fc.oneof(
  fc.constant(null),
  fc.record({ milliseconds: fc.integer({ min: 0, max: 1 }) }),
  fc.record({ parts: fc.integer({ min: 0, max: 4 }) }),
  fc.record({ characters: fc.integer({ min: 0, max: 30 }) }),
  fc.record({ text: fc.constantFrom('', 'in other words') }),
)

/** A step that a client requests, for one of `turns` turns. `words` chooses its words. */
export const requestStep = (turns: number, words: fc.Arbitrary<number>): fc.Arbitrary<Step> => {
  const key = fc.nat(turns - 1)
  const half = fc.option(words)
  return fc.oneof(
    { weight: 8, arbitrary: fc.record({ do: fc.constant('open' as const), key }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('record' as const), key, words }) },
    {
      weight: 12,
      arbitrary: fc
        .record({ do: fc.constant('complete' as const), key, user: half, assistant: half })
        .filter(({ user, assistant }) => user !== null || assistant !== null),
    },
    {
      weight: 6,
      arbitrary: fc.record({ do: fc.constant('heard' as const), key, heard, at: fc.nat(9) }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        ...{ do: fc.constant('audio' as const), key, words, part },
        by: fc.constantFrom('key' as const, 'key' as const, 'message' as const),
      }),
    },
    { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('start', 'end'), session }) },
  )
}

/** A step of a passed deadline. */
export const lapseStep = fc.oneof(
  fc.record({ do: fc.constant('expire' as const) }),
  fc.record({ do: fc.constant('lapse' as const), session }),
)
