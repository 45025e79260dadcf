/** Host and port of `host:port`; without a host all interfaces. */
export function splitAddress(address: string): [string, number] {
  const at = address.lastIndexOf(':');
  const port = Number(address.slice(at + 1));
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  return [host === '' ? '0.0.0.0' : host, port];
}
