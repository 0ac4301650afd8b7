/** The guard of the project's language: patterns that make a reader read twice are found, and refused. */
import { beforeAll, describe, expect, test } from 'bun:test'
import { join } from 'node:path'
import { exceptions } from './support/language/exceptions.ts'
import { type Finding, findingsIn, patterns } from './support/language/patterns.ts'
import { type Kind, readSentences, type Sentence, sentencesOf } from './support/language/prose.ts'

const namesIn = (path: string, content: string) =>
  findingsIn(sentencesOf(path, content)).map(({ pattern }) => pattern)

/** All prose of the project and its findings, read once. */
let sentences: Sentence[]
let findings: Finding[]
beforeAll(() => {
  sentences = readSentences(join(import.meta.dir, '..'))
  findings = findingsIn(sentences)
}, 60_000)

describe('the prose of the project', () => {
  test('no sentence matches a pattern of unclear language, except for the accepted ones', () => {
    const isAccepted = ({ path, text }: { path: string; text: string }) =>
      exceptions.some((one) => one.path === path && one.text === text)
    const found = findings
      .filter((finding) => !isAccepted(finding))
      .map(({ path, line, pattern, text }) => `${path}:${line}: ${pattern}: ${text}`)
    expect(found).toEqual([])
  })

  test('every accepted sentence still exists and has a reason', () => {
    for (const { path, text, reason } of exceptions) {
      expect(findings.some((one) => one.path === path && one.text === text)).toBe(true)
      expect(reason).toMatch(/\S+ \S+ \S+/)
    }
    expect(exceptions.length).toBeLessThan(70)
  })
})

describe('a language pattern', () => {
  const unclear: Record<string, readonly string[]> = {
    'subject without antecedent': [
      '// What waits of it must not go on as if this had not been.',
      '/** Whoever comes late gets the latest. */',
      'export const help = "Nobody reads what is there."',
    ],
    'who or what without a noun': [
      '// Last, so that who asks without an upgrade gets an error.',
      '/** Drops the rest of what is left. */',
    ],
    'so many': ['// Begin with the newest so many messages.', '// A history stays so long.'],
    'told or said': ['// The caller is told why.', '// Each event tells of a failure.'],
    'no verb': ['// A stub is empty. Not so a window.', '// Never more than two.'],
  }
  for (const [name, examples] of Object.entries(unclear))
    test(`the pattern "${name}" finds each of its examples`, () => {
      for (const example of examples)
        expect([example, namesIn('src/x.ts', example)]).toEqual([
          example,
          expect.arrayContaining([name]),
        ])
    })

  test('the pattern "title without subject" finds titles of tests and of conformance claims', () => {
    const titles = [
      "test('that is no UUID is refused', () => {})",
      "test.skipIf(process.platform === 'win32')('are checked to the end', () => {})",
      'claim(`of ${name} may write`, async () => {})',
      "test.each([1, 2])('refuses %d turns', () => {})",
    ]
    for (const title of titles)
      expect([title, namesIn('test/x.test.ts', title)]).toEqual([
        title,
        expect.arrayContaining(['title without subject']),
      ])
  })

  test('none of the patterns matches a sentence that is clear', () => {
    const clear = [
      '/** How long a cached history is kept after its last read or write. */',
      '// Start with the newest N messages.',
      "// Drop this conversation's queued commits: without this one they would leave a gap.",
      '/** Per-batch decay of the remembered number of concurrent callers. */',
      '// Checked last, so that a plain GET gets the same error as a handshake.',
      '/** Milliseconds between two pings. */',
      '/** Write-ahead journal: each write is stored here before it is sent. */',
      '// If another `sub` arrives before a `sub` is answered, the first one gets no reply.',
      '// Why does the queue wait? The batch in flight holds its conversation.',
    ]
    for (const text of clear) expect([text, namesIn('src/x.ts', text)]).toEqual([text, []])
    const title = "test('a retry with another body is refused with idempotency-conflict', () => {})"
    expect(namesIn('test/x.test.ts', title)).toEqual([])
  })

  test('every pattern has a name of its own and a hint for the writer', () => {
    expect(new Set(patterns.map(({ name }) => name)).size).toBe(patterns.length)
    for (const { instead } of patterns) expect(instead).toMatch(/\S+ \S+/)
  })
})

describe('the prose of a file', () => {
  test('comments, titles and texts for people are sentences with their lines', () => {
    const source = [
      '/**',
      ' * Queue holds turns. It drops none.',
      ' * @param waitMs Milliseconds to wait.',
      ' * @example',
      ' *     queue.add(turn)',
      ' */',
      "const text = 'The queue is full now.'",
      '// One line,',
      '// and its second.',
    ].join('\n')
    expect(sentencesOf('src/queue.ts', source).map(({ line, text }) => [line, text])).toEqual([
      [1, 'Queue holds turns.'],
      [1, 'It drops none.'],
      [3, 'Milliseconds to wait.'],
      [7, 'The queue is full now.'],
      [8, 'One line, and its second.'],
    ])
  })

  test('every kind of prose is found in the project', () => {
    const count = (kind: Kind) => sentences.filter((one) => one.kind === kind).length
    expect(count('comment')).toBeGreaterThan(3000)
    expect(count('title')).toBeGreaterThan(1000)
    expect(count('text')).toBeGreaterThan(100)
    expect(count('document')).toBeGreaterThan(2000)
    const paths = new Set(sentences.map(({ path }) => path))
    for (const path of ['README.md', 'docs/PROTOCOL.md', 'drizzle/README.md', 'bench/notes.md'])
      expect(paths).toContain(path)
  })

  test('code, links and headings of a document are no prose', () => {
    const document = [
      '# What is here',
      '',
      'A [link](who/what.md) to `so many`.',
      '```',
      'what is told',
      '```',
      '| a cell | another |',
    ].join('\n')
    expect(sentencesOf('docs/x.md', document).map(({ text }) => text)).toEqual([
      'A link to X.',
      'a cell',
      'another',
    ])
  })
})
