import { describe, expect, test } from 'vitest';
import { WireWriter } from '../../../encoding/protobuf.ts';
import { openExposition } from './open-exposition.ts';
import { EntryKind } from './parser.ts';
import type { HistogramOptions } from './protobuf.ts';

const TEXT = 'text/plain; version=0.0.4; charset=utf-8';
const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0';
const PROTOBUF =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';
const PLAIN: HistogramOptions = { native: false, keepClassic: false, convertClassic: false };

/** Everything a body says, a line per entry. */
function entries(body: string | Uint8Array, contentType: string, options = PLAIN): string[] {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body;
  const { parser } = openExposition(bytes, contentType, undefined, options);
  const lines: string[] = [];
  for (let kind = parser.next(); kind !== EntryKind.end; kind = parser.next()) {
    if (kind === EntryKind.type) lines.push(`type ${parser.family} ${parser.type}`);
    else if (kind === EntryKind.help) lines.push(`help ${parser.family} ${parser.help}`);
    else if (kind === EntryKind.unit) lines.push(`unit ${parser.family} ${parser.unit}`);
    else if (kind === EntryKind.comment) lines.push('comment');
    else {
      const at = Number.isNaN(parser.t) ? '' : ` @${parser.t}`;
      const start = parser.startT === 0 ? '' : ` since ${parser.startT}`;
      const { histogram } = parser;
      const value =
        kind === EntryKind.series
          ? String(parser.value)
          : `${histogram?.kind} ${histogram?.schema} ${JSON.stringify([histogram?.count, histogram?.sum, histogram?.positiveSpans, histogram?.positiveBuckets, histogram?.customValues])}`;
      lines.push(`${parser.labels()} ${value}${at}${start}`);
      for (const { labels, value, t } of parser.exemplars()) lines.push(`  exemplar ${labels} ${value} ${t}`);
    }
  }
  return lines;
}

describe('the text format of Prometheus', () => {
  test('has comments, types, helps, samples and timestamps', () => {
    const body = `# HELP http_requests_total The total
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
spaced   {  a = "b" , }   3.5e-3
# a comment
no_labels NaN
# HELP path C:\\\\DIR \\n with escapes
path{path="C:\\\\DIR\\n\\"x\\""} +Inf`;
    expect(entries(body, TEXT)).toEqual([
      'help http_requests_total The total',
      'type http_requests_total counter',
      '{__name__="http_requests_total", code="200", method="post"} 1027 @1395066363000',
      '{__name__="spaced", a="b"} 0.0035',
      'comment',
      '{__name__="no_labels"} NaN',
      'help path C:\\DIR \n with escapes',
      '{__name__="path", path="C:\\\\DIR\\n\\"x\\""} Infinity',
    ]);
  });

  test('has names in quotes', () => {
    expect(entries('{"my.metric","label name"="x"} 1\n# TYPE "my.metric" gauge\n', TEXT)).toEqual([
      '{__name__="my.metric", "label name"="x"} 1',
      'type my.metric gauge',
    ]);
  });

  test('bounds and quantiles become as OpenMetrics writes them', () => {
    const body =
      '# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\n# TYPE s summary\ns{quantile="0.50"} 1\ns{quantile="1e6"} 1\n# TYPE g gauge\ng{le="1"} 1\n';
    expect(entries(body, TEXT).filter((line) => line.startsWith('{'))).toEqual([
      '{__name__="h_bucket", le="1.0"} 1',
      '{__name__="h_bucket", le="+Inf"} 2',
      '{__name__="s", quantile="0.5"} 1',
      '{__name__="s", quantile="1e+06"} 1',
      '{__name__="g", le="1"} 1',
    ]);
  });

  test.each([
    ['a{b="c"} ', /line 1: expected value/],
    [' a 1', /white space before a metric name/],
    ['a 1\nb 2 -3\n', /line 2: expected timestamp or new record, in "b 2 -3"/],
    ['a 0x1p-2', /invalid value/],
    ['a 1_000', /invalid value/],
    ['a 1e999', /invalid value/],
    ['a{b=c} 1', /expected label value/],
    ['a{b="c} 1', /expected label value/],
    ['a{,} 1', /expected label name/],
    ['{a="b"} 1', /metric name not set/],
    ['a{"b"} 1', /metric name already set/],
    ['1a 1', /expected a valid start token/],
    ['# TYPE a nothing', /invalid metric type "nothing"/],
    ['# TYPE  \n', /expected metric name after TYPE/],
    ['a 1 99999999999999999999', /out of range/],
  ])('%j is refused', (body, message) => {
    expect(() => entries(body, TEXT)).toThrow(message);
  });

  test('nothing is read after a zero byte at the beginning of a line', () => {
    expect(entries('a 1\n\0b', TEXT)).toEqual(['{__name__="a"} 1']);
  });
});

