import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import bcrypt from 'bcrypt';

/** Who may come in. Without users and tokens everybody may. */
export interface AccessRules {
  readonly users: readonly {
    readonly name: string;
    readonly hash: string;
    readonly tenants?: readonly string[];
  }[];
  readonly tokens: readonly { readonly token: string; readonly tenants?: readonly string[] }[];
  /** Paths that need no credentials. */
  readonly openPaths: readonly string[];
}

/** Somebody who may come in: for these tenants, or for all when undefined. */
export interface Principal {
  readonly tenants: readonly string[] | undefined;
}

const EVERYBODY: Principal = { tenants: undefined };
/** Decisions remembered, since one with bcrypt costs a tenth of a second. */
const REMEMBERED_MAX = 100;
/** Checks that may wait for their turn; further ones are refused at once. */
const WAITING_MAX = 64;
/** Of no password; takes as long as that of a user. */
const NOBODY_HASH = '$2b$10$nSDEa8vmSsFJmhiakZKSVuQ5vcGyu9LhIBXYoMJxUXUbqHpuHh46e';

/**
 * Checks credentials: bearer tokens in constant time, passwords with bcrypt, one at a time and remembered by a keyed hash.
 * Unknown names take as long as wrong passwords. Holds one state of the rules; new rules are a new one.
 */
export class Access {
  readonly #rules: AccessRules;
  readonly #tokens: readonly { readonly digest: Buffer; readonly principal: Principal }[];
  readonly #key = randomBytes(32);
  readonly #good = new Map<string, Principal>();
  readonly #bad = new Map<string, undefined>();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(rules: AccessRules) {
    this.#rules = rules;
    this.#tokens = rules.tokens.map(({ token, tenants }) => ({
      digest: digestOf(token),
      principal: { tenants },
    }));
  }

  get needsCredentials(): boolean {
    return this.#rules.users.length > 0 || this.#tokens.length > 0;
  }

  /** The header that tells a client what is asked of it. */
  get challenge(): string {
    const basic = this.#rules.users.length > 0 ? ['Basic realm="Verona"'] : [];
    return [...basic, ...(this.#tokens.length > 0 ? ['Bearer'] : [])].join(', ');
  }

  /** `authorization` is the header as sent; undefined when it does not let in. */
  async admit(path: string, authorization: string | undefined): Promise<Principal | undefined> {
    if (!this.needsCredentials || this.#rules.openPaths.includes(path)) return EVERYBODY;
    const [scheme, value = ''] = splitOnce(authorization ?? '', ' ');
    if (scheme.toLowerCase() === 'bearer') return this.#admitToken(value.trim());
    if (scheme.toLowerCase() === 'basic' && this.#rules.users.length > 0)
      return this.#admitUser(Buffer.from(value, 'base64').toString('utf8'));
    return undefined;
  }

  #admitToken(token: string): Principal | undefined {
    const digest = digestOf(token);
    let found: Principal | undefined;
    // All of them are compared, whichever it is.
    for (const entry of this.#tokens) if (timingSafeEqual(entry.digest, digest)) found = entry.principal;
    return found;
  }

  async #admitUser(pair: string): Promise<Principal | undefined> {
    const id = createHmac('sha256', this.#key).update(pair).digest('base64');
    const known = this.#good.get(id);
    if (known !== undefined || this.#bad.has(id) || this.#waiting >= WAITING_MAX) return known;
    this.#waiting++;
    try {
      const check = this.#turn.then(() => this.#check(pair));
      this.#turn = check.catch(() => {});
      const found = await check;
      if (found !== undefined) remember(this.#good, id, found);
      else remember(this.#bad, id, undefined);
      return found;
    } finally {
      this.#waiting--;
    }
  }

  async #check(pair: string): Promise<Principal | undefined> {
    const [name, password = ''] = splitOnce(pair, ':');
    const user = this.#rules.users.find((one) => one.name === name);
    // bcrypt's `2y` is the same as `2b` under another name.
    const hash = (user?.hash ?? NOBODY_HASH).replace(/^\$2y/, '$2b');
    const matches = await bcrypt.compare(password, hash);
    return matches && user !== undefined ? { tenants: user.tenants } : undefined;
  }
}

function digestOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

function splitOnce(text: string, at: string): [string, string?] {
  const i = text.indexOf(at);
  return i < 0 ? [text] : [text.slice(0, i), text.slice(i + 1)];
}

function remember<V>(into: Map<string, V>, id: string, value: V): void {
  if (into.size >= REMEMBERED_MAX) for (const oldest of [...into.keys()].slice(0, 1)) into.delete(oldest);
  into.set(id, value);
}
