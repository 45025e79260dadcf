import type { OtlpRequest } from '../otlp.ts';

/** One metric of each kind, with everything a point can have. Times are ms of the epoch in whole seconds. */
export const OTLP_REQUEST: OtlpRequest = {
  resourceMetrics: [
    {
      attributes: [
        ['service.name', 'shop'],
        ['service.namespace', 'web'],
        ['service.instance.id', 'i-1'],
        ['host.name', 'h1'],
        ['ports', [80n, 'x', true, 1.5, undefined]],
        ['nested', { pairs: [['b', 2n], ['a', [1n]]] }],
        ['raw', Uint8Array.of(1, 2, 255)],
      ],
      scopeMetrics: [
        {
          name: 'lib',
          version: '1.2',
          schemaUrl: 'https://schema',
          attributes: [['flavour', 'x']],
          metrics: [
            {
              name: 'memory.usage',
              description: 'Memory in use',
              unit: 'By',
              data: {
                kind: 'gauge',
                points: [
                  { attributes: [['pool', 'heap']], startT: 0, t: 5000, noRecordedValue: false, value: 1.5, exemplars: [] },
                ],
              },
            },
            {
              name: 'http.requests',
              description: 'Requests',
              unit: '{request}',
              data: {
                kind: 'sum',
                temporality: 'cumulative',
                isMonotonic: true,
                points: [
                  {
                    attributes: [['http.method', 'GET'], ['ok', true]],
                    startT: 1000,
                    t: 5000,
                    noRecordedValue: false,
                    value: 42,
                    exemplars: [
                      {
                        t: 4000,
                        value: 1,
                        traceId: '000102030405060708090a0b0c0d0e0f',
                        spanId: '0001020304050607',
                        attributes: [['user', 'u1']],
                      },
                    ],
                  },
                ],
              },
            },
            {
              name: 'http.duration',
              description: 'Duration',
              unit: 's',
              data: {
                kind: 'histogram',
                temporality: 'cumulative',
                points: [
                  {
                    attributes: [],
                    startT: 1000,
                    t: 5000,
                    noRecordedValue: false,
                    count: 6,
                    sum: 3.5,
                    bucketCounts: [1, 2, 3],
                    bounds: [0.25, 1],
                    exemplars: [{ t: 4000, value: 0.5, traceId: '', spanId: '', attributes: [['user', 'u2']] }],
                  },
                ],
              },
            },
            {
              name: 'latency',
              description: '',
              unit: 'ms',
              data: {
                kind: 'exponential_histogram',
                temporality: 'cumulative',
                points: [
                  {
                    attributes: [],
                    startT: 1000,
                    t: 5000,
                    noRecordedValue: false,
                    count: 11,
                    sum: 20,
                    scale: 3,
                    zeroCount: 1,
                    zeroThreshold: 0.001,
                    positive: { offset: -1, counts: [1, 2, 0, 3] },
                    negative: { offset: 4, counts: [4] },
                    exemplars: [],
                  },
                ],
              },
            },
            {
              name: 'rpc.time',
              description: '',
              unit: '1',
              data: {
                kind: 'summary',
                points: [
                  {
                    attributes: [],
                    startT: 1000,
                    t: 5000,
                    noRecordedValue: false,
                    count: 3,
                    sum: 9,
                    quantiles: [{ quantile: 0.5, value: 2 }, { quantile: 0.99, value: 7 }],
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  ],
};

/** The same as OTLP's JSON. */
export const OTLP_JSON = {
  resourceMetrics: [
    {
      resource: {
        attributes: [
          { key: 'service.name', value: { stringValue: 'shop' } },
          { key: 'service.namespace', value: { stringValue: 'web' } },
          { key: 'service.instance.id', value: { stringValue: 'i-1' } },
          { key: 'host.name', value: { stringValue: 'h1' } },
          {
            key: 'ports',
            value: {
              arrayValue: {
                values: [{ intValue: '80' }, { stringValue: 'x' }, { boolValue: true }, { doubleValue: 1.5 }, {}],
              },
            },
          },
          {
            key: 'nested',
            value: {
              kvlistValue: {
                values: [
                  { key: 'b', value: { intValue: 2 } },
                  { key: 'a', value: { arrayValue: { values: [{ intValue: '1' }] } } },
                ],
              },
            },
          },
          { key: 'raw', value: { bytesValue: 'AQL/' } },
        ],
        droppedAttributesCount: 0,
      },
      scopeMetrics: [
        {
          scope: { name: 'lib', version: '1.2', attributes: [{ key: 'flavour', value: { stringValue: 'x' } }] },
          schemaUrl: 'https://schema',
          metrics: [
            {
              name: 'memory.usage',
              description: 'Memory in use',
              unit: 'By',
              gauge: {
                dataPoints: [
                  {
                    attributes: [{ key: 'pool', value: { stringValue: 'heap' } }],
                    timeUnixNano: '5000000000',
                    asDouble: 1.5,
                  },
                ],
              },
            },
            {
              name: 'http.requests',
              description: 'Requests',
              unit: '{request}',
              sum: {
                aggregationTemporality: 2,
                isMonotonic: true,
                dataPoints: [
                  {
                    attributes: [
                      { key: 'http.method', value: { stringValue: 'GET' } },
                      { key: 'ok', value: { boolValue: true } },
                    ],
                    startTimeUnixNano: '1000000000',
                    timeUnixNano: '5000000000',
                    asInt: '42',
                    exemplars: [
                      {
                        timeUnixNano: '4000000000',
                        asInt: 1,
                        traceId: '000102030405060708090A0B0C0D0E0F',
                        spanId: '0001020304050607',
                        filteredAttributes: [{ key: 'user', value: { stringValue: 'u1' } }],
                      },
                    ],
                  },
                ],
              },
            },
            {
              name: 'http.duration',
              description: 'Duration',
              unit: 's',
              histogram: {
                aggregationTemporality: 'AGGREGATION_TEMPORALITY_CUMULATIVE',
                dataPoints: [
                  {
                    startTimeUnixNano: '1000000000',
                    timeUnixNano: '5000000000',
                    count: '6',
                    sum: 3.5,
                    bucketCounts: ['1', '2', '3'],
                    explicitBounds: [0.25, 1],
                    exemplars: [
                      {
                        timeUnixNano: '4000000000',
                        asDouble: 0.5,
                        filteredAttributes: [{ key: 'user', value: { stringValue: 'u2' } }],
                      },
                    ],
                  },
                ],
              },
            },
            {
              name: 'latency',
              unit: 'ms',
              exponentialHistogram: {
                aggregationTemporality: 2,
                dataPoints: [
                  {
                    startTimeUnixNano: '1000000000',
                    timeUnixNano: '5000000000',
                    count: '11',
                    sum: 20,
                    scale: 3,
                    zeroCount: '1',
                    zeroThreshold: 0.001,
                    positive: { offset: -1, bucketCounts: ['1', '2', '0', '3'] },
                    negative: { offset: 4, bucketCounts: ['4'] },
                  },
                ],
              },
            },
            {
              name: 'rpc.time',
              unit: '1',
              summary: {
                dataPoints: [
                  {
                    startTimeUnixNano: '1000000000',
                    timeUnixNano: '5000000000',
                    count: '3',
                    sum: 9,
                    quantileValues: [
                      { quantile: 0.5, value: 2 },
                      { quantile: 0.99, value: 7 },
                    ],
                  },
                ],
              },
            },
          ],
        },
      ],
    },
  ],
};
