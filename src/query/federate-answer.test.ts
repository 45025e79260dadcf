import { expect, test } from 'vitest';
import { BatchDecoder } from '../chunkenc/batch-decoder.ts';
import { QueryKernel } from '../kernel/query-kernel.ts';
import { Labels } from '../model/labels.ts';
import { Matcher } from '../model/matcher.ts';
import { STALE_NAN } from '../model/sample.ts';
import { MemoryStorage } from '../storage/memory-storage.ts';
import { answerFederate } from './federate-answer.ts';

test('the newest samples are given by metric, with an instance that is empty where a series has none', async () => {
  const storage = new MemoryStorage();
  const appender = storage.appender();
  const append = (labels: Record<string, string>, t: number, v: number) =>
    appender.append(Labels.from(labels), t, v);
  append({ __name__: 'b', text: 'x"\\\n' }, 90_000, 1);
  append({ __name__: 'b', text: 'x"\\\n' }, 100_000, Number.POSITIVE_INFINITY);
  append({ __name__: 'a', instance: 'i' }, 100_000, 0.5);
  append({ __name__: 'a' }, 100_000, 2);
  append({ __name__: 'gone' }, 90_000, 1);
  append({ __name__: 'gone' }, 100_000, STALE_NAN);
  append({ __name__: 'old' }, 1000, 1);
  await appender.commit();
  const job = { matcherSets: [[new Matcher('=~', '__name__', '.+')]], timeMs: 110_000 };
  const decoder = new BatchDecoder(new QueryKernel());
  const { parts } = await answerFederate(job, storage, decoder, 60_000, new AbortController().signal);
  expect(Buffer.concat(parts).toString()).toBe(`# TYPE a untyped
a{instance=""} 2 100000
a{instance="i"} 0.5 100000
# TYPE b untyped
b{text="x\\"\\\\\\n",instance=""} +Inf 100000
`);
});
