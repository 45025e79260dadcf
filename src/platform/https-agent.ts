import { Agent, type AgentOptions } from 'node:https';

/** Connections over TLS that are kept and used again, at most `maxSockets` per host. Closed by `destroy`. */
export function httpsAgent(options: AgentOptions): Agent {
  return new Agent({ keepAlive: true, ...options });
}