describe('OpenMetrics', () => {
  test('has exemplars, units, seconds and an end', () => {
    const body = `# TYPE foo_seconds counter
# UNIT foo_seconds seconds
# HELP foo_seconds Help "it"
foo_seconds_total{a="b"} 17.0 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1520879607.123
foo_seconds_created 1520430000.123
bar{le="0.1"} 8 # {} 0.054
# EOF
`;
    expect(entries(body, OPEN_METRICS)).toEqual([
      'type foo_seconds counter',
      'unit foo_seconds seconds',
      'help foo_seconds Help "it"',
      '{__name__="foo_seconds_total", a="b"} 17 @1520879607789',
      '  exemplar {trace_id="KOO5S4vxi0o"} 0.67 1520879607123',
      '{__name__="foo_seconds_created"} 1520430000.123',
      '{__name__="bar", le="0.1"} 8',
      '  exemplar {} 0.054 undefined',
    ]);
  });

  test.each([
    ['a 1\n', /does not end with # EOF/],
    ['a 1\n\n# EOF\n', /line 2: expected a valid start token/],
    ['a 1\n# EOF\nb 1', /unexpected data after # EOF/],
    ['a  1\n# EOF', /expected value/],
    ['a\t1\n# EOF', /expected value/],
    ['a{b="c" } 1\n# EOF', /expected comma or brace close/],
    ['# TYPE a untyped\n# EOF', /invalid metric type/],
    ['# UNIT a seconds\n# EOF', /not a suffix/],
    ['# comment\n# EOF', /expected # HELP/],
    ['a 1 NaN\n# EOF', /invalid timestamp/],
    ['a 1 # {"x"} 1\n# EOF', /expected equal/],
    ['a 1 # {x="y"}\n# EOF', /expected value after exemplar/],
  ])('%j is refused', (body, message) => {
    expect(() => entries(body, OPEN_METRICS)).toThrow(message);
  });
});

describe('protobuf', () => {
  const label = (writer: WireWriter, name: string, value: string) =>
    writer.message(1, () => {
      writer.string(1, name);
      writer.string(2, value);
    });
  const family = (name: string, type: number, metric: (writer: WireWriter) => void) => {
    const writer = new WireWriter();
    writer.message(1, () => {
      writer.string(1, name);
      writer.string(2, 'helps');
      writer.int(3, type);
      writer.message(4, metric);
    });
    // Without the tag: a length and the message.
    return writer.bytes().slice(1);
  };

  test('has counters with exemplars and when they began', () => {
    const bytes = family('c_total', 0, (writer) => {
      label(writer, 'a', 'b');
      writer.message(3, () => {
        writer.double(1, 3);
        writer.message(2, () => {
          label(writer, 'id', 'x');
          writer.double(2, 1);
          writer.message(3, () => writer.int(1, 5));
        });
        writer.message(3, () => writer.int(1, 2));
      });
    });
    expect(entries(bytes, PROTOBUF)).toEqual([
      'help c_total helps',
      'type c_total counter',
      '{__name__="c_total", a="b"} 3 since 2000',
      '  exemplar {id="x"} 1 5000',
    ]);
  });

  const histogram = family('h', 4, (writer) => {
    writer.message(7, () => {
      writer.int(1, 4);
      writer.double(2, 10);
      for (const [count, bound] of [
        [1, 0.5],
        [3, 1],
      ])
        writer.message(3, () => {
          writer.int(1, count);
          writer.double(2, bound);
        });
      writer.sint(5, 3);
      writer.message(12, () => {
        writer.sint(1, 1);
        writer.int(2, 2);
      });
      writer.packedSints(13, [1, 2]);
    });
    writer.int(6, 7000);
  });

  test('histograms are classic unless native ones are wanted', () => {
    expect(entries(histogram, PROTOBUF).slice(2)).toEqual([
      '{__name__="h_count"} 4 @7000',
      '{__name__="h_sum"} 10 @7000',
      '{__name__="h_bucket", le="0.5"} 1 @7000',
      '{__name__="h_bucket", le="1.0"} 3 @7000',
      '{__name__="h_bucket", le="+Inf"} 4 @7000',
    ]);
    const native = '{__name__="h"} integer 3 [4,10,[{"offset":1,"length":2}],[1,2],[]] @7000';
    expect(entries(histogram, PROTOBUF, { ...PLAIN, native: true }).slice(2)).toEqual([native]);
    const both = entries(histogram, PROTOBUF, { ...PLAIN, native: true, keepClassic: true }).slice(2);
    expect([both[0], both.length]).toEqual([native, 6]);
  });

  test('classic ones are converted where that is wanted', () => {
    const options = { ...PLAIN, convertClassic: true };
    const converted = '{__name__="h"} integer -53 [4,10,[{"offset":0,"length":3}],[1,1,-1],[0.5,1]]';
    expect(entries(histogram, PROTOBUF, options).slice(2)).toEqual([`${converted} @7000`]);
    const text =
      '# TYPE h histogram\nh_bucket{le="0.5"} 1\nh_bucket{le="1"} 3\nh_bucket{le="+Inf"} 4\nh_sum 10\nh_count 4\nx 1\n';
    expect(entries(text, TEXT, options)).toEqual(['type h histogram', converted, '{__name__="x"} 1']);
    expect(entries(text, TEXT, { ...options, keepClassic: true })).toHaveLength(8);
  });

  test('what is cut off is refused', () => {
    expect(() => entries(histogram.subarray(0, 20), PROTOBUF)).toThrow(/cut off/);
  });
});

test('a content type that is unknown needs a fallback', () => {
  expect(() => openExposition(Buffer.from('a 1'), '', undefined, PLAIN)).toThrow(
    /no fallback_scrape_protocol/,
  );
  expect(() => openExposition(Buffer.from('a 1'), 'text/html', undefined, PLAIN)).toThrow(/text\/html/);
  expect(openExposition(Buffer.from('a 1'), 'text/html', 'text/plain', PLAIN).text).toBeDefined();
});

describe('times at which series began', () => {
  const body = `# TYPE requests counter
requests_total{code="200",path="a,b=\\"}"} 5
requests_created{code="200",path="a,b=\\"}"} 1520430000.123
requests_total{code="500",path="x"} 7
# TYPE h histogram
h_bucket{job="x",le="1.0"} 1
h_bucket{job="x",le="+Inf"} 2
h_count{job="x"} 2
h_sum{job="x"} 3
h_created{job="x"} 1520430001
# TYPE s summary
s{quantile="0.5"} 1
s_count 2
s_created 1520430002
# TYPE g gauge
g_created 9
# EOF
`;
  const starts = (lines: readonly string[]) => lines.filter((line) => !line.startsWith('type'));

  test('are read from OpenMetrics where the storage keeps them', () => {
    expect(starts(entries(body, OPEN_METRICS, { ...PLAIN, startTimes: true }))).toEqual([
      '{__name__="requests_total", code="200", path="a,b=\\"}"} 5 since 1520430000123',
      '{__name__="requests_total", code="500", path="x"} 7',
      '{__name__="h_bucket", job="x", le="1.0"} 1 since 1520430001000',
      '{__name__="h_bucket", job="x", le="+Inf"} 2 since 1520430001000',
      '{__name__="h_count", job="x"} 2 since 1520430001000',
      '{__name__="h_sum", job="x"} 3 since 1520430001000',
      '{__name__="s", quantile="0.5"} 1 since 1520430002000',
      '{__name__="s_count"} 2 since 1520430002000',
      '{__name__="g_created"} 9',
    ]);
  });

  test('are those of histograms that are converted, too', () => {
    const options = { ...PLAIN, startTimes: true, convertClassic: true };
    const [converted] = entries(body, OPEN_METRICS, options).filter((line) => line.includes('"h"'));
    expect(converted).toMatch(/ since 1520430001000$/);
  });

  test('are series like others elsewhere', () => {
    const lines = entries(body, OPEN_METRICS);
    expect(lines.filter((line) => line.includes('_created'))).toHaveLength(4);
    expect(lines.some((line) => line.includes('since'))).toBe(false);
  });
});
