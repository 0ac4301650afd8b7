/** The second terminal: it shows every call of the voice agent as it happens. See README.md. */
import { parseArgs } from 'node:util'
import { createClient, type Message, type TurnlogClient } from 'turnlog/client'
import { optionsOrHelp, requireService, watchHelp } from './options.ts'

const values = optionsOrHelp(
  watchHelp,
  () =>
    parseArgs({
      options: {
        service: { type: 'string', default: 'http://localhost:3000' },
        help: { type: 'boolean', default: false },
      },
    }).values,
)
await requireService(values.service)
await using turnlog = createClient({ url: values.service })
const followed = new Set<string>()
const since = new Date().toISOString()

const audioOf = ({ ttsAudioUrls }: Message) => {
  const count = ttsAudioUrls?.filter((url) => url !== null).length ?? 0
  return count === 0 ? '' : ` [audio of ${count}]`
}

function show(title: string, message: Message): void {
  const { seq, role, state, content, heard } = message
  const label = `${title} ${seq}`.padEnd(14)
  if (state !== 'filled') console.log(`${label}${role}: (${state})`)
  else if (heard === null) console.log(`${label}${role}: ${content}${audioOf(message)}`)
  else
    console.log(`${label}${role}: cut off after ${heard.characters} characters${audioOf(message)}`)
}

async function follow(client: TurnlogClient, id: string, title: string): Promise<void> {
  for await (const event of client.live(id, { tail: 20 })) {
    if (event.type === 'partial' && event.text !== '')
      console.log(`${title.padEnd(14)}${event.role}: ${event.text} …`)
    if (event.type !== 'change') continue
    for (const message of event.messages) show(title, message)
    for (const { endedAt } of event.voiceSessions ?? [])
      if (endedAt !== null) return console.log(`${title.padEnd(14)}the call has ended`)
  }
}

for (;;) {
  const { conversations } = await turnlog.listConversations({ limit: 20 })
  for (const { id, title, metadata, createdAt } of conversations.toReversed()) {
    if (followed.has(id) || createdAt < since || metadata?.['example'] !== 'voice-agent') continue
    followed.add(id)
    void follow(turnlog, id, title ?? id).catch((error) => console.error(String(error)))
  }
  await Bun.sleep(200)
}
