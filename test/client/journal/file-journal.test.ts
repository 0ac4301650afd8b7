/** FileJournal: its entries after crashes, torn writes and its own growth. */
import { afterAll, describe, expect, test } from 'bun:test'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { openFileJournal } from '../../../src/client/journal/file-journal.ts'
import type { JournalEntry } from '../../../src/client/journal/journal.ts'

const directory = mkdtempSync(join(tmpdir(), 'turnlog-journal-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

let files = 0
const newPath = () => {
  files += 1
  return join(directory, `deep/${files}/turns.journal`)
}

const entry = (n: number, text = `turn ${n} ü\n`): JournalEntry => ({
  conversationId: `c-${n % 3}`,
  key: `key-${n}`,
  turn: JSON.stringify({ user: { text }, assistant: { responses: [text] } }),
})
const keys = (entries: readonly JournalEntry[]) => entries.map(({ key }) => key)
const unsynced = { sync: false }

/** A copy of the file as the next process would find it if this one ended now. */
function copyOf(path: string, bytes = readFileSync(path).length): string {
  const copy = newPath()
  rmSync(copy, { force: true })
  const folder = join(copy, '..')
  mkdirSync(folder, { recursive: true })
  writeFileSync(copy, readFileSync(path).subarray(0, bytes))
  return copy
}

describe('FileJournal', () => {
  test('a journal that is opened again has the entries that were not removed, in order', async () => {
    const path = newPath()
    const first = await openFileJournal(path)
    expect(first.recovered).toEqual([])
    await Promise.all([1, 2, 3, 4].map((n) => first.append(entry(n))))
    first.remove(entry(2))
    first.remove(entry(9))
    await first[Symbol.asyncDispose]()
    await using second = await openFileJournal(path)
    expect(second.recovered).toEqual([entry(1), entry(3), entry(4)])
  })

  test('a journal cut at any byte has every turn whose append had resolved before it', async () => {
    const path = newPath()
    await using journal = await openFileJournal(path, unsynced)
    const sizes: number[] = []
    for (let n = 0; n < 4; n += 1) {
      await journal.append(entry(n))
      sizes.push(statSync(path).size)
    }
    for (let bytes = 0; bytes <= (sizes.at(-1) ?? 0); bytes += 1) {
      const copy = copyOf(path, bytes)
      const whole = sizes.filter((size) => size <= bytes).length
      await using torn = await openFileJournal(copy, unsynced)
      expect(torn.recovered.length).toBe(whole)
      // An entry that is appended after a torn end is recovered, too.
      if (bytes % 7 !== 0) continue
      await torn.append(entry(9))
      await using next = await openFileJournal(copyOf(copy), unsynced)
      expect(keys(next.recovered).at(-1)).toBe('key-9')
    }
  })

  test('a file that is no journal or is damaged is refused and left unchanged', async () => {
    const path = newPath()
    const journal = await openFileJournal(path)
    for (const n of [1, 2]) await journal.append(entry(n))
    const text = readFileSync(path, 'utf8')
    const second = Buffer.from(text).indexOf('\n') + 1
    const noted: Record<string, [file: string, at: number]> = {
      'a text': ['my precious notes\nline 2\n', 0],
      'a text of one line': ['my precious notes\n', 0],
      'a text without a newline': ['notes', 0],
      'a hash without a newline': ['0123456789abcdef0123', 0],
      'JSON lines': ['{"a":1}\n', 0],
      'an empty line': ['\n', 0],
      zeros: ['\0\0', 0],
      'a changed letter in the last line': [text.replace('turn 2', 'turn 3'), second],
      'a changed letter in the only line': [text.slice(0, second).replace('turn', 'tuRn'), 0],
      CRLF: [text.replaceAll('\n', '\r\n'), 0],
    }
    for (const [name, [file, at]] of Object.entries(noted)) {
      const copy = copyOf(path)
      writeFileSync(copy, file)
      const thrown = await openFileJournal(copy).catch((reason) => reason)
      expect([name, thrown.message]).toEqual([name, expect.stringContaining(`at byte ${at}.`)])
      expect(thrown.message).toContain(copy)
      expect(readFileSync(copy, 'utf8')).toBe(file)
      expect(readdirSync(join(copy, '..'))).toEqual(['turns.journal'])
    }
    const device = await openFileJournal('/dev/null').catch((reason) => reason)
    expect(String(device)).toContain('/dev/null')
    await journal[Symbol.asyncDispose]()
  })

  test('a file of another program at the path of the lock is refused and left unchanged', async () => {
    const path = newPath()
    mkdirSync(join(path, '..'), { recursive: true })
    writeFileSync(`${path}.lock`, '{ "lockfileVersion": 1 }\n')
    const thrown = await openFileJournal(path).catch((reason) => reason)
    expect(thrown.message).toContain(`${path}.lock is not a lock of a journal`)
    expect(readFileSync(`${path}.lock`, 'utf8')).toBe('{ "lockfileVersion": 1 }\n')
    // A crash of the machine may leave a lock without its content.
    for (const empty of ['', '\0\0']) {
      writeFileSync(`${path}.lock`, empty)
      await using journal = await openFileJournal(path)
      expect(journal.recovered).toEqual([])
    }
  })

  test('zeros at the end of a journal file are dropped, and damage before the end is reported with its byte', async () => {
    const path = newPath()
    const journal = await openFileJournal(path)
    for (const n of [1, 2, 3]) await journal.append(entry(n))
    const bytes = readFileSync(path)
    const zeros = copyOf(path)
    writeFileSync(zeros, Buffer.concat([bytes, Buffer.alloc(500)]))
    await using fine = await openFileJournal(zeros)
    expect(keys(fine.recovered)).toEqual(['key-1', 'key-2', 'key-3'])
    const damaged = copyOf(path)
    const second = bytes.indexOf('\n') + 1
    bytes[second + 30] = 0
    writeFileSync(damaged, bytes)
    const thrown = await openFileJournal(damaged).catch((reason) => reason)
    expect(thrown.message).toContain(`damaged at byte ${second}`)
    await journal[Symbol.asyncDispose]()
  })

  test('a journal has one holder at a time, and is free again after its holder has ended', async () => {
    const path = newPath()
    const first = await openFileJournal(path)
    const thrown = await openFileJournal(path).catch((reason) => reason)
    expect(thrown.message).toContain(`held by process ${process.pid}`)
    await first[Symbol.asyncDispose]()
    const ended = Bun.spawnSync(['true'])
    writeFileSync(`${path}.lock`, String(ended.pid))
    await using second = await openFileJournal(path)
    expect(second.recovered).toEqual([])
  })

  test('only one process takes over the lock of an ended process, even if two try at once', async () => {
    const path = newPath()
    mkdirSync(join(path, '..'), { recursive: true })
    const endedPid = String(Bun.spawnSync(['true']).pid)
    writeFileSync(path, endedPid)
    const contender = join(import.meta.dir, '../../support/lock-contender.ts')
    const contenders = [1, 2].map(() =>
      Bun.spawn([process.execPath, contender, path, endedPid, '60'], { stdout: 'pipe' }),
    )
    const reports = contenders.map(({ stdout }) => new Response(stdout).json())
    expect(await Promise.all(reports)).toEqual(contenders.map(() => ({ held: 60, shared: 0 })))
    // Two openings in one process do not share a lock either.
    const newJournal = newPath()
    const both = await Promise.allSettled([
      openFileJournal(newJournal),
      openFileJournal(newJournal),
    ])
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    for (const one of both) if (one.status === 'fulfilled') await one.value[Symbol.asyncDispose]()
  }, 30_000)

  test('a journal stays small while many turns pass through it, and keeps the waiting ones', async () => {
    const path = newPath()
    const journal = await openFileJournal(path, unsynced)
    await journal.append(entry(0))
    let largest = 0
    for (let n = 1; n <= 300; n += 1) {
      await journal.append(entry(n, 'x'.repeat(4000)))
      journal.remove(entry(n))
      largest = Math.max(largest, statSync(path).size)
    }
    expect(largest).toBeLessThan(400_000)
    expect(largest).toBeGreaterThan(200_000)
    await journal[Symbol.asyncDispose]()
    await using next = await openFileJournal(path)
    expect(keys(next.recovered)).toEqual(['key-0'])
  })

  test('a full journal refuses a write with journal-full, counts recovered entries, and accepts more once it has room', async () => {
    const path = newPath()
    const journal = await openFileJournal(path, { entriesMax: 2 })
    await journal.append(entry(1))
    await journal.append(entry(2))
    const full = await journal.append(entry(3)).catch((reason) => reason)
    expect(full).toMatchObject({ code: 'journal-full', retryable: true })
    await journal[Symbol.asyncDispose]()
    await using next = await openFileJournal(path, { entriesMax: 2, bytesMax: 500 })
    expect((await next.append(entry(3)).catch((reason) => reason)).code).toBe('journal-full')
    next.remove(entry(1))
    await next.append(entry(3))
    next.remove(entry(2))
    const large = await next.append(entry(4, 'x'.repeat(500))).catch((reason) => reason)
    expect(large.code).toBe('journal-full')
  })

  test('a write without room on the disk is refused with journal-full, leaves nothing in the file, and does not block the next', async () => {
    const path = newPath()
    const program = `
      import { openFileJournal } from '${join(import.meta.dir, '../../../src/client/journal/file-journal.ts')}'
      const journal = await openFileJournal('${path}')
      const entry = (key, text) => ({ conversationId: 'c', key, turn: JSON.stringify({ text }) })
      await journal.append(entry('one', 'a'))
      const { name, code, retryable, cause } = await journal.append(entry('two', 'x'.repeat(200_000))).catch((reason) => reason)
      await journal.append(entry('three', 'b'))
      console.log(JSON.stringify({ name, code, retryable, cause: cause?.code }))
      await journal[Symbol.asyncDispose]()
    `
    // A file may have 64 blocks of 512 or 1024 bytes. Without the trap, the first byte above that ends the process.
    const limited = `trap '' XFSZ; ulimit -f 64; exec "$0" -e "$1"`
    const ran = Bun.spawnSync(['sh', '-c', limited, process.execPath, program])
    expect(ran.stderr.toString()).toBe('')
    expect(JSON.parse(ran.stdout.toString())).toEqual({
      name: 'Problem',
      code: 'journal-full',
      retryable: true,
      cause: 'EFBIG',
    })
    expect(readFileSync(path, 'utf8')).not.toContain('xx')
    await using next = await openFileJournal(path)
    expect(keys(next.recovered)).toEqual(['one', 'three'])
  }, 30_000)

  test('a journal that is opened again with tighter bounds still has all its entries', async () => {
    const path = newPath()
    const journal = await openFileJournal(path)
    for (let n = 1; n <= 3; n += 1) await journal.append(entry(n))
    await journal[Symbol.asyncDispose]()
    await using next = await openFileJournal(path, { entriesMax: 2 })
    expect(keys(next.recovered)).toEqual(['key-1', 'key-2', 'key-3'])
    next.remove(entry(1))
    expect((await next.append(entry(4)).catch((reason) => reason)).code).toBe('journal-full')
    next.remove(entry(2))
    await next.append(entry(4))
  })

  test('a journal has the same entries as a map, after any appends, removals, reopenings and crashes', async () => {
    const step = fc.record({
      kind: fc.constantFrom('append', 'append', 'remove', 'reopen', 'crash'),
      n: fc.nat(8),
      size: fc.constantFrom(1, 100_000),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        let path = newPath()
        let journal = await openFileJournal(path, unsynced)
        const model = new Map<string, JournalEntry>()
        for (const { kind, n, size } of steps) {
          const one = entry(n, 'x'.repeat(size))
          if (kind === 'append' && !model.has(one.key)) {
            await journal.append(one)
            model.set(one.key, one)
          } else if (kind === 'remove') {
            journal.remove(one)
            model.delete(one.key)
          } else if (kind === 'reopen' || kind === 'crash') {
            // A removal may not be written yet. The next append or the end of the journal writes it.
            if (kind === 'crash') {
              await journal.append(entry(99))
              journal.remove(entry(99))
            }
            const copy = kind === 'crash' ? copyOf(path) : path
            await journal[Symbol.asyncDispose]()
            path = copy
            journal = await openFileJournal(path, unsynced)
            const recovered = journal.recovered.filter(({ key }) => key !== 'key-99')
            expect(recovered).toEqual([...model.values()])
            journal.remove(entry(99))
          }
        }
        await journal[Symbol.asyncDispose]()
      }),
      { numRuns: 60 },
    )
  })
})
