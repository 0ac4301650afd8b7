/** Pages of a list, the next one asked for while the last is still being used. */

/** `next` answers undefined after the last page. */
export async function* pagesFrom<Page>(
  first: Page,
  next: (page: Page) => Promise<Page> | undefined,
): AsyncGenerator<Page> {
  let coming: Promise<Page> | undefined = Promise.resolve(first)
  while (coming !== undefined) {
    const page: Page = await coming
    coming = next(page)
    // Whoever stops early does not wait for it; whoever goes on awaits it above.
    coming?.catch(() => {})
    yield page
  }
}
