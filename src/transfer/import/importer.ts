/** Imports files of JSON Lines into a running service, in constant memory. */
import type { Rest } from '../../client/client.ts'
import { isMessage } from '../formats/formats.ts'
import { LineProblem } from '../formats/steps.ts'
import { readDocuments } from '../lines/documents.ts'
import type { Line } from '../lines/lines.ts'
import type { Progress, ProgressState } from '../progress.ts'
import { BlockReader, type BlockSettings, type ImportFile } from './block-reader.ts'
import { ConcurrentImports } from './concurrent-imports.ts'
import { ConversationImport } from './conversation-import.ts'
import { LineIdentities } from './line-identities.ts'
import type { SourceLine, Tally } from './tally.ts'

export type ImportSettings = BlockSettings & {
  /** Number of conversations imported at once. */
  readonly concurrency: number
  /** Longest allowed line, in bytes. */
  readonly lineBytesMax: number
  /** Whether turns after a missing turn of an export are recorded. */
  readonly allowGaps: boolean
}

type Tools = { readonly rest: Rest; readonly tally: Tally; readonly progress: Progress }

/**
 * Imports files one after the other. Refused lines and turns are reported to `tally`. A problem
 * that ends the import, such as a service that cannot be reached, is thrown.
 */
export async function importFiles(
  files: readonly ImportFile[],
  settings: ImportSettings,
  { rest, tally, progress }: Tools,
): Promise<void> {
  const { allowGaps, concurrency, lineBytesMax } = settings
  const imports = new ConcurrentImports(
    { conversations: concurrency, waitingBytesMax: 2 * lineBytesMax },
    ({ conversationId: id, continues: needsEnd }) =>
      new ConversationImport({ id, needsEnd, rest, tally, allowGaps }),
  )
  const bytes = files.reduce((sum, file) => sum + (file.bytes ?? Number.NaN), 0)
  const identities = new LineIdentities()
  let bytesRead = 0
  for (const file of files) {
    const reader = new BlockReader(file, settings, { identities, tally })
    for await (const line of readDocuments(file.open(), { bytesMax: lineBytesMax, isMessage })) {
      tally.count('lines')
      bytesRead += line.bytes + 1
      const share = Number.isNaN(bytes) ? undefined : bytesRead / bytes
      progress.update({ share, ...progressOf(tally) })
      const sourceLine: SourceLine = { file: file.name, line: line.number }
      try {
        await pushLine(line, sourceLine, { reader, imports, tally })
      } catch (error) {
        if (!(error instanceof LineProblem)) throw error
        tally.reportFailure(sourceLine, error.message)
      }
    }
  }
  await imports.finish()
}

async function pushLine(
  line: Line,
  sourceLine: SourceLine,
  {
    reader,
    imports,
    tally,
  }: { readonly reader: BlockReader; readonly imports: ConcurrentImports; readonly tally: Tally },
): Promise<void> {
  const block = reader.blockOf(line)
  if (block.leftOut !== undefined) tally.countLeftOut(block.leftOut)
  if (block.unusedTimes !== undefined) tally.countUnusedTimes(sourceLine, block.unusedTimes)
  if (!block.begins && imports.current() !== block.conversationId)
    throw new LineProblem(
      `belongs to conversation ${block.conversationId}, but does not follow its \`conversation\` line`,
    )
  await imports.push(block, sourceLine, line.bytes)
}

function progressOf(tally: Tally): Omit<ProgressState, 'share'> {
  const conversations = tally.total('conversations new', 'conversations found').toLocaleString('en')
  const done = tally.total('turns new', 'turns replayed')
  const text = `${conversations} conversations, ${done.toLocaleString('en')} turns`
  return { text, done, what: 'turns' }
}
