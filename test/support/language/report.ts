/** Prints the sentences that match a pattern: `bun run words [folder or file ...]`. */
import { join } from 'node:path'
import { findingsIn, patterns } from './patterns.ts'
import { readSentences } from './prose.ts'

const folders = process.argv.slice(2)
const sentences = readSentences(
  join(import.meta.dir, '../../..'),
  folders.length > 0 ? folders : [''],
)
const findings = findingsIn(sentences)
const lines = findings.map(
  ({ path, line, pattern, text }) => `${path}:${line}: ${pattern}: ${text}`,
)
const counts = patterns.map(
  ({ name, instead }) =>
    `${findings.filter(({ pattern }) => pattern === name).length} ${name}. ${instead}`,
)
process.stdout.write(`${[...lines, '', ...counts, `${findings.length} findings`].join('\n')}\n`)
