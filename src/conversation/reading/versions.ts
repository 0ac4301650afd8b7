/** The version of many conversations, asked for together: one narrow row each. */
import type { Database } from '../../ports/database.ts'
import { ask } from '../sql/database-problems.ts'
import { whenGathered } from './gather.ts'

export type Current = {
  readonly version: number
  readonly isErased: boolean
}

export type Versions = {
  /**
   * As of a moment after the call. Undefined where there is no such conversation. Fails with
   * a `database-` code.
   */
  current(tenant: string, id: string): Promise<Current | undefined>
}

/** Statements in flight; who comes meanwhile waits for the next. The second is for when one takes long. */
const lanes = 2
/** So long the next one waits for that in flight, in milliseconds: what many ask at once costs least. */
const lingerMs = 10
const askedMax = 1000

export const versionsStatement = `SELECT n, version, is_erased AS "isErased"
  FROM turnlog_versions_v1($1::text[], $2::text[]::uuid[])`

export type VersionRow = Current & { n: number }

/** Callers that ask for the same share one answer, if they came before it was asked for. */
type Question = {
  readonly tenant: string
  readonly id: string
  readonly answer: Promise<Current | undefined>
  resolve(current: Current | undefined): void
  reject(thrown: unknown): void
}

export function createVersions(database: Database): Versions {
  let waiting = new Map<string, Question>()
  let inFlight = 0
  let isScheduled = false
  let sentAt = 0
  let isLingering = false

  const schedule = () => {
    if (isScheduled || inFlight >= lanes) return
    isScheduled = true
    const gathered = () => {
      isScheduled = false
      if (waiting.size === 0 || inFlight >= lanes) return
      if (inFlight === 0 || performance.now() - sentAt >= lingerMs) void send()
      else linger()
    }
    whenGathered(() => waiting.size, gathered)
  }

  const linger = () => {
    if (isLingering) return
    isLingering = true
    setTimeout(() => {
      isLingering = false
      schedule()
    }, lingerMs)
  }

  const send = async () => {
    const questions = [...waiting.values()].slice(0, askedMax)
    waiting = new Map([...waiting].slice(askedMax))
    inFlight += 1
    sentAt = performance.now()
    try {
      const params = [questions.map(({ tenant }) => tenant), questions.map(({ id }) => id)]
      const rows = await ask<VersionRow>(database, 'read', { text: versionsStatement, params })
      const found = new Map(rows.map((row) => [row.n, row]))
      for (const [index, question] of questions.entries()) question.resolve(found.get(index + 1))
    } catch (thrown) {
      for (const question of questions) question.reject(thrown)
    } finally {
      inFlight -= 1
      if (waiting.size > 0) schedule()
    }
  }

  return {
    current(tenant, id) {
      const name = `${tenant}/${id}`
      const asked = waiting.get(name)
      if (asked !== undefined) return asked.answer
      const { promise, resolve, reject } = Promise.withResolvers<Current | undefined>()
      waiting.set(name, { tenant, id, answer: promise, resolve, reject })
      schedule()
      return promise
    },
  }
}
