import { VeronaError } from '../../model/errors.ts';

/**
 * What the bundle of the module has in the place of rows that other threads and other processes compute (`build.ts` puts it
 * there): a server is given those, the module is not.
 */
class Elsewhere {
  constructor() {
    throw new VeronaError('internal', 'verona/promql evaluates in one thread of one process');
  }
}

export { Elsewhere as RemoteRows, Elsewhere as SplitRows, Elsewhere as TeamPart, Elsewhere as UnionRows };

/** Watches operators: that is told by a server only. */
export class Analysis {
  constructor() {
    throw new VeronaError('bad_data', 'verona/promql does not tell what operators did: leave out "analyze"');
  }
}

/** All of a plan is evaluated here. */
export function distribute<Plan>(plan: Plan): Plan {
  return plan;
}

export { distribute as splitBySeries };

/** No group is added up elsewhere. */
export function isMergeable(): false {
  return false;
}

export function mergeGroupStates(): void {}
