import { formatFloat } from '../../encoding/number-text.ts';
import type { Matcher } from '../../model/matcher.ts';
import type { PlanNode, SelectorSource } from './node.ts';

/**
 * A part of a plan whose rows come of one series each (`chainSource`), as PromQL that gives the same at the same steps: times and
 * durations are the resolved ones, in milliseconds. Undefined for what the language has no fixed words for.
 */
export function promqlText(node: PlanNode): string | undefined {
  switch (node.kind) {
    case 'number':
      return formatFloat(node.value);
    case 'select':
      return selectorText(node.source, '');
    case 'windows':
      return selectorText(node.source, `[${node.range}ms]`);
    case 'negate':
      return wrapped('-', promqlText(node.child));
    case 'step-invariant':
      return promqlText(node.child);
    case 'call': {
      const args = node.args.map(promqlText);
      return args.includes(undefined) ? undefined : `${node.name}(${args.join(', ')})`;
    }
    case 'binary': {
      const left = promqlText(node.left);
      const right = promqlText(node.right);
      const op = `${node.op}${node.returnBool ? ' bool' : ''}`;
      return left === undefined || right === undefined ? undefined : `(${left}) ${op} (${right})`;
    }
    default:
      return undefined;
  }
}

function wrapped(before: string, inner: string | undefined): string | undefined {
  return inner === undefined ? undefined : `${before}(${inner})`;
}

function selectorText(source: SelectorSource, range: string): string | undefined {
  if (source.mode !== 'plain' || source.readOffset !== undefined) return undefined;
  const at = source.at === undefined ? '' : ` @ ${(source.at / 1000).toFixed(3)}`;
  const offset = source.offset === 0 ? '' : ` offset ${source.offset}ms`;
  return `{${source.matchers.map(matcherText).join(',')}}${range}${at}${offset}`;
}

/** A name that is no identifier is quoted. */
function matcherText({ name, type, value }: Matcher): string {
  const text = /^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name) ? name : JSON.stringify(name);
  return `${text}${type}${JSON.stringify(value)}`;
}
