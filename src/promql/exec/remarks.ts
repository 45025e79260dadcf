import { METRIC_NAME } from '../../model/labels.ts';
import { infoText } from '../annotations.ts';
import { looksLikeCounter } from '../functions/rate.ts';
import type { Remarks } from '../functions/window.ts';
import type { Span } from '../parser/ast.ts';
import type { LabelColumn } from './label-column.ts';
import type { QueryContext } from './query-context.ts';

const TYPE_LABEL = '__type__';

/** Remarks about the series being worked on. */
export interface SeriesRemarks extends Remarks {
  /** From here on remarks are about this row. */
  row(labels: LabelColumn, row: number): void;
}

/** `call` is where the function stands, `args` its arguments, `vector` the argument with the series. */
export interface CallSpans {
  readonly call: Span;
  readonly args: readonly Span[];
  readonly vector: Span;
  /** The first argument, which mostly is the vector. */
  readonly first: Span;
  /** The name that all series have, when the selector says so; spares decoding labels to check it. */
  readonly metricName: string | undefined;
}

/** Remarks that go to the query; the metric name is looked up only when one is made. */
export function remarksOf(context: QueryContext, spans: CallSpans): SeriesRemarks {
  let labels: LabelColumn | undefined;
  let current = 0;
  let nameChecked = false;
  const metricName = () => labels?.at(current).get(METRIC_NAME) ?? '';
  const counterType = () => {
    const type = labels?.at(current).get(TYPE_LABEL) ?? '';
    const name = metricName();
    if (name !== '' && type !== 'counter' && type !== 'histogram')
      context.info(infoText.possibleNonCounterType(name, type), spans.vector);
  };
  return {
    counterName() {
      if (context.typeLabels) return counterType();
      if (spans.metricName !== undefined && nameChecked) return;
      nameChecked = true;
      const name = spans.metricName ?? metricName();
      if (name !== '' && !looksLikeCounter(name))
        context.info(infoText.possibleNonCounter(name), spans.vector);
    },
    histogramsIgnored: () => context.info(infoText.histogramsIgnoredInRange(metricName()), spans.first),
    row(column, row) {
      labels = column;
      current = row;
    },
    warn: (message) => context.warn(message, spans.vector),
    info: (message) => context.info(message, spans.vector),
    countMetric: (text) => context.countedWarning(text(metricName()), spans.vector),
    warnMetric: (text) => context.warn(text(metricName()), spans.vector),
    warnArgument: (index, message) => context.warn(message, spans.args[index]),
  };
}
