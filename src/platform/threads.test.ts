import { expect, test } from 'vitest';
import { newChannel, openPort } from './threads.ts';

test('messages sent soon arrive together with others, in order, moved memory with them', async () => {
  const [near, far] = newChannel();
  const sender = openPort(near, () => {});
  const received: unknown[] = [];
  const { promise, resolve } = Promise.withResolvers<void>();
  openPort(far, () => {}).onMessage((message) => {
    received.push(message);
    if (message === 'last') resolve();
  });
  const bytes = Uint8Array.of(1, 2, 3);
  sender.postSoon({ n: 1 });
  sender.postSoon({ bytes }, [bytes.buffer]);
  sender.post('at once');
  expect(bytes.length).toBe(0);
  sender.postSoon('last');
  await promise;
  expect(received).toEqual([{ n: 1 }, { bytes: Uint8Array.of(1, 2, 3) }, 'at once', 'last']);
  near.close();
});

test('an end learns that the other is gone', async () => {
  const [near, far] = newChannel();
  const closed = new Promise<void>((resolve) => {
    openPort(near, resolve);
  });
  far.close();
  await closed;
});
