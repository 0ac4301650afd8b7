/** Reads a list page by page. The next page is requested while the current one is used. */

/** `next` requests the page that follows `page`. It returns undefined after the last page. */
export async function* pagesFrom<Page>(
  first: Page,
  next: (page: Page) => Promise<Page> | undefined,
): AsyncGenerator<Page> {
  let nextPage: Promise<Page> | undefined = Promise.resolve(first)
  while (nextPage !== undefined) {
    const page: Page = await nextPage
    nextPage = next(page)
    // A reader that stops early never awaits this page. One that continues awaits it above.
    nextPage?.catch(() => {})
    yield page
  }
}
