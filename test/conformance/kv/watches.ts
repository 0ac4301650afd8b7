/** Claims about watches: they emit the current entries, then changes, and always the last one. */
import { deepStrictEqual, equal } from 'node:assert/strict'
import type { KvEntryMaybe } from '../../../src/ports/kv.ts'
import { type Claim, pause } from './claim.ts'

/** Reads rows until one meets the condition. Returns the number of rows. */
export async function readUntil<Row>(
  reader: ReadableStreamDefaultReader<Row>,
  isWanted: (row: Row) => boolean,
): Promise<number> {
  for (let count = 1; ; count++) {
    const { value, done } = await reader.read()
    if (done || value === undefined) throw new Error('The watch ended')
    if (isWanted(value)) return count
  }
}

const values = (row: readonly KvEntryMaybe<unknown>[] | undefined) => row?.map(({ value }) => value)

export function kvWatches(claim: Claim): void {
  claim('a KV watch emits the current entries, and then each change', async ({ kv, key }) => {
    await kv.set(key('a'), 1)
    const reader = kv.watch([key('a'), key('b')]).getReader()
    deepStrictEqual(values((await reader.read()).value), [1, null])
    const { versionstamp } = await kv.set(key('b'), 2)
    const row = (await reader.read()).value
    deepStrictEqual(values(row), [1, 2])
    equal(row?.[1]?.versionstamp, versionstamp)
    await kv.delete(key('a'))
    deepStrictEqual(values((await reader.read()).value), [null, 2])
    await reader.cancel()
  })

  claim(
    'a KV watch emits nothing for other keys and for unchanged entries',
    async ({ kv, key }) => {
      const { versionstamp } = await kv.set(key('a'), 1)
      const reader = kv.watch([key('a')]).getReader()
      await reader.read()
      const next = reader.read()
      await kv.set(key('a', 'below'), 1)
      await kv.set(key('b'), 1)
      await kv.set(key(), 1)
      await kv
        .atomic()
        .check({ key: key('a'), versionstamp: null })
        .set(key('a'), 9)
        .commit()
      await kv
        .atomic()
        .check({ key: key('a'), versionstamp })
        .commit()
      equal(await Promise.race([next, pause(100)]), undefined)
      await kv.set(key('a'), 2)
      deepStrictEqual(values((await next).value), [2])
      await reader.cancel()
    },
  )

  claim(
    'a slow reader of a watch gets the latest entries, and may miss earlier ones',
    async ({ kv, key }) => {
      const reader = kv.watch([key('a')]).getReader()
      await reader.read()
      for (let n = 1; n <= 50; n++) await kv.set(key('a'), n)
      await pause(100)
      const rows = await readUntil(reader, ([entry]) => entry?.value === 50)
      equal(rows <= 2, true, `${rows} rows`)
      await reader.cancel()
    },
  )

  claim('a KV watch emits the last of many changes', async ({ kv, key }) => {
    const readers = Array.from({ length: 5 }, (_, n) =>
      kv.watch([key('w', n), key('w', 'all')]).getReader(),
    )
    const reads = readers.map((reader) =>
      readUntil(reader, (row) => row.every(({ value }) => value === 'last')),
    )
    await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        kv
          .atomic()
          .set(key('w', n % 5), n)
          .set(key('w', 'all'), n)
          .commit(),
      ),
    )
    const last = kv.atomic().set(key('w', 'all'), 'last')
    for (let n = 0; n < 5; n++) last.set(key('w', n), 'last')
    await last.commit()
    await Promise.all(reads)
    await Promise.all(readers.map((reader) => reader.cancel()))
  })

  claim('a KV watch may name keys of several partitions', async ({ kv, key }) => {
    const [, name = ''] = key()
    const reader = kv.watch([key('a'), [name], [name, 'other', 1]]).getReader()
    deepStrictEqual(values((await reader.read()).value), [null, null, null])
    await kv.set([name, 'other', 1], 3)
    await readUntil(reader, (row) => row[2]?.value === 3)
    await kv.set([name], 2)
    await readUntil(reader, (row) => row[1]?.value === 2)
    await kv.set(key('a'), 1)
    await readUntil(reader, (row) => row[0]?.value === 1)
    await reader.cancel()
  })

  claim("two connections to a store see each other's changes", async ({ kv, subject, key }) => {
    const other = await subject.open()
    const reader = other.watch([key('a')]).getReader()
    await reader.read()
    await kv.set(key('a'), 'from here')
    await readUntil(reader, ([entry]) => entry?.value === 'from here')
    other.close()
  })

  claim(
    'cancelling a watch leaves other watches open, and a new watch of the same keys works',
    async ({ kv, key }) => {
      const open = () => kv.watch([key('a')]).getReader()
      const [first, second] = [open(), open()]
      await Promise.all([first.read(), second.read()])
      await first.cancel()
      await kv.set(key('a'), 1)
      deepStrictEqual(values((await second.read()).value), [1])
      await second.cancel()
      for (let n = 2; n < 12; n++) {
        const again = open()
        await again.read()
        await kv.set(key('a'), n)
        await readUntil(again, ([entry]) => entry?.value === n)
        // The next watch begins while this one is still being cancelled.
        void again.cancel()
      }
    },
  )

  claim('each of hundreds of KV watches emits the changes of its own keys', async ({ kv, key }) => {
    const readers = Array.from({ length: 300 }, (_, n) =>
      kv.watch([key('head', n), ['conformance', `watched-${n}`]]).getReader(),
    )
    await Promise.all(readers.map((reader) => reader.read()))
    const reads = readers.map((reader, n) => readUntil(reader, ([, live]) => live?.value === n))
    await Promise.all(readers.map((_, n) => kv.set(['conformance', `watched-${n}`], n)))
    await Promise.all(reads)
    await Promise.all(readers.map((reader) => reader.cancel()))
  })
}
