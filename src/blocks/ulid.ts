const ULID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Whether a name is a block's: 26 characters of Crockford's base 32, of 128 bits. */
export function isUlid(name: string): boolean {
  return ULID.test(name);
}
