/** Baseline processes: each has one library and nothing of the service. */
import { join } from 'node:path'
import { dataIn } from '../../adapters/database/directory-state.ts'
import { type LineProcess, startLineProcess } from '../load/line-process.ts'

const script = (name: string) => join(import.meta.dir, name)

export type BareHttp = AsyncDisposable & { readonly url: string; readonly pid: number }

/** Starts Bun's own HTTP server, which answers each GET with this number of bytes. */
export async function startBareHttp(bytes: number): Promise<BareHttp> {
  const child = startLineProcess([script('bare-http.ts'), `${bytes}`])
  const { port } = await child.answer<{ port: number }>()
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

/**
 * Starts PGlite on the data of an embedded directory and waits until it has answered. `file` has
 * the statements that it can run, as JSON.
 */
export async function startBarePglite(directory: string, file?: string): Promise<LineProcess> {
  const args = file === undefined ? [] : [file]
  const child = startLineProcess([script('bare-pglite.ts'), dataIn(directory), ...args])
  await child.answer()
  return child
}
