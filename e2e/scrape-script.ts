import { WireWriter } from '../src/encoding/protobuf.ts';
import type { Script, ScriptedAnswer } from './exposition-server.ts';

const OPEN_METRICS = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const PROTOBUF =
  'application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited';

const om = (body: string): ScriptedAnswer => ({ type: OPEN_METRICS, body });
/** Of now, so that it is neither too old nor too new. */
const now = Date.now();

/** Targets that change from scrape to scrape. The path begins with the name of the job. */
export const SEQUENCES: Script = {
  '/plain/steady': ['a 1\nb{x="1"} 2\n', 'a 2\nb{x="1"} 3\n'],
  '/plain/comes-and-goes': ['a 1\nb 1\n', 'a 2\n', 'a 3\nb 3\n', 'b 4\na 4\n', 'c 5\n', '', 'a 7\n'],
  '/plain/fails': ['a 1\nb 1\n', { status: 500, body: 'a 1\n' }, 'a 3\nb 3\n', 'never', 'a 5\nb 5\n'],
  '/plain/malformed-end': ['a 1\nb 1\nc 1\n', 'a 2\nb 2\n{}\n', 'a 3\nb 3\n{}\n', '{}\n', 'a 5\nb 5\nc 5\n'],
  '/plain/malformed-new': ['a 1\n', 'a 2\nnew 1\n!', 'a 3\nnew 1\n', 'a 4\n'],
  '/plain/duplicates': ['a 1\na 2\nb 1\n', 'a 3\na 3\nb 2\n', 'a 4\n'],
  '/plain/other-order': [
    'a{x="1",y="2"} 1\nb 1\n',
    'b 2\na{y="2",x="1"} 2\n',
    'a{x="1",y="2",} 3\n',
    'b 4\n',
  ],
  '/plain/timestamps': [
    `a 1 ${now}\nb 1\n`,
    `a 2 ${now + 1000}\nb 2\n`,
    'b 3\n',
    `a 4 ${now}\na 5 ${now + 5000}\nb 4\n`,
  ],
  '/plain/specials': [
    'nan NaN\ninf +Inf\nneg -Inf\nzero -0\ntiny 5e-324\nbig 1.7976931348623157e308\nlong 0.1234567890123456789\n',
  ],
  '/plain/histogram': [
    '# HELP h Some help\n# TYPE h histogram\nh_bucket{le="0.5"} 1\nh_bucket{le="+Inf"} 2\nh_sum 3\nh_count 2\n',
    '# HELP h Some help\n# TYPE h histogram\nh_bucket{le="0.5"} 1\nh_bucket{le="5.5"} 3\nh_bucket{le="+Inf"} 4\nh_sum 5\nh_count 4\n',
  ],
  '/plain/conflicts': ['a{job="x",instance="y",exported_job="z"} 1\nb{case="own"} 1\n'],
  '/plain/open-metrics': [
    om(
      `# TYPE c counter\n# HELP c helps\nc_total{a="b"} 1 # {trace_id="t1"} 0.5 ${now / 1000}\nc_created{a="b"} 1\n# EOF\n`,
    ),
    om('# TYPE c counter\nc_total{a="b"} 2 # {trace_id="t2"} 0.7\n# EOF\n'),
    om('# TYPE c counter\nc_total{a="b"} 3\n'),
    om('# TYPE c counter\nc_total{a="b"} 4\n# EOF\n'),
  ],
  '/limited/samples': [
    'a 1\nb 1\nc 1\n',
    'a 2\nb 2\nc 2\nd 2\n',
    'a 3\nb 3\nc 3\nd 3\n',
    'c 4\nb 4\na 4\nd 4\n',
    'a 5\nb 5\n',
  ],
  '/limited/label-names': ['a{x="1"} 1\n', 'a{x="1"} 2\nb{x="1",y="2",z="3"} 1\n', 'a{x="1"} 3\n'],
  '/limited/label-values': ['a 1\n', 'a 2\nb{x="a value that is far too long"} 1\n'],
  '/limited/body': ['a 1\n', `a 2\n# ${'x'.repeat(3000)}\n`, 'a 3\n'],
  '/honoring/labels': ['a{job="x",other="y"} 1\n', 'a{job="",other="y"} 2\n'],
  '/timeless/timestamps': [`a 1 ${now}\n`, `a 2 ${now}\n`, 'b 1\n'],
  '/relabelled/samples': [
    'go_x 1\nkept{secret="s",port="80"} 1\nUPPER{a="b"} 1\n',
    'go_x 2\nkept{secret="t",port="80"} 2\nUPPER{a="b"} 2\n',
    'go_x 3\n',
  ],
};

