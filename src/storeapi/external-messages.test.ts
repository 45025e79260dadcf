import { expect, test } from 'vitest';
import { Labels } from '../model/labels.ts';
import { withExternalLabels } from './external-messages.ts';

const set = (labels: Record<string, string>) => ({
  labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
});

const MESSAGES = [
  {
    group: {
      name: 'g',
      file: 'f',
      rules: [
        { recording: { name: 'r', labels: null } },
        {
          alert: {
            name: 'a',
            labels: set({ severity: 'page' }),
            alerts: [{ labels: set({ cluster: 'own' }) }],
          },
        },
      ],
    },
  },
  {
    targets: {
      activeTargets: [{ labels: set({ job: 'web' }) }],
      droppedTargets: [{ discoveredLabels: set({}) }],
    },
  },
  { warning: 'half of it' },
];

test('rules, alerts and targets get the labels that the series of their tenant have', async () => {
  const service = {
    service: 'rules' as const,
    methods: {
      async *Rules() {
        yield* MESSAGES;
      },
    },
  };
  const [labelled] = withExternalLabels([service], (tenant) =>
    Labels.from({ cluster: 'eu', tenant_id: tenant }),
  );
  const seen: object[] = [];
  const signal = new AbortController().signal;
  for await (const message of labelled.methods.Rules('acme', {} as never, signal)) seen.push(message);
  const external = { cluster: 'eu', tenant_id: 'acme' };
  expect(seen).toEqual([
    {
      group: {
        name: 'g',
        file: 'f',
        rules: [
          { recording: { name: 'r', labels: set(external) } },
          {
            alert: {
              name: 'a',
              labels: set({ cluster: 'eu', severity: 'page', tenant_id: 'acme' }),
              alerts: [{ labels: set(external) }],
            },
          },
        ],
      },
    },
    {
      targets: {
        activeTargets: [{ labels: set({ cluster: 'eu', job: 'web', tenant_id: 'acme' }) }],
        droppedTargets: [{ discoveredLabels: set({}) }],
      },
    },
    { warning: 'half of it' },
  ]);
});
