/** Seeds that once found something, kept. What each was is in the commit that added it. */
export const REGRESSION_SEEDS: readonly number[] = [5, 9, 25, 57, 82];
