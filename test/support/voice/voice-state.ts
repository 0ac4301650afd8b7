/** What the model of spoken turns holds, and can make a copy of. */
import type { Heard } from './voice-words.ts'

export type Row = {
  seq: number
  role: 'human' | 'ai'
  state: 'filled' | 'pending' | 'expired'
  parts: string[]
  session: string | null
  urls: (string | null)[] | null
  heard: Heard | null
  heardAt: number
}

type Turn = {
  readonly opened: boolean
  readonly human: Row
  humanWords: number | null
  answer: Row | undefined
  answerWords: number | null
}

/** `carried`: a socket has spoken in it, so that it ends when nobody does. */
type Session = { declared: boolean; carried: boolean; ended: boolean }

export const nothingYet = () => ({
  version: 1,
  rows: [] as Row[],
  turns: new Map<number, Turn>(),
  held: new Map<string, { hash: string; url: string }>(),
  sessions: new Map<string, Session>(),
})

export const sorted = <K extends string | number, V>(map: ReadonlyMap<K, V>) =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1))
