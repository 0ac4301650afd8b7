/** Runs imports and exports in this process, and compares exports of two services. */
import { Buffer } from 'node:buffer'
import { exportConversations } from '../../../src/transfer/export/exporter.ts'
import type { Output } from '../../../src/transfer/export/output.ts'
import type { ExportLine } from '../../../src/transfer/formats/export-format.ts'
import { formatNamed } from '../../../src/transfer/formats/formats.ts'
import type { LineContext } from '../../../src/transfer/formats/steps.ts'
import { type ImportSettings, importFiles } from '../../../src/transfer/import/importer.ts'
import { LineIdentities } from '../../../src/transfer/import/line-identities.ts'
import { Tally } from '../../../src/transfer/import/tally.ts'
import type { SourcedJson } from '../../../src/transfer/lines/sourced-json.ts'
import { connect, type ServiceOptions } from '../../../src/transfer/service-client.ts'

export const silent = { update: () => {}, say: () => {}, stop: () => {} }

/** Makes the client of an import or export, with the `fetch` of a test if it passes one. */
export const restAt = (url: string, options: Pick<ServiceOptions, 'fetch'> = {}) =>
  connect({ url, patienceMs: 10_000, ...options })

/** An output in memory. `canCut` decides whether written lines can be removed again. */
export function memoryOutput({ canCut = true } = {}): Output & { text(): string } {
  let text = ''
  return {
    text: () => text,
    async write(line) {
      text += line
    },
    position: () => text.length,
    async cut(position) {
      if (canCut) text = text.slice(0, position)
      return canCut
    },
    finish: async () => {},
  }
}

/** Exports some conversations, or all, and returns the lines. */
export async function exportedFrom(url: string, ids?: readonly string[]): Promise<ExportLine[]> {
  const output = memoryOutput()
  await exportConversations(restAt(url), ids, output, silent)
  return parsed(output.text())
}

export const parsed = (text: string): ExportLine[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

export const printed = (lines: readonly unknown[]): string =>
  lines.map((line) => `${JSON.stringify(line)}\n`).join('')

/** Returns the context of a line as if it were line 3 of `f.jsonl`. */
export function contextOf(
  json: SourcedJson,
  { ids = [], split = (text) => [text] }: { ids?: readonly string[] } & Partial<LineContext> = {},
): LineContext {
  const identities = new LineIdentities()
  identities.enter({ source: 'f.jsonl', isChosen: true, file: 'f.jsonl' })
  return {
    ...identities.of(json, JSON.stringify(json.value), 3, ids),
    externalPrefix: 'f.jsonl',
    numberText: json.numberText,
    split,
  }
}

export type Imported = { readonly tally: Tally; readonly reported: readonly string[] }

/** Imports a text as a file of that name, in chunks that cut through lines and characters. */
export async function importedInto(
  url: string,
  text: string | Uint8Array,
  options: Partial<Omit<ImportSettings, 'format'>> & {
    readonly format?: string
    readonly name?: string
    readonly chunkBytes?: number
  } = {},
): Promise<Imported> {
  const { format, name = 'test.jsonl', chunkBytes = 997, ...settings } = options
  const bytes = Buffer.from(text)
  const reported: string[] = []
  const tally = new Tally((line) => reported.push(line))
  const file = {
    name,
    source: name,
    bytes: bytes.byteLength,
    async *open() {
      for (let at = 0; at < bytes.byteLength; at += chunkBytes)
        yield bytes.subarray(at, at + chunkBytes)
    },
  }
  await importFiles(
    [file],
    {
      split: (one) => [one],
      concurrency: 8,
      lineBytesMax: 1024 * 1024,
      allowGaps: false,
      ...settings,
      format: format === undefined ? undefined : formatNamed(format),
    },
    { rest: restAt(url), tally, progress: silent },
  )
  return { tally, reported }
}

/**
 * Returns an export without the values that differ in each service: the version at its end and the
 * times of segments. The segments are sorted, because segments of one moment have no order.
 */
export function comparable(
  lines: readonly ExportLine[],
  { withTimes = true }: { readonly withTimes?: boolean } = {},
): Map<string, unknown[]> {
  const conversations = new Map<string, { type: string; key: string; line: object }[]>()
  for (const line of lines) {
    const id = line.type === 'conversation' ? line.id : line.conversationId
    const list = conversations.get(id) ?? []
    conversations.set(id, list)
    list.push(comparableLine(line, withTimes))
  }
  return new Map(
    [...conversations].map(([id, list]) => {
      const others = list.filter(({ type }) => type !== 'segment' && type !== 'segmentAudio')
      const segments = list.filter((one) => !others.includes(one))
      segments.sort((a, b) => (a.key < b.key ? -1 : 1))
      return [id, [...others, ...segments].map(({ line }) => line)] as const
    }),
  )
}

function comparableLine(line: ExportLine, withTimes: boolean) {
  const { type } = line
  switch (type) {
    case 'conversation': {
      const { createdAt, ...rest } = line
      return { type, key: '', line: withTimes ? { ...rest, createdAt } : rest }
    }
    case 'segment': {
      const { createdAt: _, updatedAt: __, ...rest } = line
      return { type, key: `a ${line.id}`, line: rest }
    }
    case 'segmentAudio':
      return { type, key: `b ${line.segmentId}`, line }
    case 'turn': {
      const messages = line.messages.map(({ createdAt, ...rest }) =>
        withTimes ? { ...rest, createdAt } : rest,
      )
      return { type, key: '', line: { ...line, messages } }
    }
    case 'end': {
      const { version: _, ...rest } = line
      return { type, key: '', line: rest }
    }
    default:
      return { type, key: '', line }
  }
}
