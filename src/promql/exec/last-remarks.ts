import type { Span } from '../parser/ast.ts';
import type { OperationRemarks } from './cell-operation.ts';
import type { QueryContext } from './query-context.ts';

/** Remarks of an operator on vectors: as in Prometheus, of each step the last one only. */
export class LastRemarks implements OperationRemarks {
  /** The step that is worked on. */
  step = 0;
  readonly #byStep: ({ readonly level: 'warn' | 'info'; readonly message: string } | undefined)[] = [];

  warn(message: string): void {
    this.#byStep[this.step] = { level: 'warn', message };
  }

  info(message: string): void {
    this.#byStep[this.step] = { level: 'info', message };
  }

  /** Hands them on, once. */
  make(context: QueryContext, span: Span): void {
    for (const remark of this.#byStep) if (remark) context[remark.level](remark.message, span);
    this.#byStep.length = 0;
  }
}
