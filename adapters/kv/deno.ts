/** Deno's own key-value store. It is the port as it stands: there is nothing to adapt. */
import type { Kv } from '../../src/ports/kv.ts'

type WithKv = { readonly Deno?: { openKv?(path?: string): Promise<Kv> } }

/** `path` is a file, `:memory:`, or absent for the default of Deno (on Deploy: its shared store). */
export async function openDenoKv(path?: string): Promise<Kv> {
  const { Deno: deno } = globalThis as WithKv
  if (deno?.openKv === undefined) {
    throw new TypeError('Deno KV needs Deno, started with --unstable-kv')
  }
  return await deno.openKv(path)
}
