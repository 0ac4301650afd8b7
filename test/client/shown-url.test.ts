/** The printed URL of a service has no secret in it, in pure functions and in a client that reaches no service. */
import { describe, expect, test } from 'bun:test'
import { createClient } from '../../src/client/client.ts'
import { shownUrl, withShownUrl } from '../../src/client/shown-url.ts'
import { serviceUrl, waitNotice } from '../../src/transfer/command-line.ts'
import { connect } from '../../src/transfer/service-client.ts'
import { freePort } from '../support/servers/processes.ts'

const messageOf = async (action: () => unknown): Promise<string> => {
  try {
    return `it ended well: ${JSON.stringify(await action())}`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

describe('a printed URL', () => {
  test.each([
    ['http://127.0.0.1:4199', 'http://127.0.0.1:4199'],
    ['https://example.org/turnlog', 'https://example.org/turnlog'],
    ['http://u:s3cret@127.0.0.1:4199', 'http://***@127.0.0.1:4199'],
    ['http://s3cret@h/base', 'http://***@h/base'],
    ['http://:s3cret@h', 'http://***@h'],
    ['http://h:1/base?token=s3cret', 'http://h:1/base?***'],
    ['http://h:1?token=s3cret#s3cret', 'http://h:1?***#***'],
    ['wss://u:s3cret@h/v1/live?token=a@s3cret', 'wss://***@h/v1/live?***'],
    ['u:s3cret@h', '***'],
    ['http://u:s3?cret@h', '***'],
    ['localhost', 'localhost'],
  ])('the printed URL masks user, password, query and fragment: %s', (url, shown) => {
    expect(shownUrl(url)).toBe(shown)
  })

  test('a message of a runtime masks each URL that it quotes', () => {
    const url = 'http://u:s3cret@h'
    expect(withShownUrl(`Failed to parse URL from ${url}/v1/live: ${url}`, url)).toBe(
      'Failed to parse URL from http://***@h/v1/live: http://***@h',
    )
  })

  test('the client and the commands mask the URL in errors and in notices of retries', async () => {
    const base = `http://u:s3cret@127.0.0.1:${await freePort()}/base`
    const notices: string[] = []
    const rest = connect({
      url: base,
      patienceMs: 300,
      onRetry: waitNotice((line) => notices.push(line)),
    })
    const client = createClient({ url: base, deadlineMs: 300 })
    const broken = () => createClient({ url: 'http://u:s3cret@127.0.0.1:99999' })
    const messages = [
      await messageOf(() => rest.listConversations()),
      await messageOf(() => serviceUrl(`${base}?token=s3cret`)),
      await messageOf(() => client.listConversations()),
      await messageOf(() => Promise.resolve(broken())),
      await messageOf(() => serviceUrl('htp://u:s3cret@h')),
      await messageOf(() => serviceUrl('u:s3cret@h')),
      ...notices,
    ]
    expect(notices).toHaveLength(1)
    for (const message of messages) {
      expect(message).toMatch(/cannot be reached|must be (an )?http/)
      expect(message).not.toContain('s3cret')
    }
  })
})
