import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';

/** Answers as so many targets as one wants, under any address of loopback; its port is its first line of output. */
const { values: flags } = parseArgs({ options: { series: { type: 'string', default: '500' } } });

const FAMILY_SERIES = 10;
/** Different answers: values change from scrape to scrape, as counters do. */
const ANSWERS = 64;

const series = Number(flags.series);
const answers = Array.from({ length: ANSWERS }, (_, i) => {
  const text = Buffer.from(body(i));
  return { text, zipped: gzipSync(text) };
});
let asked = 0;

const server = createServer((request, response) => {
  const { text, zipped } = answers[asked++ % ANSWERS];
  const isZipped = /\bgzip\b/.test(String(request.headers['accept-encoding']));
  response.writeHead(200, {
    'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    ...(isZipped && { 'content-encoding': 'gzip' }),
  });
  response.end(isZipped ? zipped : text);
});
server.keepAliveTimeout = 120_000;
server.listen(0, '0.0.0.0', () => console.log((server.address() as AddressInfo).port));

function body(round: number): string {
  const lines: string[] = [];
  for (let i = 0; i < series; i++) {
    const family = `http_service_requests_${Math.floor(i / FAMILY_SERIES)}_total`;
    if (i % FAMILY_SERIES === 0)
      lines.push(`# HELP ${family} Requests by handler, method and code.`, `# TYPE ${family} counter`);
    const value = i % 3 === 0 ? 1000 + i + round * 7 : (i * 1.37 + round * 0.25).toFixed(3);
    lines.push(`${family}{code="200",handler="/api/v1/things/${i % FAMILY_SERIES}",method="GET"} ${value}`);
  }
  return `${lines.join('\n')}\n`;
}
