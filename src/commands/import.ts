/** The command `turnlog import` imports files of JSON Lines into a running service. */
import { createReadStream, realpathSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { parseArgs } from 'node:util'
import { mayColor } from '../config.ts'
import { Problem } from '../problem.ts'
import { run, serviceOptions, waitNotice, wholeNumber } from '../transfer/command-line.ts'
import { formatNamed, formatNames } from '../transfer/formats/formats.ts'
import { sentences } from '../transfer/formats/sentences.ts'
import type { ImportFile } from '../transfer/import/block-reader.ts'
import { importFiles } from '../transfer/import/importer.ts'
import { Tally } from '../transfer/import/tally.ts'
import { Misuse } from '../transfer/misuse.ts'
import { createProgress } from '../transfer/progress.ts'
import { connect, refusalOf } from '../transfer/service-client.ts'
import { commandHelps, helpOf } from './command-help.ts'
import { chosenService } from './local-service.ts'

const usage = helpOf(commandHelps.import)

/**
 * Resolves with the exit code: 0, 1 if something was not imported, or 2 for a wrong command line.
 */
export const importCommand = (argv: readonly string[]): Promise<number> =>
  run(usage, async () => {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        ...serviceOptions,
        format: { type: 'string' },
        split: { type: 'string' },
        source: { type: 'string' },
        concurrency: { type: 'string', default: '8' },
        'line-bytes': { type: 'string', default: '16777216' },
        'allow-gaps': { type: 'boolean', default: false },
        'replace-invalid': { type: 'boolean', default: false },
        large: { type: 'string', default: 'refuse' },
      },
    })
    if (values.help) {
      process.stdout.write(helpOf(commandHelps.import, mayColor(process.stdout)))
      return 0
    }
    if (positionals.length === 0) throw new Misuse('Name at least one file.')
    if (values.split !== undefined && values.split !== 'sentences')
      throw new Misuse(`--split must be sentences, not ${values.split}`)
    const format = values.format === undefined ? undefined : formatNamed(values.format)
    if (values.format !== undefined && format === undefined)
      throw new Misuse(`--format must be one of ${formatNames.join(', ')}, not ${values.format}`)
    const settings = {
      format,
      split: values.split === undefined ? (text: string) => [text] : sentences,
      concurrency: wholeNumber('concurrency', values.concurrency, 1, 256),
      lineBytesMax: wholeNumber('line-bytes', values['line-bytes'], 1024, 2 ** 29),
      allowGaps: values['allow-gaps'],
      replacesInvalid: values['replace-invalid'],
      omitsLarge: values.large === 'omit',
    }
    if (!['refuse', 'omit'].includes(values.large))
      throw new Misuse(`--large must be refuse or omit, not ${values.large}`)
    if (values.source === '') throw new Misuse('--source must not be empty')
    const files = positionals.map((path) => fileAt(path, values.source))
    refuseRepeatedFile(files, positionals)
    const patienceMs = wholeNumber('patience', values.patience, 0, 86_400) * 1000
    const url = chosenService(values.url)
    const progress = createProgress(process.stderr)
    await using rest = connect({
      url,
      patienceMs,
      onRetry: waitNotice(progress.say),
    })
    const tally = new Tally(progress.say)
    try {
      // This request reports a wrong URL before a line is read.
      await rest.listConversations({ limit: 1 })
      await importFiles(files, settings, { rest, tally, progress })
    } catch (error) {
      const isAway = error instanceof Problem && refusalOf(error) === undefined
      if (isAway && tally.total('lines') > 0)
        progress.say(
          'The service cannot be reached any more. Run the same command again to continue this import.',
        )
      progress.stop()
      const wasBegun = error instanceof Misuse ? hasConversations(tally) : tally.total('lines') > 0
      if (wasBegun) process.stdout.write(tally.summary())
      throw error
    }
    progress.stop()
    process.stdout.write(tally.summary())
    return tally.isClean() ? 0 : 1
  })

const hasConversations = (tally: Tally) =>
  tally.total('conversations new') + tally.total('conversations found') > 0

/**
 * Checks a file. Its source is `--source`, or its real path: then files of one name in two folders
 * never share a conversation.
 */
function fileAt(path: string, source: string | undefined): ImportFile {
  if (path === '-')
    return {
      name: 'standard input',
      source,
      bytes: undefined,
      open: () => process.stdin,
    }
  try {
    const found = statSync(path)
    if (found.isDirectory()) throw new Misuse(`${path} is a directory`)
    // The path of a pipe is no source, because it names another pipe later.
    const realPath = found.isFile() ? realpathSync(path) : undefined
    return {
      name: path,
      source: source ?? realPath,
      ...(source === undefined ? { externalPrefix: basename(realPath ?? path) } : {}),
      bytes: found.isFile() ? found.size : undefined,
      open: () => createReadStream(path),
    }
  } catch (error) {
    if (error instanceof Error && 'code' in error)
      throw new Misuse(`${path} cannot be read (${String(error.code)})`)
    throw error
  }
}

/** Refuses a file that is named twice: it would be imported as two files with equal lines. */
function refuseRepeatedFile(files: readonly ImportFile[], paths: readonly string[]): void {
  const names = files.map(({ bytes, name }) => (bytes === undefined ? name : realpathSync(name)))
  const twice = paths.find((_, index) => names.indexOf(names[index] ?? '') !== index)
  if (twice !== undefined) throw new Misuse(`${twice} is named twice`)
}
