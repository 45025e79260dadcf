import { VeronaError } from '../../model/errors.ts';
import type { AnyHistogram } from '../../model/histogram.ts';
import { Labels } from '../../model/labels.ts';
import type { Matcher } from '../../model/matcher.ts';
import { MemoryStorage } from '../../storage/memory-storage.ts';
import type {
  ExemplarSeries,
  LabelRequest,
  Querier,
  Queryable,
  ReadContext,
  SelectRequest,
} from '../../storage/querier.ts';
import type { SeriesBatch } from '../../storage/series-batch.ts';

/** A series as anybody has it: labels with `__name__` among them, samples as `[ms since the epoch, value]` in order of time. */
export interface PlainSeries {
  readonly labels: Labels | Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [t: number, value: number | AnyHistogram])[];
}

/**
 * Gives the series that all matchers select (`matcher.matches(value)`, an absent label being `''`), with their samples
 * from `mint` to `maxt`, both inclusive; samples beyond do no harm.
 */
export type ReadSeries = (request: {
  readonly matchers: readonly Matcher[];
  readonly mint: number;
  readonly maxt: number;
  readonly signal: AbortSignal;
}) => AsyncIterable<PlainSeries> | Iterable<PlainSeries> | Promise<Iterable<PlainSeries>>;

/** A source of queries over series in arrays, which are copied. Throws `bad_data` for samples out of order and for equal series. */
export function queryableOf(series: Iterable<PlainSeries>): Queryable {
  const storage = new MemoryStorage();
  const loaded = load(storage, series);
  return {
    querier: async (mint, maxt) => {
      await loaded;
      return storage.querier(mint, maxt);
    },
  };
}

/** A source of queries over whatever `read` reads: a database, another server, a file. It is called once per selector of a query. */
export function queryableFrom(read: ReadSeries): Queryable {
  return { querier: async (mint, maxt) => new ReadingQuerier(read, mint, maxt) };
}

function load(storage: MemoryStorage, series: Iterable<PlainSeries>): Promise<void> {
  const appender = storage.appender();
  for (const { labels: given, samples } of series) {
    const labels = given instanceof Labels ? given : Labels.from(given);
    for (const [t, value] of samples) {
      const outcome =
        typeof value === 'number'
          ? appender.append(labels, t, value)
          : appender.appendHistogram(labels, t, value);
      if (outcome !== 'ok' && outcome !== 'duplicate')
        throw new VeronaError(
          'bad_data',
          `series ${labels}: sample at ${t}: ${outcome.replaceAll('_', ' ')}`,
        );
    }
  }
  return appender.commit();
}

class ReadingQuerier implements Querier {
  readonly #read: ReadSeries;
  readonly #mint: number;
  readonly #maxt: number;
  readonly warnings: readonly string[] = [];

  constructor(read: ReadSeries, mint: number, maxt: number) {
    this.#read = read;
    this.#mint = mint;
    this.#maxt = maxt;
  }

  async *select(ctx: ReadContext, request: SelectRequest): AsyncGenerator<SeriesBatch> {
    yield* (await this.#load(ctx, request)).select(ctx, request);
  }

  async labelNames(ctx: ReadContext, request: LabelRequest): Promise<readonly string[]> {
    return (await this.#load(ctx, request)).labelNames(ctx, request);
  }

  async labelValues(ctx: ReadContext, name: string, request: LabelRequest): Promise<readonly string[]> {
    return (await this.#load(ctx, request)).labelValues(ctx, name, request);
  }

  async exemplars(): Promise<readonly ExemplarSeries[]> {
    return [];
  }

  async close(): Promise<void> {}

  async #load({ signal }: ReadContext, request: Pick<SelectRequest, 'matchers' | 'mint' | 'maxt'>) {
    const { matchers } = request;
    const mint = Math.max(request.mint, this.#mint);
    const maxt = Math.min(request.maxt, this.#maxt);
    const series: PlainSeries[] = [];
    for await (const one of await this.#read({ matchers, mint, maxt, signal })) {
      signal.throwIfAborted();
      series.push(one);
    }
    const storage = new MemoryStorage();
    await load(storage, series);
    return storage.querier(mint, maxt);
  }
}
