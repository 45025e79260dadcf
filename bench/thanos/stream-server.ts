import { encodeLabels } from '../../src/encoding/label-bytes.ts';
import { Labels } from '../../src/model/labels.ts';
import { BatchBuilder } from '../../src/storage/batch-builder.ts';
import { emptyQuerier } from '../../src/storage/empty-querier.ts';
import type { Querier } from '../../src/storage/querier.ts';
import type { SeriesBatch } from '../../src/storage/series-batch.ts';
import { QueryableStore } from '../../src/storeapi/queryable-store.ts';
import { loopback } from '../../src/storeapi/testdata/loopback.ts';

/**
 * A store of as many bytes of chunks as the environment says, made again and again out of one batch: what is measured is
 * the way over gRPC. Prints its port.
 */
const chunksPerSeries = Number(process.env.CHUNKS ?? 48);
const chunkBytes = Number(process.env.CHUNK_BYTES ?? 500);
const seriesCount = Number(process.env.SERIES ?? 20_000);
const PER_BATCH = Math.max(1, Math.floor((4 << 20) / (chunksPerSeries * chunkBytes)));

const T0 = 1_700_000_000_000;
/** Of every series, but for the number in it. */
const DIGITS = 8;
const NUMBER = '0'.repeat(DIGITS);
const LABELS = encodeLabels(Labels.from({ __name__: 'requests_total', instance: NUMBER, job: 'web' }));
const DIGITS_AT = Buffer.from(LABELS).indexOf(NUMBER);
const PAYLOAD = Uint8Array.from({ length: chunkBytes }, (_, i) => (i * 37) & 255);

/** The same chunks in every batch: only labels are made anew. */
const chunks = chunkColumns(PER_BATCH);

const querier: Querier = {
  ...emptyQuerier([]),
  async *select() {
    for (let from = 0; from < seriesCount; from += PER_BATCH)
      yield batchOf(from, Math.min(seriesCount, from + PER_BATCH));
  },
};
const info = { component: 'store', labelSets: [], mint: 0, maxt: Number.MAX_SAFE_INTEGER };
const store = new QueryableStore({ querier: async () => querier }, () => info);
const { port } = await loopback(store);
process.stdout.write(`${port}\n`);
process.on('message', (message) => {
  if (message === 'usage')
    process.send?.({
      cpu: process.cpuUsage(),
      rss: process.memoryUsage.rss(),
      peak: process.resourceUsage().maxRSS * 1024,
    });
});

function batchOf(from: number, to: number): SeriesBatch {
  const whole = to - from === PER_BATCH ? chunks : chunkColumns(to - from);
  const { length } = LABELS;
  const labelBytes = new Uint8Array((to - from) * length);
  for (let i = from; i < to; i++) {
    const at = (i - from) * length;
    labelBytes.set(LABELS, at);
    for (let k = DIGITS - 1, rest = i; k >= 0; k--, rest = Math.floor(rest / 10))
      labelBytes[at + DIGITS_AT + k] = 0x30 + (rest % 10);
  }
  const labelOffsets = Uint32Array.from({ length: to - from + 1 }, (_, i) => i * length);
  return { ...whole, labelBytes, labelOffsets };
}

function chunkColumns(series: number): SeriesBatch {
  const builder = new BatchBuilder(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY);
  for (let i = 0; i < series; i++) {
    builder.addSeries(encodeLabels(Labels.empty));
    for (let c = 0; c < chunksPerSeries; c++)
      builder.addChunk(T0 + c * 1_800_000, T0 + (c + 1) * 1_800_000 - 1, 1, PAYLOAD);
  }
  return builder.take();
}
