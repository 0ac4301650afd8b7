/** The command `turnlog export` exports conversations of a running service as JSON Lines. */
import { parseArgs } from 'node:util'
import { mayColor } from '../config.ts'
import {
  conversationIds,
  run,
  serviceOptions,
  waitNotice,
  wholeNumber,
} from '../transfer/command-line.ts'
import { counted, exportConversations } from '../transfer/export/exporter.ts'
import { fileOutput, ReaderGone, streamOutput } from '../transfer/export/output.ts'
import { Misuse } from '../transfer/misuse.ts'
import { createProgress } from '../transfer/progress.ts'
import { connect } from '../transfer/service-client.ts'
import { commandHelps, helpOf } from './command-help.ts'
import { chosenService } from './local-service.ts'

const usage = helpOf(commandHelps.export)

/** Resolves with the exit code: 0, 1 if a named conversation is not in the export, or 2. */
export const exportCommand = (argv: readonly string[]): Promise<number> =>
  run(usage, async () => {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        ...serviceOptions,
        all: { type: 'boolean', default: false },
        output: { type: 'string' },
      },
    })
    if (values.help) {
      process.stdout.write(helpOf(commandHelps.export, mayColor(process.stdout)))
      return 0
    }
    const ids = conversationIds(positionals)
    if (values.all === ids.length > 0) throw new Misuse('Name conversation ids, or use --all.')
    const patienceMs = wholeNumber('patience', values.patience, 0, 86_400) * 1000
    const path = values.output === '-' ? undefined : values.output
    const toTerminal = path === undefined && process.stdout.isTTY
    const url = chosenService(values.url)
    const progress = createProgress(process.stderr, { silent: toTerminal })
    await using rest = connect({
      url,
      patienceMs,
      onRetry: waitNotice(progress.say),
    })
    const output = path === undefined ? streamOutput(process.stdout) : await fileOutput(path)
    try {
      const done = await exportConversations(rest, values.all ? undefined : ids, output, progress)
      await output.finish()
      progress.stop()
      const { conversations, messages, erased, withdrawn, missing } = done
      for (const [id, reason] of missing) process.stderr.write(`${id}: ${reason}\n`)
      for (const id of erased)
        process.stderr.write(
          `${id}: was erased during the export${withdrawn.includes(id) ? ', after some of its lines were written; an `erased` line follows them' : ''}\n`,
        )
      process.stderr.write(
        `Exported ${counted(conversations, 'conversation')} with ${counted(messages, 'message')}.\n`,
      )
      const isWhole = missing.length + withdrawn.length === 0 && (values.all || erased.length === 0)
      return isWhole ? 0 : 1
    } catch (error) {
      if (error instanceof ReaderGone) return 1
      throw error
    } finally {
      progress.stop()
    }
  })
