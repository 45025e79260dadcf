/** One sample that was sent, as far as its sender knows. */
interface Sent {
  /** Texts of the values that may be there: one, unless different ones were sent for the same time. */
  readonly values: Set<string>;
  /** A write of it was answered with success, and nothing since may have lost it. */
  isSure: boolean;
  /** Writes of it without an answer so far. */
  open: number;
  /** Times it was sent: a second one may have been stored as a late sample, beside the first. */
  sends: number;
  /** Older than the newest of its series when it was sent, at one time or another. */
  isLate: boolean;
  deleted: 'no' | 'maybe' | 'yes';
}

export interface SampleId {
  readonly series: string;
  readonly t: number;
  readonly value: string;
}

interface Deletion {
  readonly series: string;
  readonly mint: number;
  readonly maxt: number;
}

/** An answer as plain data: series, then the text of the value by time. */
export type AnsweredSeries = ReadonlyMap<string, ReadonlyMap<number, string>>;

/** Differences told per check. */
const DIFFERENCES_MAX = 12;

/** What one tenant's storage must, may and must not have: maps only, no storage. */
export class TenantModel {
  readonly #series = new Map<string, Map<number, Sent>>();
  readonly #newest = new Map<string, number>();
  readonly #deletions: Deletion[] = [];
  sampleCount = 0;

  /** To be called before the request is sent. Without an answer it may have been carried out, and this is the last word. */
  sending({ series, t, value }: SampleId): void {
    let samples = this.#series.get(series);
    if (!samples) this.#series.set(series, (samples = new Map()));
    const newest = this.#newest.get(series) ?? Number.NEGATIVE_INFINITY;
    let sent = samples.get(t);
    if (!sent) {
      const isHidden = this.#deletions.some((d) => d.series === series && t >= d.mint && t <= d.maxt);
      sent = {
        values: new Set(),
        isSure: false,
        open: 0,
        sends: 0,
        isLate: t <= newest,
        deleted: isHidden ? 'maybe' : 'no',
      };
      samples.set(t, sent);
    } else if (sent.deleted === 'yes') sent.deleted = 'maybe';
    // Sent again behind a newer one, it is in the log of late samples unless an earlier sending was carried out.
    if (t < newest && !sent.isSure) sent.isLate = true;
    sent.values.add(value);
    sent.open++;
    sent.sends++;
    this.#newest.set(series, Math.max(newest, t));
  }

  acknowledged({ series, t }: SampleId): void {
    const sent = this.#find(series, t);
    if (!sent.isSure) this.sampleCount++;
    sent.isSure = true;
    sent.open--;
  }

  /** A refused sample was not stored by that request; an earlier one without an answer may have stored it. */
  refused({ series, t }: SampleId): void {
    const sent = this.#find(series, t);
    if (--sent.open === 0 && !sent.isSure) this.#series.get(series)?.delete(t);
  }

  /**
   * Samples in the head from `certainFrom` on are surely hidden now; in others, and in late ones, another copy may show
   * itself later. Minus infinity: all are hidden, infinity: who knows.
   */
  deleted(deletion: Deletion, certainFrom: number): void {
    this.#deletions.push(deletion);
    const isCertain = (t: number, sent: Sent) =>
      certainFrom === Number.NEGATIVE_INFINITY || (t >= certainFrom && !sent.isLate && sent.sends === 1);
    for (const [t, sent] of this.#series.get(deletion.series) ?? [])
      if (t >= deletion.mint && t <= deletion.maxt && sent.deleted !== 'yes')
        sent.deleted = isCertain(t, sent) ? 'yes' : 'maybe';
  }

  /** The power failed and logs are not synced: what is not in a block may be lost, deletions included. */
  lostUnsynced(durableUntil: number): void {
    for (const samples of this.#series.values())
      for (const [t, sent] of samples)
        if (t >= durableUntil || sent.isLate) {
          if (sent.isSure) {
            sent.isSure = false;
            sent.open++;
          }
          if (sent.deleted === 'yes') sent.deleted = 'maybe';
        }
  }

  /** How an answer that claims to be complete contradicts what is known; `mayLack` forgives what is missing. */
  differences(answer: AnsweredSeries, mint: number, maxt: number, mayLack: boolean): string[] {
    const found: string[] = [];
    this.#surplus(answer, found);
    if (!mayLack) this.#missing(answer, mint, maxt, found);
    return found.length > DIFFERENCES_MAX
      ? [...found.slice(0, DIFFERENCES_MAX), `… ${found.length} differences`]
      : found;
  }

  #surplus(answer: AnsweredSeries, found: string[]): void {
    for (const [series, samples] of answer)
      for (const [t, value] of samples) {
        const sent = this.#series.get(series)?.get(t);
        if (!sent) found.push(`never sent (or refused): ${series} at ${t}: ${value}`);
        else if (!sent.values.has(value))
          found.push(`other value: ${series} at ${t}: ${value}, sent ${[...sent.values]}`);
        else if (sent.deleted === 'yes') found.push(`deleted: ${series} at ${t}: ${value}`);
      }
  }

  #missing(answer: AnsweredSeries, mint: number, maxt: number, found: string[]): void {
    for (const [series, samples] of this.#series)
      for (const [t, sent] of samples)
        if (sent.isSure && sent.deleted === 'no' && t >= mint && t <= maxt && !answer.get(series)?.has(t))
          found.push(`missing: ${series} at ${t}${sent.isLate ? ' (late)' : ''}: ${[...sent.values]}`);
  }

  #find(series: string, t: number): Sent {
    const sent = this.#series.get(series)?.get(t);
    if (!sent) throw new Error(`the model does not know ${series} at ${t}`);
    return sent;
  }
}
