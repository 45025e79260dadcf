/** A sample and when the counter began that it is of; 0 is unknown. ms. */
export interface StartedSample {
  readonly t: number;
  readonly startT: number;
}

/** Whether the counter began anew between two samples, by what they say of its beginning. */
export function beganAnew(previous: StartedSample, current: StartedSample): boolean {
  const { startT } = current;
  // Unknown, or no sensible time.
  if (startT === 0 || startT >= current.t) return false;
  if (startT !== previous.t) return startT > previous.t;
  // Begun at the sample before: so do counters that count each interval, if they know when the one before began.
  return previous.startT !== 0 && previous.startT < previous.t;
}

/** Whether some sample covers time that the one before covers too. */
export function overlaps(samples: readonly StartedSample[]): boolean {
  return samples.some(({ startT }, i) => {
    if (i === 0 || startT === 0) return false;
    const previous = samples[i - 1];
    return startT < previous.t && startT !== previous.startT;
  });
}
