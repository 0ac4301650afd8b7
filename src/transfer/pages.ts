/** Pages of a list: the next page is asked for while the last one is still being used. */

/** `next` asks for the page after one; undefined after the last page. */
export async function* pagesFrom<Page>(
  first: Page,
  next: (page: Page) => Promise<Page> | undefined,
): AsyncGenerator<Page> {
  let coming: Promise<Page> | undefined = Promise.resolve(first)
  while (coming !== undefined) {
    const page: Page = await coming
    coming = next(page)
    // A reader that stops early never awaits it; one that goes on awaits it above.
    coming?.catch(() => {})
    yield page
  }
}
