import type { Labels } from '../../model/labels.ts';
import type { PlainHistogram } from './plain-histogram.ts';

/** The times an expression is evaluated at: start, start + step, … up to end. ms. */
export interface Steps {
  readonly start: number;
  readonly end: number;
  readonly step: number;
}

export function timesOf({ start, end, step }: Steps): number[] {
  const times: number[] = [];
  for (let t = start; t <= end; t += step) times.push(t);
  return times;
}

export type Point = number | PlainHistogram;

/** A series with a point, or none, at each step. The name is still there although it is to be dropped at the end. */
export interface Row {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly points: readonly (Point | undefined)[];
}

/** One element of an instant vector. */
export interface Element {
  readonly labels: Labels;
  readonly dropName: boolean;
  readonly point: Point;
}

export function isFloat(point: Point | undefined): point is number {
  return typeof point === 'number';
}

export function isHistogram(point: Point | undefined): point is PlainHistogram {
  return typeof point === 'object';
}

/** The elements of a vector at one step, in the order of its rows. */
export function elementsAt(rows: readonly Row[], step: number): Element[] {
  return rows.flatMap(({ labels, dropName, points }) => {
    const point = points[step];
    return point === undefined ? [] : [{ labels, dropName, point }];
  });
}
