/** Deno's own KV. It implements the port without an adapter. */
import type { Kv } from '../../src/ports/kv.ts'

type WithKv = { readonly Deno?: { openKv?(path?: string): Promise<Kv> } }

/**
 * Opens a file, `:memory:`, or without a path Deno's default KV (on Deno Deploy the shared one).
 */
export async function openDenoKv(path?: string): Promise<Kv> {
  const { Deno: deno } = globalThis as WithKv
  if (deno?.openKv === undefined) {
    throw new TypeError('Deno KV needs Deno, started with --unstable-kv')
  }
  return await deno.openKv(path)
}
