// Compensated summation (Kahan, Neumaier) as Prometheus does it: sum' = kahanSum(inc, sum), with
// c' = kahanCompensation(inc, sum, c) taken before. An infinite sum forgets its compensation.

// A step without a value: the bits of the staleness marker, which no result can have.
export const ABSENT: u64 = 0x7ff0000000000002;

@inline export function kahanSum(inc: f64, sum: f64): f64 {
  return sum + inc;
}

@inline export function kahanCompensation(inc: f64, sum: f64, c: f64): f64 {
  let t = sum + inc;
  if (abs(t) == Infinity) return 0;
  return abs(sum) >= abs(inc) ? c + ((sum - t) + inc) : c + ((inc - t) + sum);
}
