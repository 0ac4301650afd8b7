/** Runs one parameterless query; rows as the port says. */
export type Ask = (text: string) => Promise<object[]>

/** The first row. */
export async function askOne(ask: Ask, text: string): Promise<Record<string, unknown>> {
  const [row] = await ask(text)
  return { ...row }
}
