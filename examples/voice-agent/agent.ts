/** A voice agent that plays dialogues over the socket, is interrupted, and loses its connection. See README.md. */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createClient } from 'turnlog/client'
import { openFileJournal } from 'turnlog/client/file-journal'
import { playExchange } from './call.ts'
import { createChance } from './chance.ts'
import { check } from './check.ts'
import { readDialogues } from './dialogues.ts'
import { openLine } from './line.ts'
import { agentHelp, optionsOrHelp, requireService } from './options.ts'
import { openSpeech } from './speech.ts'

const values = optionsOrHelp(
  agentHelp,
  () =>
    parseArgs({
      options: {
        service: { type: 'string', default: 'http://localhost:3000' },
        dialogues: { type: 'string', default: join(import.meta.dir, 'dialogues.jsonl') },
        count: { type: 'string', default: '50' },
        seed: { type: 'string', default: String(Date.now() % 1_000_000) },
        cuts: { type: 'string', default: '5' },
        journal: { type: 'string', default: './voice-agent.journal' },
        fast: { type: 'boolean', default: false },
        silent: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values,
)
await requireService(values.service)
const seed = Number(values.seed)
const dialogues = readDialogues(values.dialogues, Number(values.count))
const chance = createChance(seed)
const tally = {
  turns: 0,
  answersFirst: 0,
  interruptions: 0,
  unheard: 0,
  audioEarly: 0,
  audioLate: 0,
}
let [cuts, recovered] = [0, 0]

await using line = await openLine(values.service)
await using speech = values.silent ? undefined : openSpeech()
if (speech === undefined && !values.silent)
  console.log('espeak-ng is not installed: the answers have no audio')
// The agent's client uses the line that can be cut. The second client goes directly to the service.
await using turnlog = createClient({
  url: line.url,
  journal: await openFileJournal(values.journal),
  backoff: { firstMs: 20, maxMs: 500 },
  onRecovered: () => {
    recovered += 1
  },
})
await using direct = createClient({ url: values.service })

console.log(`seed ${seed}: ${dialogues.length} dialogues`)
for (const { id: dialogue, exchanges } of dialogues) {
  const { id } = await direct.createConversation({
    title: dialogue,
    metadata: { example: 'voice-agent' },
  })
  await using voice = turnlog.voice(id, { metadata: { dialogue } })
  for (const exchange of exchanges)
    await playExchange(exchange, {
      voice,
      chance,
      speech,
      wordMs: values.fast ? 0 : 60,
      tally,
      moment() {
        if (!chance.percent(Number(values.cuts))) return
        cuts += 1
        line.cut()
      },
    })
  const problems = await check(direct, id, exchanges, speech)
  console.log(`${id} ${dialogue}: ${problems.length === 0 ? 'word for word' : problems.join('; ')}`)
  if (problems.length > 0) process.exitCode = 1
}
await turnlog.settled()

for (const [label, count] of Object.entries({
  turns: tally.turns,
  'answers before their transcript': tally.answersFirst,
  interruptions: tally.interruptions,
  'of them not heard at all': tally.unheard,
  'parts with audio before their turn': tally.audioEarly,
  'parts with audio after it': tally.audioLate,
  'cuts of the line': cuts,
  'writes left by an earlier run': recovered,
}))
  console.log(`${label.padEnd(36)}${String(count).padStart(7)}`)
