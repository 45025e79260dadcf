import { type WireReader, WireWriter } from '../encoding/protobuf.ts';
import { readTimeSeriesMessage, writeTimeSeries } from './remote-write.ts';
import type { TimeSeries } from './time-series.ts';

/**
 * What `thanos.Query` streams (`thanos/query.proto`); the answers of Query and QueryRange have the same fields:
 *
 *   QueryResponse    1 warnings string | 2 timeseries | 3 stats | 4 timeseries_batch
 *   QueryStats       1 samples_total, 2 peak_samples
 *   TimeSeriesBatch  1 series…
 */
export type QueryFrame =
  | { readonly kind: 'series'; readonly series: readonly TimeSeries[] }
  | { readonly kind: 'warning'; readonly warning: string }
  | { readonly kind: 'stats'; readonly samplesTotal: number; readonly peakSamples: number };

/** A fresh array. Several series make a batch; one goes alone, as all peers know it. */
export function encodeQueryFrame(frame: QueryFrame): Uint8Array {
  const writer = new WireWriter();
  switch (frame.kind) {
    case 'warning':
      writer.string(1, frame.warning);
      break;
    case 'stats':
      writer.message(3, () => {
        writer.int(1, frame.samplesTotal);
        writer.int(2, frame.peakSamples);
      });
      break;
    case 'series':
      if (frame.series.length === 1) writer.message(2, () => writeTimeSeries(writer, frame.series[0]));
      else
        writer.message(4, () => {
          for (const series of frame.series) writer.message(1, () => writeTimeSeries(writer, series));
        });
  }
  return writer.bytes().slice();
}

/** Reads one response. Throws `WireError`. */
export function readQueryFrame(reader: WireReader): QueryFrame {
  const series: TimeSeries[] = [];
  let frame: QueryFrame | undefined;
  while (reader.next())
    switch (reader.field) {
      case 1:
        frame = { kind: 'warning', warning: reader.string() };
        break;
      case 2:
        series.push(readTimeSeriesMessage(reader.message()));
        break;
      case 3:
        frame = readStats(reader.message());
        break;
      case 4: {
        const batch = reader.message();
        while (batch.next()) if (batch.field === 1) series.push(readTimeSeriesMessage(batch.message()));
      }
    }
  return frame ?? { kind: 'series', series };
}

function readStats(reader: WireReader): QueryFrame {
  let samplesTotal = 0;
  let peakSamples = 0;
  while (reader.next()) {
    if (reader.field === 1) samplesTotal = reader.int();
    else if (reader.field === 2) peakSamples = reader.int();
  }
  return { kind: 'stats', samplesTotal, peakSamples };
}
