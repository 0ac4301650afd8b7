/**
 * Checks whether a Redis answers, its version and its latency. It speaks the few commands of RESP
 * that this needs, over a plain or a TLS socket, so that the check depends on no client library.
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

export type RedisFacts = { readonly version: string; readonly latencyMs: number }

/**
 * A failed check. The message is one line without a secret. `advice` lacks the end of its
 * sentence, "in <setting>."
 */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure'
  readonly advice: string

  constructor(message: string, advice: string) {
    super(message)
    this.advice = advice
  }
}

const samples = 5

/**
 * Checks the Redis at a URL. Settles within `deadlineMs` milliseconds. Rejects with a
 * `RedisFailure`.
 */
export async function askRedis(url: string, deadlineMs: number): Promise<RedisFacts> {
  if (!URL.canParse(url)) throw new RedisFailure('is not a URL', 'Write it as redis://host:6379/0')
  const { username, password, pathname } = new URL(url)
  if (/%(?![0-9a-f]{2})/i.test(username + password))
    throw new RedisFailure(
      'has a % that encodes nothing',
      'Write %25 for a % of its user or password',
    )
  const session = await openSession(url, deadlineMs)
  try {
    if (password !== '') {
      const names = username === '' ? [] : [decodeURIComponent(username)]
      await session.ask('AUTH', ...names, decodeURIComponent(password))
    }
    if (pathname.length > 1) await session.ask('SELECT', pathname.slice(1))
    const trips: number[] = []
    for (let sample = 0; sample < samples; sample += 1) {
      const started = performance.now()
      await session.ask('PING')
      trips.push(performance.now() - started)
    }
    // A user without the right to INFO gets no version. That is not a problem.
    const info = await session.ask('INFO', 'server').catch(() => '')
    const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? '(unknown)'
    trips.sort((a, b) => a - b)
    return { version, latencyMs: trips[Math.floor(samples / 2)] ?? Number.NaN }
  } finally {
    session.close()
  }
}

async function openSession(url: string, deadlineMs: number) {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  const at = { host, port: port === '' ? 6379 : Number(port) }
  const tls = protocol === 'rediss:'
  const socket: Socket = tls ? connectTls({ ...at, servername: host }) : connectPlain(at)
  const lost = Promise.withResolvers<never>()
  // A caller that waits gets the rejection. Without a caller, this handler keeps it from ending the
  // process.
  lost.promise.catch(() => {})
  let text = Buffer.alloc(0)
  let onData = () => {}
  socket.on('error', (error) => lost.reject(connectFailure(error)))
  socket.on('close', () =>
    lost.reject(new RedisFailure('closed the connection', 'Check the server')),
  )
  socket.on('data', (chunk) => {
    text = Buffer.concat([text, Buffer.from(chunk)])
    onData()
  })
  const timer = setTimeout(
    () =>
      lost.reject(
        new RedisFailure(
          'does not answer',
          tls
            ? 'If it does not speak TLS, write redis://'
            : 'Check the server and the firewalls before it, or correct host and port',
        ),
      ),
    deadlineMs,
  )
  const close = () => {
    clearTimeout(timer)
    socket.destroy()
  }

  const reply = async (): Promise<string> => {
    for (;;) {
      const found = takeReply(text)
      if (found !== undefined) {
        text = text.subarray(found.length)
        return found.reply
      }
      const nextChunk = new Promise<void>((resolve) => {
        onData = resolve
      })
      await Promise.race([nextChunk, lost.promise])
    }
  }
  const connected = new Promise<void>((resolve) => {
    socket.once(tls ? 'secureConnect' : 'connect', () => resolve())
  })
  try {
    await Promise.race([connected, lost.promise])
  } catch (thrown) {
    close()
    throw thrown
  }
  return {
    close,
    async ask(...words: string[]): Promise<string> {
      const sent = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`)
      socket.write(`*${words.length}\r\n${sent.join('')}`)
      return await reply()
    },
  }
}

/**
 * Returns the first reply in the text, or undefined until it is complete: a line, or a text of
 * known length.
 */
function takeReply(text: Buffer): { reply: string; length: number } | undefined {
  const kind = text.toString('latin1', 0, 1)
  if (kind !== '' && !'+-:$'.includes(kind))
    throw new RedisFailure('does not speak Redis', 'Correct host and port')
  const end = text.indexOf('\r\n')
  if (end === -1) return undefined
  const line = text.toString('utf8', 1, end)
  if (kind === '-') throw refusal(line)
  if (kind !== '$') return { reply: line, length: end + 2 }
  const length = end + 2 + Number(line) + 2
  if (text.length < length) return undefined
  return { reply: text.toString('utf8', end + 2, length - 2), length }
}

/**
 * Makes the failure from the first word of an error. The other words may repeat the command, with
 * its password.
 */
function refusal(line: string): RedisFailure {
  const [code = ''] = line.split(' ')
  const auth = ['NOAUTH', 'WRONGPASS', 'NOPERM'].includes(code) || /password/i.test(line)
  return new RedisFailure(
    `answers ${code}`,
    auth ? 'Correct the user or the password' : 'Correct the number of the database',
  )
}

function connectFailure(error: Error): RedisFailure {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.message
  return new RedisFailure(`cannot be reached: ${code}`, connectAdvice(code))
}

function connectAdvice(code: string): string {
  if (/CERT|SIGNATURE|SELF_SIGNED/.test(code))
    return 'Make this machine trust its certificate (NODE_EXTRA_CA_CERTS), or correct the host'
  if (code === 'ECONNRESET') return 'If it requires TLS, write rediss://'
  return 'Start the server, or correct host and port'
}
