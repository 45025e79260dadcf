import { expect, test } from 'vitest';
import { noTracer, openTelemetryTracer } from './trace.ts';

test('without OpenTelemetry the error says what to install', async () => {
  await expect(openTelemetryTracer('@opentelemetry/not-installed')).rejects.toThrow(
    'npm install @opentelemetry/not-installed',
  );
});

test('the default takes spans and does nothing', () => {
  const span = noTracer.startRequest('GET /', {});
  span.setAttribute('a', 1);
  expect(span.end()).toBeUndefined();
});
