/** Documents of a file, however they are laid out. */
import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { readDocuments } from '../../../src/transfer/lines/documents.ts'

const isMessage = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, 'role')

async function* pieces(text: string, sizes: readonly number[]) {
  const bytes = new TextEncoder().encode(text)
  let at = 0
  for (let n = 0; at < bytes.length; n += 1) {
    const size = sizes[n % sizes.length] ?? bytes.length
    yield bytes.slice(at, at + size)
    at += size
  }
}

async function documentsOf(text: string, { bytesMax = 1000, sizes = [7] } = {}) {
  const found: [number, string][] = []
  for await (const line of readDocuments(pieces(text, sizes), { bytesMax, isMessage }))
    found.push([line.number, 'text' in line ? line.text : `! ${line.unusable}`])
  return found
}

describe('the documents of a file', () => {
  test('a document over several lines is one, with the number of its first line', async () => {
    const document = JSON.stringify({ id: 1, messages: [{ a: [] }] }, null, 2)
    expect(await documentsOf(`\n${document}\n`)).toEqual([[2, document]])
    const unindented = document.replaceAll(/^ +/gm, '')
    expect(await documentsOf(unindented)).toEqual([[1, unindented]])
    const two = `${document}\n${document},\n`
    expect(await documentsOf(two)).toEqual([
      [1, document],
      [9, document],
    ])
  })

  test('a list of documents yields each of them, and documents may follow it', async () => {
    expect(await documentsOf('[{"a":1},\n{"b":2}]')).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":2}'],
    ])
    expect(await documentsOf('[ {"a":[{}]} , 7, "x]", null ]\n{"c":3}')).toEqual([
      [1, '{"a":[{}]}'],
      [1, '7'],
      [1, '"x]"'],
      [1, 'null'],
      [2, '{"c":3}'],
    ])
    expect(await documentsOf('[]')).toEqual([])
    expect(await documentsOf('\ufeff[{"a":1}]')).toEqual([[1, '{"a":1}']])
  })

  test('a list of messages is one document', async () => {
    const list = JSON.stringify([{ role: 'user' }, { role: 'assistant' }], null, 2)
    expect(await documentsOf(list)).toEqual([[1, list]])
    const short = JSON.stringify(JSON.parse(list))
    expect(await documentsOf(`${short}\n${short}\n`)).toEqual([
      [1, short],
      [2, short],
    ])
  })

  test('a file whose first line is a document has one in each line, with a comma behind it or not', async () => {
    expect(await documentsOf('{"a":1},\n{"b":2} ,\n"c",\n[1]\n')).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":2}'],
      [3, '"c",'],
      [4, '[1]'],
    ])
  })

  test('a broken first line hides none of the documents after it', async () => {
    const broken: [number, string][] = [
      [1, '{"a":'],
      [2, '{"b":2}'],
      [3, '{"c":3}'],
    ]
    expect(await documentsOf('{"a":\n{"b":2}\n{"c":3}')).toEqual(broken)
    expect(await documentsOf('{"a":"x\n{"b":2}\n{"c":3}')).toEqual([
      [1, '{"a":"x'],
      ...broken.slice(1),
    ])
    expect(await documentsOf(`{"a":\n${'{"b":2}\n'.repeat(50)}`, { bytesMax: 100 })).toHaveLength(
      51,
    )
  })

  test('a document that is cut off is named once', async () => {
    const cut = JSON.stringify({ id: 1, messages: [1, 2] }, null, 2).slice(0, -1)
    const reason = '! begins a JSON document that has no end: the file is cut off or is not JSON'
    expect(await documentsOf(cut)).toEqual([[1, reason]])
    expect(await documentsOf('[{"a":1},\n{"b":2}\n')).toEqual([
      [1, '{"a":1}'],
      [2, '{"b":2}'],
      [3, '! ends before its list does: the file is cut off'],
    ])
    expect((await documentsOf('[{"a":1},\n{"b":')).map(([line]) => line)).toEqual([1, 2])
  })

  test('the bound is one of a document, and a larger one does not stop the others', async () => {
    const long = { text: 'x'.repeat(400) }
    const refusal = '! has 411 bytes, and may have 300 at most: raise --line-bytes'
    const documents = JSON.stringify([{ a: 1 }, long, { b: 2 }])
    expect(await documentsOf(documents, { bytesMax: 300 })).toEqual([
      [1, '{"a":1}'],
      [1, refusal],
      [1, '{"b":2}'],
    ])
    const many = Array.from({ length: 500 }, (_, id) => ({ id }))
    expect(await documentsOf(JSON.stringify(many, null, 2), { bytesMax: 300 })).toHaveLength(500)
    const first = JSON.stringify([long, { b: 2 }])
    expect(await documentsOf(first, { bytesMax: 300 })).toEqual([
      [1, refusal],
      [1, '{"b":2}'],
    ])
  })

  test('a document that is not UTF-8 is refused, and the others are read', async () => {
    const bytes = Buffer.concat([
      Buffer.from('[{"a":"'),
      Buffer.of(0xff),
      Buffer.from('"},{"b":2}]'),
    ])
    const found: unknown[] = []
    const chunks = (async function* () {
      yield new Uint8Array(bytes)
    })()
    for await (const line of readDocuments(chunks, { bytesMax: 100, isMessage }))
      found.push('text' in line ? line.text : line.unusable)
    expect(found).toEqual(['is not UTF-8', '{"b":2}'])
  })

  test('every layout of the same documents yields the same documents, however the bytes are cut', async () => {
    const document = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1, maxKeys: 4 })
    const layouts = {
      lines: (all: readonly unknown[]) => all.map((one) => JSON.stringify(one)).join('\n'),
      commas: (all: readonly unknown[]) => all.map((one) => JSON.stringify(one)).join(',\n'),
      list: (all: readonly unknown[]) => JSON.stringify(all),
      printedList: (all: readonly unknown[]) => JSON.stringify(all, null, 2),
      printed: (all: readonly unknown[]) =>
        all.map((one) => JSON.stringify(one, null, 2)).join('\n'),
      tabs: (all: readonly unknown[]) =>
        all.map((one) => JSON.stringify(one, null, '\t')).join(' '),
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(document, { minLength: 1, maxLength: 5 }),
        fc.constantFrom(...Object.keys(layouts)),
        fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 5 }),
        async (documents, name, sizes) => {
          const layout = layouts[name as keyof typeof layouts]
          const found = await documentsOf(layout(documents), { bytesMax: 100_000, sizes })
          expect(found.map(([, text]) => JSON.parse(text))).toEqual(
            JSON.parse(JSON.stringify(documents)),
          )
        },
      ),
      { numRuns: 500 },
    )
  })
})
