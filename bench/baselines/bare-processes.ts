/** Processes that do one thing and no more, to hold ours against. */
import { join } from 'node:path'
import { dataIn } from '../../adapters/database/directory-state.ts'
import { type LineProcess, startLineProcess } from '../load/line-process.ts'

const script = (name: string) => join(import.meta.dir, name)

export type BareHttp = AsyncDisposable & { readonly url: string; readonly pid: number }

/** Bun's own server, whose GETs are of so many bytes. */
export async function startBareHttp(bytes: number): Promise<BareHttp> {
  const child = startLineProcess([script('bare-http.ts'), `${bytes}`])
  const { port } = await child.answer<{ port: number }>()
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid,
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  }
}

/** PGlite on the data of an embedded directory, once it has answered; with statements to run, if there are. */
export async function startBarePglite(directory: string, file?: string): Promise<LineProcess> {
  const args = file === undefined ? [] : [file]
  const child = startLineProcess([script('bare-pglite.ts'), dataIn(directory), ...args])
  await child.answer()
  return child
}
