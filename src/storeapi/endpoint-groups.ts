import type { Endpoint } from './endpoint-set.ts';

/** An endpoint as it was asked, and the group it is a member of, if any. */
export interface GroupedEndpoint {
  readonly endpoint: Endpoint;
  readonly group: string | undefined;
}

/**
 * Endpoints with each group as one under its name: what a member says that answers stands for all, as they hold the same. A
 * group without a member that answers is what its last known member was.
 */
export function joinGroups(
  known: readonly GroupedEndpoint[],
  groups: ReadonlyMap<string, Endpoint>,
): readonly Endpoint[] {
  const single = known.filter(({ group }) => group === undefined).map(({ endpoint }) => endpoint);
  const joined = [...groups].map(([name, absent]) =>
    joinMembers(
      absent,
      known.filter(({ group }) => group === name).map(({ endpoint }) => endpoint),
    ),
  );
  return [...single, ...joined];
}

function joinMembers(absent: Endpoint, members: readonly Endpoint[]): Endpoint {
  const healthy = members.filter((member) => member.healthy);
  const described = members.filter(({ component }) => component !== '');
  const speaker = healthy[0] ?? described[0] ?? members[0] ?? absent;
  const { address, strict } = absent;
  return {
    ...speaker,
    address,
    strict,
    mint: Math.min(speaker.mint, ...described.map(({ mint }) => mint)),
    maxt: Math.max(speaker.maxt, ...described.map(({ maxt }) => maxt)),
    // Those that do not answer are tried when nobody does.
    members: (healthy.length > 0 ? healthy : members).map((member) => member.address),
    lastError: healthy.length > 0 ? '' : membersError(members, absent),
  };
}

function membersError(members: readonly Endpoint[], absent: Endpoint): string {
  if (members.length === 0) return absent.lastError;
  return members.map(({ address, lastError }) => `${address}: ${lastError}`).join('; ');
}
