/** Who of several instances owns what, from the view of one of them. Asked often: it answers at once. */
export interface Assignment {
  /** Whether this instance is an owner of a key: of the work, or of the data, that the key stands for. */
  owns(key: string): boolean;
}

/** The only instance owns everything. */
export const ownsEverything: Assignment = { owns: () => true };
