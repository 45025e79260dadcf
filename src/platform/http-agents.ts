import { Agent as HttpAgent, type AgentOptions as HttpAgentOptions } from 'node:http';
import { type AgentOptions, Agent as HttpsAgent } from 'node:https';

/** Connections that are kept and used again, at most `maxSockets` per host. Closed by `destroy`. */
export function httpAgent(options: HttpAgentOptions): HttpAgent {
  return new HttpAgent({ keepAlive: true, ...options });
}

/** The same over TLS. */
export function httpsAgent(options: AgentOptions): HttpsAgent {
  return new HttpsAgent({ keepAlive: true, ...options });
}
