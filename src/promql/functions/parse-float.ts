const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
const SPECIAL = /^([+-]?)(?:inf|infinity)$/i;

/** The number that a label value such as `le="0.5"` or `le="+Inf"` spells; undefined when it spells none. */
export function parseFloatText(text: string): number | undefined {
  if (DECIMAL.test(text)) return Number(text);
  const infinite = SPECIAL.exec(text);
  if (infinite !== null) return infinite[1] === '-' ? -Infinity : Infinity;
  return /^nan$/i.test(text) ? Number.NaN : undefined;
}