/** Bodies that are read or refused, good and broken ones; without what only Prometheus 3 reads. */
const TEXTS: readonly string[] = [
  'a 1',
  'a 1\n\n\nb 2\n',
  '  a   1  \n',
  '\ta\t{x="1"}\t1\t\n',
  'a{x="1", y="2"} 1',
  'a{x="1" y="2"} 1',
  'a{,} 1',
  'a{} 1',
  'a{x="1",} 1',
  'a{x="1",,} 1',
  'a{x=1} 1',
  'a{x="1} 1',
  'a{x="1"',
  'a{x="a\\"b\\\\c\\nd\\te"} 1',
  'a{x="two\nlines"} 1',
  'a{x="tab\t"} 1',
  'a{x=""} 1',
  'a{x="1",x="2"} 1',
  'a{__name__="b"} 1',
  'a{x="é世"} 1',
  'a{1x="1"} 1',
  'a{x:y="1"} 1',
  ':a:b 1',
  '1a 1',
  'a-b 1',
  'a',
  'a ',
  'a 1 2 3',
  'a 1 -5',
  `a 1 ${now} `,
  'a 1 1.5',
  'a 1 x',
  'a 1e3',
  'a 1e',
  'a 0x10',
  'a 0x1p4',
  'a 1_000',
  'a +1',
  'a --1',
  'a .5',
  'a 5.',
  'a .',
  'a inf',
  'a +INF',
  'a -infinity',
  'a nan',
  'a -nan',
  'a 1e400',
  'a 1e-400',
  'a 1,5',
  'a 1{x="1"}',
  'a 99999999999999999999999',
  'a 12345678901234567890',
  '# a comment\na 1',
  '#a comment\na 1',
  '#\na 1',
  '# HELP\na 1',
  '# HELP a\na 1',
  '# HELP a help \\\\ \\n text\na 1',
  '#HELP a x\na 1',
  '# TYPE a counter\na 1',
  '# TYPE a counter \na 1',
  '# TYPE a  counter\na 1',
  '# TYPE a Counter\na 1',
  '# TYPE a\na 1',
  '# TYPE a info\na 1',
  '# TYPE a untyped\na 1',
  '# TYPE\na 1',
  '# TYPE 1a counter\na 1',
  '# TYPE a{x="1"} counter\na 1',
  'a 1\n# TYPE a gauge\n',
  'a 1\0',
  'a 1\n\0b 2\n',
  'a\0 1\n',
  'a 1\r\nb 2\r\n',
  '"a" 1',
  '{x="1"} 1',
  '{} 1',
  'a{x="1"}1',
  'a{x="1"} 1\nb',
  'a 1 \n # comment with space before\nb 2',
  'a_bucket{le="0.5"} 1\na_bucket{le="+Inf"} 2',
  '# EOF\n',
  'a 1\n# EOF\nb 2\n',
];

