/**
 * A data directory of the embedded database with conversations in it, and copies of the directory.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { dataIn } from '../../adapters/database/directory-state.ts'
import { type Node, startNode } from '../../test/support/servers/node.ts'
import { call, must } from '../../test/support/writing/client.ts'
import { conversationId, turn } from './scene.ts'

export const embeddedConversations = 100

export type EmbeddedData = Disposable & {
  /** Makes another copy and returns its path, for `TURNLOG_DATA`. */
  copy(): string
}

export async function embeddedData(): Promise<EmbeddedData> {
  const root = mkdtempSync(join(tmpdir(), 'turnlog-bench-'))
  const first = join(root, 'first')
  const node = await startNode({ TURNLOG_DATA: first })
  for (let n = 1; n <= embeddedConversations; n += 1) {
    const id = conversationId(n)
    await requireOk(node, '/v1/conversations', { id })
    await requireOk(node, `/v1/conversations/${id}/turns`, turn)
  }
  await stopNode(node)
  let copies = 0
  return {
    copy() {
      copies += 1
      const directory = join(root, `copy-${copies}`)
      cpSync(dataIn(first), dataIn(directory), { recursive: true })
      return directory
    },
    [Symbol.dispose]: () => rmSync(root, { recursive: true, force: true }),
  }
}

/** Sends a GET, or a POST if there is a body. Throws unless the answer is 2xx. */
export async function requireOk({ url }: Node, path: string, body?: unknown): Promise<void> {
  must(await call<unknown>(url, body === undefined ? 'GET' : 'POST', path, body))
}

/** Stops a node as an operator does. After a kill, the next start would have to replay the log. */
export async function stopNode(node: Node): Promise<void> {
  node.kill('SIGTERM')
  const code = await node.exited
  if (code !== 0) throw new Error(`The service ended with ${code}:\n${node.log()}`)
}
