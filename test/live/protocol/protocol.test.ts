/** The protocol as it is written down: the document of its frames, its page, and that neither drifts. */
import { describe, expect, test } from 'bun:test'
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Parser } from '@asyncapi/parser'
import canonicalize from 'canonicalize'
import type { TSchema } from 'typebox'
import { closings } from '../../../src/live/protocol/close-codes.ts'
import { protocolName } from '../../../src/live/protocol/frame-fields.ts'
import { clientFrames } from '../../../src/live/protocol/protocol.ts'
import { serverFrames } from '../../../src/live/protocol/server-frames.ts'
import { testApp } from '../../support/servers/app.ts'

const path = join(import.meta.dir, '../../../docs/PROTOCOL.md')
const page = readFileSync(path, 'utf8')
const updates = process.env['UPDATE_DOCS'] === '1'

const begin =
  '<!-- frames: written by `UPDATE_DOCS=1 bun test test/live/protocol/protocol.test.ts` -->\n'
const end = '<!-- frames: end -->\n'

describe('the AsyncAPI document', () => {
  test('is valid by the judgement of its own parser', async () => {
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
  }, 20_000)
})

describe('docs/PROTOCOL.md', () => {
  test('has every frame as its schema tells of it', () => {
    const [before = '', rest = ''] = page.split(begin)
    const [kept, after = ''] = rest.split(end)
    expect(page).toContain(end)
    const generated = `\n${told('Client to server', clientFrames)}\n${told('Server to client', serverFrames)}\n`
    if (updates) writeFileSync(path, [before, begin, generated, end, after].join(''))
    else expect(kept).toBe(generated)
  })

  test('has every close code', () => {
    for (const [reason, { code }] of Object.entries(closings))
      expect(page).toContain(`| ${code} | \`${reason}\` |`)
  })

  test('names the wire by its hash: a change of it is a line of its history', () => {
    const wire = canonicalize({ protocolName, clientFrames, serverFrames }) ?? ''
    // Words may change; what travels may not, unnoticed.
    const bare = wire.replaceAll(/"description":"(?:[^"\\]|\\.)*",?/g, '')
    const hash = createHash('sha256').update(bare).digest('hex').slice(0, 16)
    const newest = page
      .split('## History')[1]
      ?.match(/`[0-9a-f]{16}`/g)
      ?.at(-1)
    expect(newest).toBe(`\`${hash}\``)
  })
})

function told(title: string, frames: Readonly<Record<string, TSchema>>): string {
  const lines = Object.entries(frames).flatMap(([t, schema]) => {
    const { description, properties, required } = schema as unknown as {
      description: string
      properties: Record<string, { description?: string }>
      required: string[]
    }
    const rows = Object.entries(properties)
      .filter(([name]) => name !== 't')
      .map(([name, field]) => {
        const optional = required.includes(name) ? '' : ', optional'
        const about = field.description === undefined ? '' : `: ${field.description}`
        return `- \`${name}\` (${typeOf(field)}${optional})${about}`
      })
    return [`#### ${t}`, '', description, '', ...rows, ...(rows.length > 0 ? [''] : [])]
  })
  return `### ${title}\n\n${lines.join('\n')}`
}

function typeOf(field: Record<string, unknown>): string {
  const { type, anyOf, enum: values } = field
  if (typeof field['const'] === 'string') return `"${field['const']}"`
  if (field['const'] === true) return 'true'
  if (Array.isArray(anyOf)) return anyOf.map((one) => typeOf(one)).join(' or ')
  if (Array.isArray(values)) return values.join(' or ')
  if (type === 'array') return 'list'
  return type === 'string' && field['format'] === 'uuid' ? 'UUID' : String(type)
}
