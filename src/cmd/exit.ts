/** Exit codes of every command. */
export const EXIT = {
  ok: 0,
  /** It started and something failed: a port in use, a folder that cannot be written, corrupt data. */
  failed: 1,
  /** The command line or the configuration is wrong; nothing was started. */
  usage: 2,
} as const;
