/**
 * A PGlite on a directory, which is opened again after it has ended. A PANIC, for example because
 * the write-ahead log cannot grow on a full disk, ends the process of a Postgres server. PGlite has
 * no process of its own that could end: another query after a PANIC would spin for ever and block
 * the whole thread.
 */
import { existsSync, mkdirSync, renameSync, rmSync, statfsSync } from 'node:fs'
import { dirname } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { boundMs } from '../../src/mechanics/backoff.ts'
import { thrownText } from '../../src/mechanics/thrown-text.ts'
import { DatabaseError } from '../../src/ports/database.ts'
import { dataIn } from './directory-state.ts'
import { isLastAnswer, statementFailure } from './failure.ts'
import type { OnDatabaseEvent } from './startable.ts'
import { valueParsers } from './values.ts'

export type PgliteInstance = {
  /** Runs a statement, on a new PGlite if the last one ended. Fails with a `DatabaseError`. */
  query<Row extends object>(text: string, values: (string | null)[]): Promise<Row[]>
  /** Returns the open PGlite. Fails with a `DatabaseError` if it ended and cannot be opened yet. */
  open(): Promise<PGlite>
  close(): Promise<void>
}

/**
 * Waits between failed attempts to open. Each attempt blocks the whole thread for about a second.
 */
const attemptGaps = { firstMs: 1000, maxMs: 60_000 }

/** Free bytes that an attempt to open needs. One file of the write-ahead log has 16 MiB. */
const roomBytes = 32 * 1024 * 1024

/**
 * Opens a PGlite on the directory. `serverName` names it in messages. Rejects if it does not open.
 */
export async function openInstance(
  directory: string,
  serverName: string,
  onEvent: OnDatabaseEvent,
): Promise<PgliteInstance> {
  let pglite: PGlite | undefined = await openData(directory)
  /** The failure that ended the last PGlite; undefined while one is open. */
  let ended: DatabaseError | undefined
  /** The failure of the last attempt to open it again; undefined before the first attempt. */
  let unopened: { readonly cause: unknown; readonly text: string } | undefined
  let nextAttemptAt = 0
  let failures = 0

  const end = (failure: DatabaseError) => {
    pglite = undefined
    ended = failure
    unopened = undefined
    failures = 0
    nextAttemptAt = 0
    onEvent({ type: 'ended', message: `${failure.message}: it ended, and will be opened again` })
  }

  const stillFull = () =>
    new DatabaseError(
      'not-sent',
      `The ${serverName} ended, and its disk has too little room to open it`,
      {
        reason: 'full',
        ...(ended?.sqlState === undefined ? {} : { sqlState: ended.sqlState }),
      },
    )

  const notOpened = (cause: unknown) =>
    new DatabaseError('not-sent', `The ${serverName} ended and cannot be opened`, {
      reason: 'unreachable',
      cause,
    })

  /** Reports the first failed attempt, and each later one that fails for another reason. */
  const failAttempt = (cause: unknown): DatabaseError => {
    nextAttemptAt = performance.now() + boundMs(attemptGaps, failures)
    failures += 1
    const failure = notOpened(cause)
    const text = cause instanceof Error ? cause.message : String(cause)
    if (text !== unopened?.text)
      onEvent({ type: 'unopened', message: `${failure.message}: ${text}` })
    unopened = { cause, text }
    return failure
  }

  const open = async (): Promise<PGlite> => {
    if (pglite !== undefined) return pglite
    if (unopened !== undefined && performance.now() < nextAttemptAt) throw notOpened(unopened.cause)
    try {
      if (ended?.reason === 'full' && freeBytes(directory) < roomBytes) throw stillFull()
      pglite = await openData(directory)
    } catch (thrown) {
      throw thrown instanceof DatabaseError ? thrown : failAttempt(thrown)
    }
    ended = undefined
    unopened = undefined
    onEvent({ type: 'reopened', message: `The ${serverName} was opened again` })
    return pglite
  }

  return {
    open,
    async query<Row extends object>(text: string, values: (string | null)[]) {
      const opened = await open()
      try {
        return (await opened.query<Row>(text, values)).rows
      } catch (thrown) {
        const failure = statementFailure(thrown, serverName)
        if (isLastAnswer(thrown)) end(failure)
        throw failure
      }
    },
    async close() {
      await pglite?.close()
    },
  }
}

const freeBytes = (directory: string): number => {
  const { bavail, bsize } = statfsSync(directory)
  return bavail * bsize
}

/**
 * Creates a PGlite. PGlite may throw an exit status or the number of a system error, which are not
 * an `Error`; this throws an `Error`.
 */
async function create(data: string): Promise<PGlite> {
  try {
    return await PGlite.create(data)
  } catch (thrown) {
    if (isNoSpace(thrown)) throw new Error(`its disk is full: ${roomAdvice}`, { cause: thrown })
    const text =
      thrown instanceof Error ? thrown.message : `Postgres did not start: ${thrownText(thrown)}`
    if (freeBytes(dirname(data)) >= roomBytes)
      throw thrown instanceof Error ? thrown : new Error(text, { cause: thrown })
    throw new Error(`${text}; its disk is nearly full: ${roomAdvice}`, { cause: thrown })
  }
}

const roomAdvice = 'make room, or set another directory (TURNLOG_DATA)'

/** The numbers of WASI for "no space left", "quota exceeded" and "file too large". */
const noSpaceNumbers: readonly unknown[] = [51, 19, 22]

const isNoSpace = (thrown: unknown): boolean =>
  typeof thrown === 'object' &&
  thrown !== null &&
  'errno' in thrown &&
  noSpaceNumbers.includes(thrown.errno)

/**
 * Opens the data. Missing data is made in a directory of another name, which is then renamed, so
 * that the data is either complete or absent.
 */
async function openData(directory: string): Promise<PGlite> {
  const data = dataIn(directory)
  if (!existsSync(data)) {
    const unfinished = `${data}.new`
    rmSync(unfinished, { recursive: true, force: true })
    mkdirSync(unfinished, { mode: 0o700 })
    await (await create(unfinished)).close()
    renameSync(unfinished, data)
  }
  const pglite = await create(data)
  // They are set after the start, because PGlite's start sets its own parsers for every array type.
  pglite.parsers = { ...valueParsers }
  pglite.serializers = {}
  return pglite
}
