import { expect, test } from 'vitest';
import { SeededRandom } from '../../platform/random.ts';
import { PostingsLists } from './postings-lists.ts';

test('lists of all sizes hold what arrays hold, through growth, removal and reuse', () => {
  const random = new SeededRandom(1);
  const lists = new PostingsLists();
  const model = new Map<number, number[]>();
  let slot = 0;
  for (let i = 0; i < 3000; i++) model.set(lists.create(++slot, ++slot), [slot - 1, slot]);
  const ids = [...model.keys()];
  for (let i = 0; i < 200_000; i++) {
    // One list gets half of everything and leaves the pages.
    const id = random.next() < 0.5 ? ids[0] : ids[Math.floor(random.next() ** 3 * ids.length)];
    lists.append(id, ++slot);
    model.get(id)!.push(slot);
  }
  for (const id of ids.slice(0, 1000)) {
    const kept = model.get(id)!.filter((one) => one % 3 === 0);
    expect(lists.retain(id, (one) => one % 3 === 0)).toBe(kept.length);
    model.set(id, kept);
  }
  for (const id of ids.slice(1000, 2000)) {
    lists.remove(id);
    model.delete(id);
  }
  for (let i = 0; i < 1000; i++) {
    const id = lists.create(++slot, ++slot);
    expect(model.has(id)).toBe(false);
    model.set(id, [slot - 1, slot]);
  }
  for (const [id, slots] of model) expect([...lists.view(id)]).toEqual(slots);
});
