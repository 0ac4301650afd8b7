/** A child process that answers each line of its input with a line of JSON. */

export type LineProcess = AsyncDisposable & {
  readonly pid: number
  /** The next line of its output, parsed as JSON. */
  answer<Answer>(): Promise<Answer>
  /** Writes a line and returns the answer to it. */
  ask<Answer>(line: string): Promise<Answer>
  /** Closes its input and waits until it has ended by itself. */
  end(): Promise<void>
}

export function startLineProcess(words: readonly string[], cwd?: string): LineProcess {
  const child = Bun.spawn([process.execPath, ...words], {
    ...(cwd === undefined ? {} : { cwd }),
    env: { PATH: process.env['PATH'] ?? '' },
    stdin: 'pipe',
    stdout: 'pipe',
    stderr: 'inherit',
  })
  const lines = linesOf(child.stdout)
  const answer = async <Answer>() => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error(`${words[0]} ended with ${await child.exited}`)
    return JSON.parse(value) as Answer
  }
  return {
    pid: child.pid,
    answer,
    async ask<Answer>(line: string) {
      await child.stdin.write(`${line}\n`)
      await child.stdin.flush()
      return await answer<Answer>()
    },
    async end() {
      await child.stdin.end()
      await child.exited
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await child.exited
    },
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
}
