import { assertNever } from '../platform/assert.ts';

/**
 * Which step of its upload each block of one tenant is at. No I/O: events come in, things to do come out.
 *
 *   scanned ──► checking ──absent──► files (chunks…, index) ──► meta ──► recording ──► shipped
 *                  │ complete                                               ▲
 *                  └────────────────────────────────────────────────────────┘
 *   A failure anywhere sends the block to `waiting`, and after a delay back to `checking`.
 *
 * The rule behind the order: who sees a `meta.json` in the bucket may read every file of the block.
 */
export interface ShipState {
  /** Blocks in the order of their upload, oldest first. */
  readonly blocks: ReadonlyMap<string, BlockProgress>;
  /** Known to be in the bucket. */
  readonly shipped: ReadonlySet<string>;
}

export interface BlockProgress {
  readonly phase: 'ready' | 'checking' | 'files' | 'meta' | 'recording' | 'waiting' | 'given_up';
  /** Not uploaded yet, in order. */
  readonly files: readonly string[];
  readonly failures: number;
}

export type ShipEvent =
  /** What lies in the tenant's folder now, oldest first, and may be shipped. */
  | { readonly kind: 'scanned'; readonly ulids: readonly string[] }
  /** `complete`: the bucket has a valid `meta.json` of the block. `files`: what is to be uploaded if not, in the safe order. */
  | {
      readonly kind: 'checked';
      readonly ulid: string;
      readonly complete: boolean;
      readonly files: readonly string[];
    }
  | { readonly kind: 'file_uploaded'; readonly ulid: string }
  | { readonly kind: 'meta_uploaded'; readonly ulid: string }
  | { readonly kind: 'recorded'; readonly ulid: string }
  | { readonly kind: 'failed'; readonly ulid: string }
  | { readonly kind: 'due'; readonly ulid: string };

export type ShipAction =
  | { readonly kind: 'check'; readonly ulid: string }
  | { readonly kind: 'upload_file'; readonly ulid: string; readonly file: string }
  | { readonly kind: 'upload_meta'; readonly ulid: string }
  /** Write down, durably, that exactly these blocks are in the bucket. */
  | { readonly kind: 'record'; readonly ulid: string; readonly shipped: readonly string[] }
  /** Send `due` after a delay that grows with `failures`. */
  | { readonly kind: 'wait'; readonly ulid: string; readonly failures: number };

export interface ShipStep {
  readonly state: ShipState;
  readonly actions: readonly ShipAction[];
}

export interface ShipRules {
  /** Blocks under way at once. */
  readonly blocksMax: number;
  /** Failures after which a block is left until the next scan. */
  readonly failuresMax: number;
}

/** `shipped` is what an earlier process wrote down. */
export function initialShipState(shipped: readonly string[]): ShipState {
  return { blocks: new Map(), shipped: new Set(shipped) };
}

/** The next state and what to do now. Events about blocks that are no longer there are ignored. */
export function stepShip(state: ShipState, event: ShipEvent, rules: ShipRules): ShipStep {
  const { state: next, actions } = advance(state, event, rules);
  const started = startReady(next, rules);
  return { state: started.state, actions: [...actions, ...started.actions] };
}

/** Whether nothing is under way or waiting. */
export function isQuiet(state: ShipState): boolean {
  return [...state.blocks.values()].every(({ phase }) => phase === 'given_up');
}

function advance(state: ShipState, event: ShipEvent, rules: ShipRules): ShipStep {
  if (event.kind === 'scanned') return scan(state, event.ulids);
  const { ulid } = event;
  const block = state.blocks.get(ulid);
  if (!block) return { state, actions: [] };
  switch (event.kind) {
    case 'checked':
      return event.complete
        ? record(state, ulid, block)
        : nextFile(state, ulid, { ...block, files: event.files });
    case 'file_uploaded':
      return nextFile(state, ulid, { ...block, files: block.files.slice(1) });
    case 'meta_uploaded':
      return record(state, ulid, block);
    case 'recorded':
      return finish(state, ulid);
    case 'failed':
      return fail(state, ulid, block, rules);
    case 'due':
      return stay(state, ulid, { ...block, phase: 'ready' });
    default:
      return assertNever(event);
  }
}

/** Blocks under way keep their place; one that is gone from the disk is forgotten, also as shipped. */
function scan(state: ShipState, ulids: readonly string[]): ShipStep {
  const shipped = new Set(ulids.filter((ulid) => state.shipped.has(ulid)));
  const blocks = new Map<string, BlockProgress>();
  for (const ulid of ulids) {
    if (shipped.has(ulid)) continue;
    const known = state.blocks.get(ulid);
    const again = !known || known.phase === 'given_up';
    blocks.set(ulid, again ? { phase: 'ready', files: [], failures: 0 } : known);
  }
  return { state: { blocks, shipped }, actions: [] };
}

function startReady(state: ShipState, rules: ShipRules): ShipStep {
  const blocks = new Map(state.blocks);
  const actions: ShipAction[] = [];
  let running = [...blocks.values()].filter(isRunning).length;
  for (const [ulid, block] of state.blocks) {
    if (block.phase !== 'ready' || running >= rules.blocksMax) continue;
    blocks.set(ulid, { ...block, phase: 'checking' });
    actions.push({ kind: 'check', ulid });
    running++;
  }
  return { state: { ...state, blocks }, actions };
}

function isRunning({ phase }: BlockProgress): boolean {
  return phase === 'checking' || phase === 'files' || phase === 'meta' || phase === 'recording';
}

function nextFile(state: ShipState, ulid: string, block: BlockProgress): ShipStep {
  const [file] = block.files;
  if (file === undefined)
    return stay(state, ulid, { ...block, phase: 'meta' }, { kind: 'upload_meta', ulid });
  return stay(state, ulid, { ...block, phase: 'files' }, { kind: 'upload_file', ulid, file });
}

/** The block is in the bucket from here on, whether or not that can be written down. */
function record(state: ShipState, ulid: string, block: BlockProgress): ShipStep {
  const shipped = new Set(state.shipped).add(ulid);
  const action: ShipAction = { kind: 'record', ulid, shipped: [...shipped] };
  return stay({ ...state, shipped }, ulid, { ...block, phase: 'recording' }, action);
}

function finish(state: ShipState, ulid: string): ShipStep {
  const blocks = new Map(state.blocks);
  blocks.delete(ulid);
  return { state: { ...state, blocks }, actions: [] };
}

function fail(state: ShipState, ulid: string, block: BlockProgress, rules: ShipRules): ShipStep {
  const failures = block.failures + 1;
  if (failures >= rules.failuresMax) return stay(state, ulid, { ...block, phase: 'given_up', failures });
  return stay(state, ulid, { ...block, phase: 'waiting', failures }, { kind: 'wait', ulid, failures });
}

function stay(state: ShipState, ulid: string, block: BlockProgress, action?: ShipAction): ShipStep {
  const blocks = new Map(state.blocks).set(ulid, block);
  return { state: { ...state, blocks }, actions: action ? [action] : [] };
}