const OPEN_METRICS_TEXTS: readonly string[] = [
  'a 1\n# EOF\n',
  'a 1\n# EOF',
  'a 1\n',
  'a 1\n# EOF\n\n',
  'a 1\n\n# EOF\n',
  '# EOF\n',
  ' a 1\n# EOF\n',
  'a  1\n# EOF\n',
  'a 1 \n# EOF\n',
  'a\t1\n# EOF\n',
  'a{x="1",y="2"} 1\n# EOF\n',
  'a{x="1", y="2"} 1\n# EOF\n',
  'a{x="1"}1\n# EOF\n',
  'a{x="two\nlines"} 1\n# EOF\n',
  `a 1 ${now / 1000}\n# EOF\n`,
  'a 1 NaN\n# EOF\n',
  'a 1 x\n# EOF\n',
  '# comment\na 1\n# EOF\n',
  '#comment\na 1\n# EOF\n',
  '# TYPE a counter\na_total 1\n# EOF\n',
  '# TYPE a untyped\na 1\n# EOF\n',
  '# TYPE a unknown\na 1\n# EOF\n',
  '# TYPE a stateset\na{a="x"} 1\n# EOF\n',
  '# TYPE a\n# EOF\n',
  '# HELP a\n# EOF\n',
  '# HELP a help "x" \\n\na 1\n# EOF\n',
  '# UNIT a_seconds seconds\na_seconds 1\n# EOF\n',
  '# UNIT a seconds\na 1\n# EOF\n',
  '# UNIT a_seconds \na_seconds 1\n# EOF\n',
  '# NOTHING a b\na 1\n# EOF\n',
  'a_total 1 # {x="y"} 1\n# EOF\n',
  'a_total 1 # {x="y"} 1 1.5\n# EOF\n',
  'a_total 1 # {x="y"} \n# EOF\n',
  'a_total 1 # {x="y"}\n# EOF\n',
  'a_total 1 # {} 1\n# EOF\n',
  'a_total 1 # {x} 1\n# EOF\n',
  'a_total 1 # x\n# EOF\n',
  'a 1 #\n# EOF\n',
  'a_total 1 # {x="y"} 1 NaN\n# EOF\n',
  'a_total 1 # {x="y"} 1 1 1\n# EOF\n',
];

function delimited(write: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  writer.message(1, write);
  return writer.bytes().slice(1);
}

function family(name: string, type: number, metric: (writer: WireWriter) => void): Uint8Array {
  return delimited((writer) => {
    writer.string(1, name);
    writer.string(2, 'helps');
    writer.int(3, type);
    writer.message(4, (inner) => {
      inner.message(1, () => {
        writer.string(1, 'a');
        writer.string(2, 'b');
      });
      metric(writer);
    });
  });
}

const counter = family('c_total', 0, (writer) => writer.message(3, () => writer.double(1, 3)));
const summary = family('s', 2, (writer) =>
  writer.message(4, () => {
    writer.int(1, 4);
    writer.double(2, 5);
    writer.message(3, () => {
      writer.double(1, 0.5);
      writer.double(2, 7);
    });
  }),
);
const buckets = (writer: WireWriter) => {
  writer.int(1, 4);
  writer.double(2, 10);
  writer.message(3, () => {
    writer.int(1, 1);
    writer.double(2, 0.5);
  });
};
const classic = family('h', 4, (writer) => writer.message(7, () => buckets(writer)));
const native = family('n', 4, (writer) =>
  writer.message(7, () => {
    writer.int(1, 5);
    writer.double(2, 10);
    writer.sint(5, 3);
    writer.double(6, 0.001);
    writer.int(7, 1);
    writer.message(12, () => {
      writer.sint(1, 1);
      writer.int(2, 2);
    });
    writer.packedSints(13, [1, 2]);
  }),
);
const pb = (...parts: Uint8Array[]): ScriptedAnswer => ({ type: PROTOBUF, body: Buffer.concat(parts) });

const PROTOBUFS: readonly ScriptedAnswer[] = [
  pb(counter, summary, classic),
  pb(native, counter),
  pb(counter.slice(0, -3)),
  pb(
    delimited((writer) => writer.string(1, 'empty')),
    counter,
  ),
];

export const BODIES: Script = Object.fromEntries([
  ...TEXTS.map((body, i) => [`/plain/text-${i}`, [body]] as const),
  ...OPEN_METRICS_TEXTS.map((body, i) => [`/plain/om-${i}`, [om(body)]] as const),
  ...PROTOBUFS.map((answer, i) => [`/native/pb-${i}`, [answer]] as const),
]);
