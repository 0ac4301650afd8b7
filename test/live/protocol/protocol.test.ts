/**
 * The written protocol: the AsyncAPI document, docs/PROTOCOL.md, and the examples that both show.
 */
import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Parser } from '@asyncapi/parser'
import canonicalize from 'canonicalize'
import type { TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { clientExamples } from '../../../src/live/protocol/client-examples.ts'
import { closings } from '../../../src/live/protocol/close-codes.ts'
import { protocolName } from '../../../src/live/protocol/frame-fields.ts'
import { clientFrames } from '../../../src/live/protocol/protocol.ts'
import { serverExamples } from '../../../src/live/protocol/server-examples.ts'
import { serverFrames } from '../../../src/live/protocol/server-frames.ts'
import { commonSection, framesSection } from '../../support/live/frames-section.ts'
import { testApp } from '../../support/servers/app.ts'

const path = join(import.meta.dir, '../../../docs/PROTOCOL.md')
const page = readFileSync(path, 'utf8')
const updates = process.env['UPDATE_DOCS'] === '1'

const begin =
  '<!-- frames: written by `UPDATE_DOCS=1 bun test test/live/protocol/protocol.test.ts` -->\n'
const end = '<!-- frames: end -->\n'

describe('the AsyncAPI document', () => {
  test('the AsyncAPI document is valid by its own parser and has one message for each frame', async () => {
    await using app = await testApp()
    const { status, text } = await app.ask('GET', '/asyncapi.json')
    expect(status).toBe(200)
    const { document, diagnostics } = await new Parser().parse(text)
    expect(diagnostics.filter(({ severity }) => severity === 0)).toEqual([])
    const operations = document?.operations().all() ?? []
    expect(operations.map((one) => [one.id(), one.messages().all().length])).toEqual([
      ['receive', Object.keys(clientFrames).length],
      ['send', Object.keys(serverFrames).length],
    ])
    const messages = document?.components().messages().all() ?? []
    expect(messages.map((one) => one.examples().all()[0]?.payload())).toEqual([
      ...Object.values(clientExamples),
      ...Object.values(serverExamples),
    ])
  }, 120_000)
})

describe('the examples of the frames', () => {
  const sides: Readonly<Record<string, readonly [Record<string, TSchema>, object]>> = {
    client: [clientFrames, clientExamples],
    server: [serverFrames, serverExamples],
  }
  for (const [side, [frames, examples]] of Object.entries(sides))
    test(`each ${side} frame has an example that fits its schema`, () => {
      const byType = new Map(Object.entries(examples))
      expect([...byType.keys()]).toEqual(Object.keys(frames))
      for (const [t, schema] of Object.entries(frames)) {
        const frame: unknown = byType.get(t)
        expect([t, Compile(schema).Errors(frame)]).toEqual([t, []])
        expect(frame).toMatchObject({ t })
      }
    })
})

describe('docs/PROTOCOL.md', () => {
  test('PROTOCOL.md has the example and the fields of every frame', () => {
    const [before = '', rest = ''] = page.split(begin)
    const [written, after = ''] = rest.split(end)
    expect(page).toContain(end)
    const generated = [
      commonSection(serverFrames.recorded),
      framesSection('Client to server', clientFrames, clientExamples),
      framesSection('Server to client', serverFrames, serverExamples),
    ].join('')
    if (updates) writeFileSync(path, [before, begin, generated, end, after].join(''))
    else expect(written).toBe(generated)
  })

  test('each rule has a number and a link of its own, and a MUST, SHOULD or MAY', () => {
    const rules = page.split('\n').filter((line) => line.startsWith('- <a id="r'))
    const numbers = rules.map((rule) => Number(/^- <a id="r(\d+)"/.exec(rule)?.[1]))
    expect(numbers.toSorted((a, b) => a - b)).toEqual(rules.map((_, index) => index + 1))
    for (const [index, rule] of rules.entries()) {
      const number = numbers[index]
      expect(rule).toStartWith(`- <a id="r${number}"></a>**R${number}** `)
      expect(rule).toMatch(/\b(MUST|SHOULD|MAY)\b/)
    }
  })

  test('PROTOCOL.md has every close code', () => {
    for (const [reason, { code }] of Object.entries(closings))
      expect(page).toContain(`| ${code} | \`${reason}\` |`)
  })

  test('the newest hash in the history of the page is the hash of the schemas', () => {
    const wire = canonicalize({ protocolName, clientFrames, serverFrames }) ?? ''
    // Descriptions may change freely. A change of the frames needs a line in the history.
    const bare = wire.replaceAll(/"description":"(?:[^"\\]|\\.)*",?/g, '')
    const hash = createHash('sha256').update(bare).digest('hex').slice(0, 16)
    const newest = page
      .split('## History')[1]
      ?.match(/`[0-9a-f]{16}`/g)
      ?.at(-1)
    expect(newest).toBe(`\`${hash}\``)
  })
})
