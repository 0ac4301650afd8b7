/** Runs one query without parameters. The rows have the types that the database port defines. */
export type Ask = (text: string) => Promise<object[]>

/** Returns the first row of a query. */
export async function askOne(ask: Ask, text: string): Promise<Record<string, unknown>> {
  const [row] = await ask(text)
  return { ...row }
}
