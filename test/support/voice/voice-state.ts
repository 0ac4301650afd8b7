/** The state of the model of spoken turns. It can be copied with structuredClone. */
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

/** A voice session. `carried`: sockets keep it open, so it ends after the last one left. */
type Session = { declared: boolean; carried: boolean; ended: boolean }

export const nothingYet = () => ({
  version: 1,
  rows: [] as Row[],
  turns: new Map<number, Turn>(),
  heldAudio: new Map<string, { hash: string; url: string }>(),
  sessions: new Map<string, Session>(),
})

export const sorted = <K extends string | number, V>(map: ReadonlyMap<K, V>) =>
  [...map].sort(([a], [b]) => (a < b ? -1 : 1))
