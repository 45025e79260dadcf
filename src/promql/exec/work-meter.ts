/** Is told of work by loops that do not wait, and throws between two pieces of it when the query is to stop. */
export interface WorkMeter {
  /** A row of so many cells. */
  workedOn(cells: number): void;
  /** A comparison of two rows. */
  compared(): void;
}
