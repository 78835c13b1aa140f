/** A property that does not hold; the message says which and where. */
export class Violation extends Error {
  override readonly name = 'Violation';
}
