import { expect, test } from 'vitest';
import type { CompactorJob } from './job.ts';
import { compactorPage } from './page.ts';
import { Progress } from './progress.ts';

const HOUR = 3_600_000;

function job(kind: CompactorJob['kind'], bytes: number): CompactorJob {
  const ref = {
    tenant: 'acme',
    ulid: '01HF0000000000000000000001',
    folder: 'acme/01',
    layout: 'tenant',
  } as const;
  const block = {
    ref,
    mint: 0,
    maxt: 2 * HOUR,
    sizes: new Map([['index', bytes]]),
    replica: '',
    deletions: [],
  };
  return {
    kind,
    id: `acme/${kind}`,
    tenant: 'acme',
    labels: {},
    resolutionMs: 0,
    blocks: [block, block],
    shards: 1,
    deletions: [],
    appliedDeletions: [],
  };
}

test('the page tells what is to be done and how long that may take, what runs, and what was set aside', () => {
  const progress = new Progress();
  const jobs = [job('compact', 1 << 20), job('downsample', 1 << 20)];
  progress.tenants.set('acme', {
    jobs,
    deletions: 3,
    quarantined: [{ ulid: '01BAD', reason: 'bad\nchecksum' }],
  });
  progress.tenants.set('beta', { jobs: [], quarantined: [], problem: 'bucket away' });
  expect(progress.todo()).toEqual({ jobs: 2, blocks: 4, bytes: 4 << 20 });
  expect(progress.todo('compact')).toEqual({ jobs: 1, blocks: 2, bytes: 2 << 20 });
  expect(compactorPage(progress, 2, 0)).toMatch(/^to do: 2 jobs over 4 blocks, 4.0 MiB\n/);
  // 1 MiB a second and two at once.
  progress.noteSpeed(2 << 20, 2000);
  expect(progress.etaSeconds(2)).toBe(2);
  progress.running.add({ job: jobs[0], startedMs: 1000, progress: { step: 'merge', done: 0.5 } });
  progress.running.add({ job: jobs[1], startedMs: 1000, progress: { step: 'wait', done: 0 } });
  progress.shortages.set('acme/compact', 'needs\n more');
  progress.failures.set('acme/downsample', 'bucket\n away');
  expect(compactorPage(progress, 2, 61_000).split('\n')).toEqual([
    'to do: 2 jobs over 4 blocks, 4.0 MiB, about 2s',
    'running: 2 of at most 2',
    '  compact acme: 2 blocks, 2.0 MiB, merge 50% after 1m',
    '  downsample acme: 2 blocks, 2.0 MiB, waiting for disk after 1m',
    'waiting for disk: 1',
    'failed, to be tried again: 1',
    '',
    'tenant acme: 2 jobs to do',
    '  3 deletions of series that blocks are to be rewritten for',
    '  compact 1970-01-01 00:00 … 1970-01-01 02:00, 2 blocks, 2.0 MiB, waits for disk: "needs\\n more"',
    '  downsample 1970-01-01 00:00 … 1970-01-01 02:00, 2 blocks, 2.0 MiB, failed: "bucket\\n away"',
    '  set aside 01BAD: "bad\\nchecksum"',
    '',
    'tenant beta: not looked after: bucket away',
    '',
    '',
  ]);
});
