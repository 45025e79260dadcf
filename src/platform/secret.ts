/** Words that nobody outside the process can guess, for what must not be steered by input: never for a result. Web Crypto, so that browsers have it too. */
export function secretWords(count: number): Int32Array {
  return crypto.getRandomValues(new Int32Array(count));
}
