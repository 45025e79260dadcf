import fc from 'fast-check';
import { expect, test } from 'vitest';
import { initialShipState, isQuiet, type ShipAction, type ShipEvent, stepShip } from './ship-state.ts';

const RULES = { blocksMax: 2, failuresMax: 3 };
const kinds = (actions: readonly ShipAction[]) =>
  actions.map((action) => `${action.kind} ${action.ulid}${'file' in action ? ` ${action.file}` : ''}`);

test('one block takes its steps in the safe order', () => {
  let state = initialShipState([]);
  const feed = (event: ShipEvent) => {
    const step = stepShip(state, event, RULES);
    state = step.state;
    return kinds(step.actions);
  };
  expect(feed({ kind: 'scanned', ulids: ['A'] })).toEqual(['check A']);
  expect(feed({ kind: 'checked', ulid: 'A', complete: false, files: ['c1', 'index'] })).toEqual([
    'upload_file A c1',
  ]);
  expect(feed({ kind: 'file_uploaded', ulid: 'A' })).toEqual(['upload_file A index']);
  expect(feed({ kind: 'failed', ulid: 'A' })).toEqual(['wait A']);
  expect(feed({ kind: 'due', ulid: 'A' })).toEqual(['check A']);
  expect(feed({ kind: 'checked', ulid: 'A', complete: false, files: [] })).toEqual(['upload_meta A']);
  expect(state.shipped.has('A')).toBe(false);
  expect(feed({ kind: 'meta_uploaded', ulid: 'A' })).toEqual(['record A']);
  expect(state.shipped.has('A')).toBe(true);
  expect(feed({ kind: 'recorded', ulid: 'A' })).toEqual([]);
  expect(isQuiet(state)).toBe(true);
  expect(feed({ kind: 'scanned', ulids: ['A'] })).toEqual([]);
});

test('events about a block that is gone change nothing', () => {
  const state = stepShip(initialShipState([]), { kind: 'scanned', ulids: ['A'] }, RULES).state;
  const { state: next, actions } = stepShip(state, { kind: 'file_uploaded', ulid: 'B' }, RULES);
  expect(actions).toEqual([]);
  expect([...next.blocks.keys()]).toEqual(['A']);
});

test('in any order of answers: few blocks at once, no block twice, a meta only after all files, and it ends', () => {
  const ulids = ['A', 'B', 'C', 'D', 'E'];
  fc.assert(
    fc.property(fc.array(fc.nat(99), { maxLength: 200 }), (choices) => {
      let state = initialShipState(['A']);
      const pending: ShipAction[] = [];
      const uploaded = new Map<string, Set<string>>();
      let at = 0;
      const feed = (event: ShipEvent) => {
        const step = stepShip(state, event, RULES);
        state = step.state;
        pending.push(...step.actions);
        const running = new Set(pending.filter(({ kind }) => kind !== 'wait').map(({ ulid }) => ulid));
        expect(running.size).toBeLessThanOrEqual(RULES.blocksMax);
        expect(new Set(pending.map(({ ulid }) => ulid)).size).toBe(pending.length);
      };
      feed({ kind: 'scanned', ulids });
      while (pending.length > 0) {
        const choice = choices[at++] ?? 50;
        const [action] = pending.splice(choice % pending.length, 1);
        feed(choice % 7 === 0 ? { kind: 'failed', ulid: action.ulid } : answer(action, uploaded));
        expect(at).toBeLessThan(1000);
      }
      expect(isQuiet(state)).toBe(true);
      expect(uploaded.has('A')).toBe(false);
      for (const ulid of ulids)
        expect(state.shipped.has(ulid) || state.blocks.get(ulid)?.phase === 'given_up').toBe(true);
    }),
  );
});

function answer(action: ShipAction, uploaded: Map<string, Set<string>>): ShipEvent {
  const { ulid } = action;
  const files = uploaded.get(ulid) ?? new Set();
  switch (action.kind) {
    case 'check': {
      const missing = ['c1', 'c2', 'index'].filter((file) => !files.has(file));
      return { kind: 'checked', ulid, complete: files.has('meta'), files: missing };
    }
    case 'upload_file':
      uploaded.set(ulid, files.add(action.file));
      return { kind: 'file_uploaded', ulid };
    case 'upload_meta':
      expect([...files].sort()).toEqual(['c1', 'c2', 'index']);
      uploaded.set(ulid, files.add('meta'));
      return { kind: 'meta_uploaded', ulid };
    case 'record':
      expect(action.shipped).toContain(ulid);
      return { kind: 'recorded', ulid };
    case 'wait':
      return { kind: 'due', ulid };
  }
}
