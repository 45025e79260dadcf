import { expect, test } from 'vitest';
import { LinkedSignal } from './linked-signal.ts';

test('any number of listeners hear once of the end, of the signal or of its parent, and none that went', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  for (const end of ['own', 'parent']) {
    const parent = new AbortController();
    const signal = new LinkedSignal(parent.signal);
    let heard = 0;
    for (let i = 0; i < 30; i++) signal.addEventListener('abort', () => heard++, { once: true });
    const gone = () => heard++;
    signal.addEventListener('abort', gone);
    signal.removeEventListener('abort', gone);
    if (end === 'own') signal.abort('over');
    else parent.abort('over');
    signal.abort('again');
    expect([heard, signal.aborted, signal.reason]).toEqual([30, true, 'over']);
  }
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
