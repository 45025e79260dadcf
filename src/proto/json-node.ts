import { VeronaError } from '../model/errors.ts';

/** A value inside parsed JSON that knows its place, for protobuf's JSON form: absent and null fields have their default. */
export class JsonNode {
  readonly value: unknown;
  /** `resourceMetrics[0].scopeMetrics` */
  readonly path: string;

  constructor(value: unknown, path: string) {
    this.value = value;
    this.path = path;
  }

  /** Throws `bad_data` when the text is no JSON. */
  static parse(text: string): JsonNode {
    try {
      return new JsonNode(JSON.parse(text), '');
    } catch (cause) {
      throw new VeronaError('bad_data', `JSON: ${(cause as Error).message}`, { cause });
    }
  }

  /** The field of an object, or undefined. */
  get(key: string): JsonNode | undefined {
    const { value } = this;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw this.wrong('an object');
    const inner = Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined;
    if (inner === undefined || inner === null) return undefined;
    return new JsonNode(inner, this.path === '' ? key : `${this.path}.${key}`);
  }

  /** The elements of a field that is a list. */
  list(key: string): JsonNode[] {
    const node = this.get(key);
    if (!node) return [];
    if (!Array.isArray(node.value)) throw node.wrong('a list');
    return node.value.map((inner, i) => new JsonNode(inner, `${node.path}[${i}]`));
  }

  text(key: string): string {
    const node = this.get(key);
    if (!node) return '';
    if (typeof node.value !== 'string') throw node.wrong('a text');
    return node.value;
  }

  bool(key: string): boolean {
    const node = this.get(key);
    if (!node) return false;
    if (typeof node.value !== 'boolean') throw node.wrong('true or false');
    return node.value;
  }

  /** A number, or one of the texts protobuf has for what JSON cannot say. */
  double(key: string): number | undefined {
    return this.get(key)?.asDouble();
  }

  /** A 64-bit integer, which is a text, or a number where that is exact. */
  integer(key: string): bigint | undefined {
    return this.get(key)?.asInteger();
  }

  asDouble(): number {
    const { value } = this;
    if (typeof value === 'number') return value;
    if (value === 'NaN') return Number.NaN;
    if (value === 'Infinity') return Number.POSITIVE_INFINITY;
    if (value === '-Infinity') return Number.NEGATIVE_INFINITY;
    if (typeof value === 'string' && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(value)) return Number(value);
    throw this.wrong('a number');
  }

  asInteger(): bigint {
    const { value } = this;
    if (typeof value === 'number' && Number.isInteger(value)) return this.#bounded(BigInt(value));
    if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return this.#bounded(BigInt(value));
    throw this.wrong('an integer');
  }

  #bounded(value: bigint): bigint {
    if (value < -(2n ** 63n) || value >= 2n ** 64n) throw this.wrong('an integer of 64 bits');
    return value;
  }

  wrong(expected: string): VeronaError {
    return new VeronaError('bad_data', `JSON: ${this.path || 'the request'} is not ${expected}`);
  }
}
