import type { RealProcess } from '../e2e/process.ts';
import { median } from './table.ts';

/** What one request costs a server that has answered it before. */
export interface Figure {
  /** Median. */
  readonly wallMs: number;
  readonly cpuMs: number;
  /** How much resident memory rose above what it was before, at most. */
  readonly peakBytes: number;
  readonly answerBytes: number;
}

const WARM_UPS = 2;

/** Asks for `url` a few times. Throws when the server refuses. */
export async function timeUrl(server: RealProcess, url: string, runs: number): Promise<Figure> {
  for (let i = 0; i < WARM_UPS; i++) await ask(url);
  const walls: number[] = [];
  let answerBytes = 0;
  server.resetPeak();
  const before = server.memory().resident;
  const cpuBefore = server.cpuSeconds();
  for (let i = 0; i < runs; i++) {
    const begin = performance.now();
    answerBytes = await ask(url);
    walls.push(performance.now() - begin);
  }
  return {
    wallMs: median(walls),
    cpuMs: ((server.cpuSeconds() - cpuBefore) * 1000) / runs,
    peakBytes: Math.max(0, server.memory().peak - before),
    answerBytes,
  };
}

async function ask(url: string): Promise<number> {
  const response = await fetch(url);
  const body = await response.arrayBuffer();
  if (!response.ok)
    throw new Error(`${url}: ${response.status} ${Buffer.from(body).toString().slice(0, 300)}`);
  return body.byteLength;
}
