import { MemoryStorage } from '../../storage/memory-storage.ts';
import type { Queryable } from '../../storage/querier.ts';
import type { Engine } from '../engine.ts';
import { typeOf } from '../parser/ast.ts';
import { ALL_FEATURES } from '../parser/options.ts';
import { parseExpr } from '../parser/parse.ts';
import { loadSeries, outcomeOf } from '../promqltest/subject.ts';
import type { Reference } from '../reference/reference.ts';
import { unwrapped } from '../reference/step-invariance.ts';
import type { Asked, CaseSeries } from './case.ts';
import type { Result } from './compare-outcomes.ts';

const NEVER_CANCELED = { signal: new AbortController().signal };

export async function storageOf(series: readonly CaseSeries[]): Promise<MemoryStorage> {
  const storage = new MemoryStorage();
  await loadSeries(storage, series);
  return storage;
}

export async function askEngine(
  engine: Engine,
  source: Queryable,
  query: string,
  asked: Asked,
): Promise<Result> {
  try {
    const result =
      asked.kind === 'instant'
        ? await engine.instant(NEVER_CANCELED, source, query, { timeMs: asked.t })
        : await engine.range(NEVER_CANCELED, source, query, {
            startMs: asked.start,
            endMs: asked.end,
            stepMs: asked.step,
          });
    return { outcome: outcomeOf(result) };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

export function askReference(reference: Reference, query: string, asked: Asked): Result {
  try {
    const { kind } = asked;
    const outcome =
      kind === 'instant'
        ? reference.instant(query, asked.t)
        : reference.range(query, asked.start, asked.end, asked.step);
    return { outcome };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

/** Whether the rows of an instant query come in an order that means something. */
export function isOrdered(query: string): boolean {
  const expr = unwrapped(parseExpr(query, { features: ALL_FEATURES }));
  if (typeOf(expr) !== 'vector') return false;
  if (expr.kind === 'call') return expr.func.name.startsWith('sort');
  return expr.kind === 'aggregate' && (expr.op === 'topk' || expr.op === 'bottomk');
}
