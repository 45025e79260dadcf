import { expect, test } from 'vitest';
import { encodeLabels } from '../encoding/label-bytes.ts';
import { WireWriter } from '../encoding/protobuf.ts';
import { snappyCompress } from '../encoding/snappy.ts';
import { VeronaError } from '../model/errors.ts';
import { Labels } from '../model/labels.ts';
import { SeededRandom } from '../platform/random.ts';
import { type HeadMemory, IngestEvent, type IngestEventDetail, SampleOutcome } from './head-memory.ts';
import { MALFORMED_REASONS } from './malformed-reason.ts';
import { PlainHeadMemory } from './plain-head-memory.ts';
import { WasmHeadMemory } from './wasm-head-memory.ts';

/**
 * Random commands to both memories at once; every answer must be the same to the byte. Requests are partly odd, partly
 * damaged, so that every branch of the scan is taken.
 */
const OPERATIONS = 2500;
/** What was met on the way, so that a generator that no longer reaches something is noticed. */
const met = new Map<string, number>();
const meet = (what: string) => met.set(what, (met.get(what) ?? 0) + 1);

for (const seed of [1, 2, 3, 4, 5, 6])
  test(`both memories answer ${OPERATIONS} random commands alike (seed ${seed})`, () => {
    new Pair(new SeededRandom(seed)).run(OPERATIONS);
  });

test('the commands led to every event, outcome and reason', () => {
  const expected = [
    ...Object.keys(IngestEvent).map((name) => `event ${name}`),
    ...Object.keys(SampleOutcome).map((name) => `outcome ${name}`),
    ...MALFORMED_REASONS.slice(1, -1).map((reason) => `reason ${reason}`),
    ...[
      'not canonical',
      'duplicates',
      'metadata',
      'closed chunks',
      'collected',
      'replayed',
      'replay refused',
      'too large',
      'bad snappy',
    ],
  ];
  expect(expected.filter((what) => !met.has(what))).toEqual([]);
});

class Pair {
  readonly #random: SeededRandom;
  readonly #plain: PlainHeadMemory;
  readonly #wasm: WasmHeadMemory;
  readonly #slots = new Set<number>();
  readonly #pool: Uint8Array[];
  #walRef = 1;
  #now = 1_700_000_000_000;
  #sequence = 1;

  constructor(random: SeededRandom) {
    this.#random = random;
    const chunkRangeMs = this.#pick([7_200_000, 600_000, 1_000_003]);
    this.#plain = new PlainHeadMemory({ chunkRangeMs });
    this.#wasm = new WasmHeadMemory({ chunkRangeMs });
    this.#pool = Array.from({ length: 60 }, (_, i) => encodeLabels(this.#labels(i)));
    this.#both((memory) => memory.setChunkFilePosition(1, 8));
  }

