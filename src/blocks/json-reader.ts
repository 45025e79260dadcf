import { VeronaError } from '../model/errors.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Takes a JSON document of a bucket apart, or throws `corrupt` naming the document and what is wrong with it. */
export class JsonReader {
  readonly #where: string;

  constructor(where: string) {
    this.#where = where;
  }

  parse(data: Uint8Array): unknown {
    try {
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(data));
    } catch (cause) {
      throw new VeronaError('corrupt', `${this.#where}: not JSON in UTF-8`, { cause });
    }
  }

  /** The document as an object of version 1. */
  document(data: Uint8Array): Json {
    const root = this.object(this.parse(data), 'document');
    if (root.version !== 1) this.fail(`version is ${show(root.version)}, only 1 is known`);
    return root;
  }

  fail(text: string): never {
    throw new VeronaError('corrupt', `${this.#where}: ${text}`);
  }

  object(value: unknown, name: string): Json {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      this.fail(`${name} is no object`);
    return value as Json;
  }

  text(value: unknown, name: string): string {
    return typeof value === 'string' ? value : this.fail(`${name} is ${show(value)}, not a text`);
  }

  /** Go writes no field for an empty text. */
  optionalText(value: unknown, name: string): string {
    return value === undefined || value === null ? '' : this.text(value, name);
  }

  integer(value: unknown, name: string): number {
    return Number.isSafeInteger(value)
      ? (value as number)
      : this.fail(`${name} is ${show(value)}, not an integer`);
  }

  /** Go writes no field for 0. */
  count(value: unknown, name: string): number {
    const count = value === undefined || value === null ? 0 : this.integer(value, name);
    return count >= 0 ? count : this.fail(`${name} is ${count}`);
  }

  list(value: unknown, name: string): readonly unknown[] {
    if (value === undefined || value === null) return [];
    return Array.isArray(value) ? value : this.fail(`${name} is no list`);
  }

  texts(value: unknown, name: string): Readonly<Record<string, string>> {
    const entries = Object.entries(this.object(value ?? {}, name));
    return Object.fromEntries(entries.map(([key, text]) => [key, this.text(text, `${name}.${key}`)]));
  }
}

/** Whether a JSON object ends before its last brace, as an upload leaves it that broke off. */
export function isCutOff(data: Uint8Array): boolean {
  let depth = 0;
  let isText = false;
  const text = new TextDecoder().decode(data);
  for (let i = 0; i < text.length; i++) {
    const character = text[i];
    if (isText && character === '\\') i++;
    else if (character === '"') isText = !isText;
    else if (!isText && character === '{') depth++;
    else if (!isText && character === '}' && --depth === 0) return false;
  }
  return true;
}

/** A value for a message, cut short. */
export function show(value: unknown): string {
  return (JSON.stringify(value) ?? 'missing').slice(0, 60);
}
