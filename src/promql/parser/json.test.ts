import { expect, test } from 'vitest';
import { exprToJson } from './json.ts';
import { parseExpr } from './parse.ts';

test('a tree in JSON has the keys that Prometheus gives it', () => {
  const expr = parseExpr(
    'topk(3, rate(foo{a="b"}[5m] offset -1m @ end())) > bool on (x) group_left (y) last_over_time(bar[2h:step()])',
  );
  expect(exprToJson(expr)).toMatchInlineSnapshot(`
    {
      "bool": true,
      "lhs": {
        "expr": {
          "args": [
            {
              "anchored": false,
              "matchers": [
                {
                  "name": "a",
                  "type": "=",
                  "value": "b",
                },
                {
                  "name": "__name__",
                  "type": "=",
                  "value": "foo",
                },
              ],
              "name": "foo",
              "offset": -60000,
              "offsetExpr": null,
              "range": 300000,
              "rangeExpr": null,
              "smoothed": false,
              "startOrEnd": "end",
              "timestamp": null,
              "type": "matrixSelector",
            },
          ],
          "func": {
            "argTypes": [
              "matrix",
            ],
            "name": "rate",
            "returnType": "vector",
            "variadic": 0,
          },
          "type": "call",
        },
        "grouping": [],
        "op": "topk",
        "param": {
          "type": "numberLiteral",
          "val": "3",
        },
        "type": "aggregation",
        "without": false,
      },
      "matching": {
        "card": "many-to-one",
        "fillValues": {
          "lhs": null,
          "rhs": null,
        },
        "include": [
          "y",
        ],
        "labels": [
          "x",
        ],
        "on": true,
      },
      "op": ">",
      "rhs": {
        "args": [
          {
            "expr": {
              "anchored": false,
              "matchers": [
                {
                  "name": "__name__",
                  "type": "=",
                  "value": "bar",
                },
              ],
              "name": "bar",
              "offset": 0,
              "offsetExpr": null,
              "smoothed": false,
              "startOrEnd": null,
              "timestamp": null,
              "type": "vectorSelector",
            },
            "offset": 0,
            "offsetExpr": null,
            "range": 7200000,
            "rangeExpr": null,
            "startOrEnd": null,
            "step": 0,
            "stepExpr": {
              "lhs": null,
              "op": "step",
              "rhs": null,
              "type": "durationExpr",
              "wrapped": false,
            },
            "timestamp": null,
            "type": "subquery",
          },
        ],
        "func": {
          "argTypes": [
            "matrix",
          ],
          "name": "last_over_time",
          "returnType": "vector",
          "variadic": 0,
        },
        "type": "call",
      },
      "type": "binaryExpr",
    }
  `);
});

test('literals keep their text forms', () => {
  expect(exprToJson(parseExpr('-Inf'))).toEqual({ type: 'numberLiteral', val: '-Inf' });
  expect(exprToJson(parseExpr('5m'))).toEqual({ type: 'numberLiteral', val: '300' });
  expect(exprToJson(parseExpr('"a\\n"'))).toEqual({ type: 'stringLiteral', val: 'a\n' });
});
