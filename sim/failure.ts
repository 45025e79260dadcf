/** A history contradicts what the system promises; the first difference is its message. */
export class Failure extends Error {
  readonly differences: readonly string[];

  constructor(differences: readonly string[]) {
    super(differences[0]);
    this.differences = differences;
  }
}
