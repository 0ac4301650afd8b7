/** A wrong command line. The message says what is wrong with it. */
export class Misuse extends Error {
  override readonly name = 'Misuse'
}
