/** The options of the voice agent, its help, and the check that a service answers. */
import { createClient } from 'turnlog/client'

export const agentHelp = `Usage: bun examples/voice-agent/agent.ts [options]

Plays dialogues as a voice agent would: over a line that is cut, with interruptions.

  --service <url>      the Turnlog service; default: http://localhost:3000
  --dialogues <file>   JSON Lines of dialogues; default: three of our own
  --count <n>          number of dialogues to play; default: 50
  --seed <n>           repeats the random numbers of a run; default: a new seed
  --cuts <percent>     chance of a cut at each of five moments of a turn; default: 5
  --journal <file>     file where writes wait for the service; default: ./voice-agent.journal
  --fast               no pause between words
  --silent             no audio
  --help               print this help

Exit codes: 0 if every dialogue was recorded word for word, 1 if not or if no service
answers, 2 for a wrong option.
`

export const watchHelp = `Usage: bun examples/voice-agent/watch.ts [--service <url>]

Shows every call of the voice agent as it happens. Ctrl-C ends it.

  --service <url>   the Turnlog service; default: http://localhost:3000
  --help            print this help

Exit codes: 1 if no service answers, 2 for a wrong option.
`

/** Reads the options by `read`. Ends the process for --help, and with 2 for a wrong option. */
export function optionsOrHelp<Values extends { readonly help?: boolean }>(
  help: string,
  read: () => Values,
): Values {
  try {
    const values = read()
    if (values.help !== true) return values
    process.stdout.write(help)
    process.exit(0)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${help}`)
    process.exit(2)
  }
}

/** Ends the process with 1 and one sentence if no Turnlog service answers at the URL. */
export async function requireService(url: string): Promise<void> {
  try {
    await using turnlog = createClient({ url, retryForMs: 0 })
    await turnlog.listConversations({ limit: 1 })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    process.stderr.write(
      `No Turnlog service answers at ${url}: ${reason}\nStart one with \`npm start\` in the project's folder, or name another with --service <url>.\n`,
    )
    process.exit(1)
  }
}
