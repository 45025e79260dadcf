import { formatFixed, quote } from '../../promql/parser/go-text.ts';
import { formatG, isList, isMap, printValue, type Value, withExponent } from './value.ts';

const VERB = /%([-+# 0]*)(\d+|\*)?(?:\.(\d+|\*)?)?(.|$)/gsu;
const WIDTH_MAX = 10_000;

interface Spec {
  readonly flags: string;
  readonly width: number;
  /** -1: not given. */
  readonly precision: number;
  readonly verb: string;
}

/** Go's `fmt.Sprintf` for what templates have: strings, ints, floats, booleans, maps, lists. */
export function sprintf(format: string, args: readonly Value[]): string {
  let next = 0;
  const star = () => {
    const value = args[next++];
    return typeof value === 'bigint' ? Math.min(Number(value), WIDTH_MAX) : 0;
  };
  const text = format.replace(
    VERB,
    (
      whole: string,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      verb: string,
    ) => {
      if (verb === '') return '%!(NOVERB)';
      const spec: Spec = {
        flags,
        width: width === '*' ? star() : Math.min(Number(width ?? 0), WIDTH_MAX),
        precision:
          !whole.includes('.') || verb === '.'
            ? -1
            : precision === '*'
              ? star()
              : Math.min(Number(precision ?? 0), 100),
        verb,
      };
      if (verb === '%') return '%';
      if (next >= args.length) return `%!${verb}(MISSING)`;
      return padded(formatted(args[next++], spec), spec);
    },
  );
  const extra = args.slice(next).map((value) => `${typeName(value)}=${printValue(value)}`);
  return extra.length > 0 ? `${text}%!(EXTRA ${extra.join(', ')})` : text;
}

function formatted(value: Value, spec: Spec): string {
  const { verb } = spec;
  if (verb === 'v')
    return typeof value === 'number' ? signed(formatG(value, spec.precision), spec) : vText(value);
  if (verb === 'T') return typeName(value);
  const text =
    typeof value === 'number'
      ? floatText(value, spec)
      : typeof value === 'bigint'
        ? intText(value, spec)
        : typeof value === 'boolean'
          ? verb === 't'
            ? String(value)
            : undefined
          : typeof value === 'string'
            ? stringText(value, spec)
            : verb === 's'
              ? printValue(value)
              : undefined;
  return text ?? `%!${verb}(${typeName(value)}=${vText(value)})`;
}

function vText(value: Value): string {
  return value === undefined ? '<nil>' : printValue(value);
}

function floatText(value: number, spec: Spec): string | undefined {
  const { verb, precision } = spec;
  const decimals = precision < 0 ? 6 : precision;
  if (!Number.isFinite(value) && 'fFeEgG'.includes(verb)) return signed(formatG(value, -1), spec);
  switch (verb) {
    case 'f':
    case 'F':
      return signed(formatFixed(value, decimals), spec);
    case 'e':
    case 'E': {
      const [mantissa, power] = value.toExponential(decimals).split('e');
      const text = withExponent(mantissa, Number(power));
      return signed(verb === 'E' ? text.toUpperCase() : text, spec);
    }
    case 'g':
    case 'G': {
      const text = formatG(value, precision);
      return signed(verb === 'G' ? text.toUpperCase() : text, spec);
    }
  }
  return undefined;
}

const RADIX: Readonly<Record<string, number>> = { d: 10, x: 16, X: 16, o: 8, b: 2 };

function intText(value: bigint, spec: Spec): string | undefined {
  const { verb } = spec;
  const point = Number(value);
  if (verb === 'c') return String.fromCodePoint(point >= 0 && point <= 0x10ffff ? point : 0xfffd);
  if (verb === 'U') return `U+${point.toString(16).toUpperCase().padStart(4, '0')}`;
  if (verb === 'q') return `'${String.fromCodePoint(point)}'`;
  const radix = RADIX[verb];
  if (radix === undefined) return undefined;
  const digits = value.toString(radix);
  return signed(verb === 'X' ? digits.toUpperCase() : digits, spec);
}

function stringText(value: string, { verb, precision }: Spec): string | undefined {
  const cut = precision < 0 ? value : [...value].slice(0, precision).join('');
  if (verb === 's') return cut;
  if (verb === 'q') return quote(cut);
  if (verb !== 'x' && verb !== 'X') return undefined;
  const hex = Array.from(new TextEncoder().encode(cut), (byte) => byte.toString(16).padStart(2, '0')).join(
    '',
  );
  return verb === 'X' ? hex.toUpperCase() : hex;
}

function signed(text: string, { flags }: Spec): string {
  if (/^[+-]/.test(text)) return text.startsWith('+Inf') && !flags.includes('+') ? text : text;
  return flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;
}

function padded(text: string, { flags, width }: Spec): string {
  const missing = width - [...text].length;
  if (missing <= 0) return text;
  if (flags.includes('-')) return text + ' '.repeat(missing);
  if (!flags.includes('0') || !/^[+-]?\d/.test(text)) return ' '.repeat(missing) + text;
  const sign = /^[+-]/.test(text) ? text[0] : '';
  return sign + '0'.repeat(missing) + text.slice(sign.length);
}

/** Go's name of a value's type. */
export function typeName(value: Value): string {
  if (typeof value === 'bigint') return 'int';
  if (typeof value === 'number') return 'float64';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (value === undefined) return '<nil>';
  if (isMap(value)) return 'map[string]string';
  return isList(value) ? 'template.queryResult' : value instanceof Date ? '*time.Time' : '*template.sample';
}