  run(operations: number): void {
    const commands: [number, () => void][] = [
      [30, () => this.#write()],
      [40, () => this.#append()],
      [6, () => this.#create()],
      [3, () => this.#takeAll()],
      [4, () => this.#gather()],
      [2, () => this.#sort()],
      [2, () => this.#setRare()],
      [2, () => this.#close()],
      [2, () => this.#addClosed()],
      [2, () => this.#truncate()],
      [2, () => this.#setBounds()],
      [3, () => this.#replay()],
      [4, () => this.#look()],
    ];
    const total = commands.reduce((sum, [weight]) => sum + weight, 0);
    for (let i = 0; i < operations; i++) {
      let ticket = this.#int(total);
      const command = commands.find(([weight]) => (ticket -= weight) < 0);
      command?.[1]();
    }
    this.#takeAll();
    this.#gather();
  }

  /** The common answer of both; errors are answers. */
  #both<T>(ask: (memory: HeadMemory) => T): T | VeronaError {
    const answer = (memory: HeadMemory) => {
      try {
        return ask(memory);
      } catch (error) {
        if (error instanceof VeronaError) return error;
        throw error;
      }
    };
    const expected = answer(this.#plain);
    const actual = answer(this.#wasm);
    if (expected instanceof VeronaError) expect(String(actual)).toBe(String(expected));
    else expect(plainly(actual)).toEqual(plainly(expected));
    return expected;
  }

  #create(): void {
    const labels = this.#pick(this.#pool);
    if (this.#both((memory) => memory.find(labels)) !== 0) return;
    const walRef = this.#walRef++;
    this.#slots.add(this.#both((memory) => memory.create(labels, walRef)) as number);
  }

  #append(): void {
    const slot = this.#slot();
    if (slot === 0) return;
    const count = this.#int(60);
    for (let i = 0; i < count; i++) {
      const t = this.#time();
      const v = this.#value();
      const outcome = this.#both((memory) => memory.append(slot, t, v));
      meet(`outcome ${nameOf(SampleOutcome, outcome)}`);
    }
  }

  #write(): void {
    const isV2 = this.#chance(0.4);
    let decoded = isV2 ? this.#requestV2() : this.#request();
    if (this.#chance(0.3)) decoded = this.#damaged(decoded);
    let body = snappyCompress(decoded);
    if (this.#chance(0.1)) body = this.#damaged(body);
    const max = this.#chance(0.05) ? 100 : 1 << 20;
    const begun = this.#both((memory) =>
      isV2 ? memory.beginWriteV2(body, max) : memory.beginWrite(body, max),
    );
    if (begun instanceof VeronaError)
      return void meet(begun.code === 'too_large' ? 'too large' : 'bad snappy');
    this.#both((memory) => memory.decoded());
    while (this.#resume() !== IngestEvent.done);
    expect(this.#both((memory) => memory.resume())).toBe(IngestEvent.done);
  }

  #resume(): IngestEvent {
    const kind = this.#both((memory) => memory.resume()) as IngestEvent;
    const event = this.#both((memory) => detailOf(kind, memory.event)) as Partial<IngestEventDetail>;
    this.#both((memory) => [memory.writeSamples, memory.writeDuplicates]);
    meet(`event ${nameOf(IngestEvent, kind)}`);
    if (event.outcome) meet(`outcome ${nameOf(SampleOutcome, event.outcome)}`);
    if (kind === IngestEvent.malformed) meet(`reason ${event.reason}`);
    if (event.labelsCanonical === false) meet('not canonical');
    if (event.metadataEnd) meet('metadata');
    if (this.#plain.writeDuplicates > 0) meet('duplicates');
    if (kind === IngestEvent.newSeries) this.#adopt(event);
    if (kind === IngestEvent.rareSeries && event.slot && this.#chance(0.2))
      this.#both((memory) => memory.setRare(event.slot as number, true));
    if (kind === IngestEvent.refusedSample && this.#chance(0.1))
      this.#both((memory) =>
        memory.setRare(event.slot as number, this.#plain.walRefOf(event.slot as number) % 2 === 0),
      );
    return kind;
  }

  #adopt(event: Partial<IngestEventDetail>): void {
    const decision = this.#random.next();
    if (decision < 0.05) return;
    if (decision < 0.1) return void this.#both((memory) => memory.adopt(0));
    if (event.labelsCanonical) {
      const walRef = this.#walRef++;
      const inOne = this.#chance(0.5);
      const slot = this.#both((memory) =>
        inOne ? memory.adoptNew(walRef) : memory.create(memory.event.labels, walRef),
      ) as number;
      this.#slots.add(slot);
      if (!inOne) this.#both((memory) => memory.adopt(slot));
    } else {
      const slot = this.#slot();
      this.#both((memory) => memory.adopt(slot));
    }
  }

  #takeAll(): void {
    this.#both((memory) => memory.takeSamplesRecord());
    this.#both((memory) => memory.closedBytesPending);
    const closed = this.#both((memory) => memory.takeClosedChunks()) as Uint8Array;
    if (closed.length > 0) meet('closed chunks');
    if (this.#chance(0.3)) this.#both((memory) => memory.setChunkFilePosition(++this.#sequence >> 1, 8));
  }

  #gather(): void {
    const slots = Uint32Array.from([...this.#slots].filter(() => this.#chance(0.7)));
    const everything = this.#chance(0.3);
    const mint = everything ? -Infinity : this.#now - this.#int(8_000_000);
    const maxt = everything ? Infinity : mint + this.#int(4_000_000);
    const newestOnly = this.#chance(0.4);
    this.#both((memory) => memory.gather(slots, mint, maxt, newestOnly));
    this.#both((memory) => memory.timeRange());
  }

  #sort(): void {
    const slots = [...this.#slots].filter(() => this.#chance(0.8));
    this.#both((memory) => {
      const sorted = Uint32Array.from(slots);
      memory.sortByLabels(sorted);
      return sorted;
    });
  }

  #setRare(): void {
    const slot = this.#slot();
    const rare = this.#chance(0.3);
    if (slot !== 0) this.#both((memory) => memory.setRare(slot, rare));
  }

  #close(): void {
    const slot = this.#slot();
    if (slot !== 0) this.#both((memory) => memory.closeOpenChunk(slot));
  }

  #addClosed(): void {
    const slot = this.#slot();
    if (slot === 0) return;
    const mint = this.#time();
    const maxt = mint + this.#int(100_000);
    const ref = this.#int(1000) * 2 ** 32 + this.#int(2 ** 32);
    this.#both((memory) => memory.addClosedChunk(slot, ref, mint, maxt));
  }

  #truncate(): void {
    const mint = this.#now - this.#int(6_000_000);
    const empty = this.#both((memory) => memory.truncate(mint)) as Uint32Array;
    this.#both((memory) => memory.timeRange());
    for (const slot of empty)
      if (this.#chance(0.8)) {
        expect(this.#both((memory) => memory.isEmpty(slot))).toBe(true);
        this.#both((memory) => memory.collect(slot));
        this.#slots.delete(slot);
        meet('collected');
      }
    if (this.#chance(0.5)) this.#both((memory) => memory.reuseCollected());
    const some = this.#slot();
    if (some !== 0) this.#both((memory) => memory.isEmpty(some));
  }

  #setBounds(): void {
    const some = this.#chance(0.5);
    const mint = this.#now - 1_000_000.5;
    const maxt = this.#now + 1_000_000.5;
    this.#both((memory) => memory.setBounds(some ? mint : -Infinity, some ? maxt : Infinity));
  }

  /** A record made by another memory whose refs are mapped in part, sometimes damaged. */
  #replay(): void {
    const writer = new PlainHeadMemory();
    const mapped: [number, number][] = [];
    for (const slot of this.#slots) {
      const walRef = this.#chance(0.7) ? this.#plain.walRefOf(slot) : 5_000_000 + this.#int(100);
      if (this.#chance(0.8)) mapped.push([walRef, slot]);
      const source = writer.create(this.#plain.labelBytesOf(slot), walRef);
      for (let i = 0; i < this.#int(40); i++) writer.append(source, this.#time(), this.#value());
    }
    let record = writer.takeSamplesRecord();
    if (record.length === 0) return;
    if (this.#chance(0.3)) record = this.#damaged(record);
    for (const [walRef, slot] of mapped) this.#both((memory) => memory.mapWalRef(walRef, slot));
    const replayed = this.#both((memory) => memory.replaySamples(record));
    meet(replayed instanceof VeronaError ? 'replay refused' : 'replayed');
    if (this.#chance(0.5)) this.#both((memory) => memory.replaySamples(record));
    this.#both((memory) => memory.endReplay());
  }

  #look(): void {
    this.#both((memory) => memory.seriesCount);
    const slot = this.#slot();
    if (slot === 0) return;
    this.#both((memory) => memory.labelBytesOf(slot));
    this.#both((memory) => [memory.walRefOf(slot), memory.lastTimeOf(slot), memory.isRare(slot)]);
    this.#both((memory) => memory.find(this.#plain.labelBytesOf(slot)));
  }

  // ── what requests are made of ─────────────────────────────────────────────
  #labels(i: number): Labels {
    const flat: Record<string, string> = {
      __name__: `metric_${i % 7}`,
      instance: 'x'.repeat(i),
      job: `job${i}`,
    };
    for (let k = 0; k < i % 9; k++) flat[`label_${k}`] = `${'value'.repeat(k)}${i}`;
    if (i % 10 === 0) flat.long = 'y'.repeat(130 * i);
    return Labels.from(flat);
  }

  #request(): Uint8Array {
    const writer = new WireWriter();
    const first = this.#int(this.#pool.length);
    for (let i = 0; i < this.#int(30); i++) {
      if (this.#chance(0.03)) writer.string(this.#pick([3, 9]), 'metadata');
      const labels = this.#chance(0.7) ? this.#pool[(first + i) % this.#pool.length] : this.#pick(this.#pool);
      writer.message(1, () => this.#timeSeries(writer, this.#chance(0.1) ? this.#oddLabels(labels) : labels));
    }
    return writer.bytes().slice();
  }

  #timeSeries(writer: WireWriter, labels: Uint8Array): void {
    const late = this.#chance(0.05);
    if (!late) writer.raw(labels);
    if (this.#chance(0.05)) writer.int(99, 1);
    const samples = this.#chance(0.7) ? 1 : this.#int(5);
    for (let s = 0; s < samples; s++) this.#sample(writer);
    if (this.#chance(0.05)) writer.message(this.#pick([3, 4]), () => writer.double(1, 1));
    if (late) writer.raw(labels);
  }

  #sample(writer: WireWriter): void {
    const t = this.#time();
    const v = this.#value();
    writer.message(2, () => {
      const shape = this.#random.next();
      if (shape < 0.05)
        writer.uint64(2, BigInt.asUintN(64, BigInt(this.#pick([2 ** 53, -(2 ** 53), 2 ** 62, -(2 ** 63)]))));
      else if (shape < 0.1) {
        writer.int(2, t);
        writer.double(1, v);
      } else if (shape < 0.15) writer.double(1, v);
      else {
        writer.double(1, v);
        writer.int(2, t);
        if (shape < 0.2) writer.int(3, 7);
      }
    });
  }

  #oddLabels(labels: Uint8Array): Uint8Array {
    const writer = new WireWriter();
    const pair = (name: string, value: string) =>
      writer.message(1, () => {
        if (this.#chance(0.8)) writer.string(1, name);
        if (this.#chance(0.9)) writer.string(2, value);
        if (this.#chance(0.1)) writer.int(3, 1);
      });
    pair(this.#pick(['zz', '__name__', 'a']), this.#pick(['', 'value']));
    if (this.#chance(0.5)) writer.raw(labels);
    pair(this.#pick(['b', '__name__', 'a']), 'w');
    if (this.#chance(0.3)) writer.raw(Uint8Array.of(0x8a, 0x00, 0x82, 0x00, 0x0a, 0x00));
    return writer.bytes().slice();
  }

  #requestV2(): Uint8Array {
    const writer = new WireWriter();
    const symbols = ['', '__name__', 'a', 'b', 'job', 'up', 'x'.repeat(70), 'y'.repeat(20_000), 'help text'];
    const late = this.#chance(0.05);
    if (!late) for (const symbol of symbols) writer.string(4, symbol);
    for (let i = 0; i < this.#int(20); i++) {
      if (this.#chance(0.03)) writer.string(this.#pick([1, 9]), 'other');
      writer.message(5, () => {
        const refs = [
          1,
          5,
          ...this.#pick([[], [2, 3 + this.#int(4)], [2, 4, 4, 5 + this.#int(2)], [3, 2, 2, 3], [4, 0], [4]]),
        ];
        if (this.#chance(0.04)) refs.push(this.#pick([4, 400, 2 ** 40]), 7);
        if (this.#chance(0.02)) refs.push(7, 7, 7, 7);
        if (this.#chance(0.1)) for (const ref of refs) writer.int(1, ref);
        else writer.packedUints(1, refs);
        const samples = this.#chance(0.7) ? 1 : this.#int(5);
        for (let s = 0; s < samples; s++) this.#sample(writer);
        if (this.#chance(0.05)) writer.message(this.#pick([3, 4]), () => writer.double(1, 1));
        if (this.#chance(0.3)) writer.message(5, () => writer.int(1, 2));
      });
    }
    if (late) for (const symbol of symbols) writer.string(4, symbol);
    return writer.bytes().slice();
  }

  #damaged(bytes: Uint8Array): Uint8Array {
    const out = bytes.slice(0, this.#chance(0.3) ? this.#int(bytes.length + 1) : bytes.length);
    const changes = this.#int(4);
    for (let i = 0; i < changes && out.length > 0; i++)
      out[this.#int(out.length)] = this.#pick([0, 0x0a, 0x12, 0x7f, 0x80, 0xff, this.#int(256)]);
    if (this.#chance(0.2)) out.fill(0xff, this.#int(out.length), out.length);
    return out;
  }

  // ── chance ────────────────────────────────────────────────────────────────
  #int(bound: number): number {
    return Math.floor(this.#random.next() * bound);
  }

  #chance(p: number): boolean {
    return this.#random.next() < p;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#int(from.length)];
  }

  #slot(): number {
    return this.#slots.size === 0 ? 0 : this.#pick([...this.#slots]);
  }

  #time(): number {
    const step = this.#random.next();
    if (step < 0.6) this.#now += 1000;
    else if (step < 0.9) this.#now += this.#int(20);
    else if (step < 0.95) this.#now += this.#int(300_000);
    return step > 0.97 ? this.#now - this.#int(3_000_000) : this.#now;
  }

  #value(): number {
    const kind = this.#random.next();
    if (kind < 0.5) return this.#int(5);
    if (kind < 0.9) return this.#random.next() * 10 ** this.#int(20);
    return this.#pick([0, -0, Infinity, -Infinity, Number.NaN, 5e-324, Number.MAX_VALUE]);
  }
}

function nameOf(set: Readonly<Record<string, number>>, value: unknown): string {
  return Object.keys(set).find((name) => set[name] === value) ?? String(value);
}

/** What the event says of its kind; labels copied, as the next call moves them. */
function detailOf(kind: IngestEvent, event: IngestEventDetail): Partial<IngestEventDetail> {
  const { slot, labelsCanonical, seriesStart, seriesEnd, metadataStart, metadataEnd } = event;
  switch (kind) {
    case IngestEvent.done:
      return {};
    case IngestEvent.newSeries:
    case IngestEvent.rareSeries:
      return {
        slot,
        labels: event.labels.slice(),
        labelsCanonical,
        seriesStart,
        seriesEnd,
        metadataStart,
        metadataEnd,
      };
    case IngestEvent.refusedSample:
      return { slot, t: event.t, v: event.v, outcome: event.outcome };
    case IngestEvent.malformed:
      return { offset: event.offset, reason: event.reason };
    case IngestEvent.otherField:
      return { seriesStart, seriesEnd, fieldNumber: event.fieldNumber };
  }
}

/** Byte arrays as text, which compares much faster than element by element. */
function plainly(answer: unknown): unknown {
  if (answer instanceof Uint8Array) return Buffer.from(answer).toString('hex');
  if (ArrayBuffer.isView(answer)) return Array.from(answer as Float64Array);
  if (answer === null || typeof answer !== 'object' || Array.isArray(answer)) return answer;
  return Object.fromEntries(Object.entries(answer).map(([key, value]) => [key, plainly(value)]));
}
