/** Speech (TTS) for the answers: espeak-ng makes one file per part, and a server of this process serves the files. */
import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export type Speech = AsyncDisposable & {
  /** Speaks a text, and returns the URL of its audio. */
  say(text: string): Promise<string>
}

/** Starts the server. Returns undefined if espeak-ng is not installed. */
export function openSpeech(): Speech | undefined {
  const program = Bun.which('espeak-ng')
  if (program === null) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'voice-agent-'))
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch({ url }) {
      const file = Bun.file(join(folder, new URL(url).pathname.replace(/[^0-9a-f.wav]/g, '')))
      return (await file.exists())
        ? new Response(file)
        : new Response('no such file', { status: 404 })
    },
  })
  return {
    async say(text) {
      const name = `${createHash('sha256').update(text).digest('hex').slice(0, 24)}.wav`
      const file = join(folder, name)
      if (!(await Bun.file(file).exists())) {
        const voice = /\p{Script=Han}/u.test(text) ? 'cmn' : 'en'
        // After the dashes, a text that begins with a dash is not taken for an option.
        const child = Bun.spawn([program, '-v', voice, '-w', file, '--', text], {
          stdout: 'ignore',
          stderr: 'ignore',
        })
        if ((await child.exited) !== 0) throw new Error(`espeak-ng failed on: ${text}`)
      }
      return `${server.url}${name}`
    },
    async [Symbol.asyncDispose]() {
      await server.stop(true)
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
