import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { snappyCompress } from '../src/encoding/snappy.ts';
import { launchVerona, type Peer, startVerona } from './peers.ts';
import { freePort, RealProcess } from './process.ts';
import { floats, push, send } from './push.ts';

/** The real process is killed, stopped, started wrongly and given wrong files; what it acknowledged stays. */
const QUIET = ['--self-metrics.enabled=false'];
const WORKERS = 4;
const SERIES = 50;
/** Each push is a millisecond after the one before it. */
const FIRST = Date.now() - 30 * 60_000;

let folder: string;
let started: RealProcess[];

beforeEach(async () => {
  await mkdir(join(import.meta.dirname, '../.cache'), { recursive: true });
  folder = await mkdtemp(join(import.meta.dirname, '../.cache/e2e-'));
  started = [];
});

afterEach(async () => {
  await Promise.all(started.map((process) => process.stop('SIGKILL')));
  await rm(folder, { recursive: true, force: true });
});

describe('what was acknowledged', () => {
  test('is answered after kill -9 in the middle of pushes, again and again', async () => {
    const pushers = Array.from({ length: WORKERS }, (_, id) => new Pusher(id));
    for (let round = 0; round < 3; round++) {
      const verona = await veronaOn(join(folder, 'data'));
      for (const pusher of pushers) await pusher.expectAcknowledged(verona.url);
      const pushing = pushers.map((pusher) => pusher.pushUntilFailure(verona.writeUrl));
      await wait(1200);
      await verona.process.stop('SIGKILL');
      await Promise.all(pushing);
    }
    const verona = await veronaOn(join(folder, 'data'));
    for (const pusher of pushers) {
      expect(pusher.acknowledged.length).toBeGreaterThan(3);
      await pusher.expectAcknowledged(verona.url);
    }
  }, 90_000);

  test('is answered after SIGTERM in the middle of pushes, which ends with exit code 0', async () => {
    const pushers = Array.from({ length: WORKERS }, (_, id) => new Pusher(id));
    let verona = await veronaOn(join(folder, 'data'));
    const pushing = pushers.map((pusher) => pusher.pushUntilFailure(verona.writeUrl));
    await wait(1000);
    const half = await HalfSent.open(verona.url);
    const query = new URLSearchParams({
      query: 'count(sum_over_time(pushed[2m:1ms]))',
      time: String(FIRST / 1000 + 60),
    });
    const asked = fetch(`${verona.url}/api/v1/query?${query}`).then((response) => response.text());
    await wait(200);
    const ending = verona.process.stop('SIGTERM');
    await said(verona, 'stopping');
    // The query under way is finished; a write that is whole only now is refused, to be sent again.
    expect(await half.finish()).toMatch(/^HTTP\/1\.1 503 .*retry-after: \d.*connection: close/is);
    expect(await asked).toContain(`"${WORKERS * SERIES}"`);
    expect(await ending, verona.process.output).toBe(0);
    await Promise.all(pushing);
    verona = await veronaOn(join(folder, 'data'));
    for (const pusher of pushers) {
      expect(pusher.acknowledged.length).toBeGreaterThan(3);
      expect(pusher.failure).toMatch(/^503|ECONNREFUSED|ECONNRESET|UND_ERR_SOCKET/);
      await pusher.expectAcknowledged(verona.url);
    }
  }, 60_000);
});

test('it is ready only when the whole log is read', async () => {
  const dir = join(folder, 'data');
  const first = await veronaOn(dir);
  const series = 2000;
  const samples = 400;
  for (let from = 0; from < samples; from += 20)
    await push(
      first.writeUrl,
      Array.from({ length: series }, (_, i) =>
        floats(
          { __name__: 'many', i: String(i) },
          Array.from({ length: 20 }, (_, k) => [FIRST + (from + k) * 1000, k]),
        ),
      ),
    );
  await first.process.stop('SIGKILL');

  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  started.push(launchVerona(dir, QUIET, port));
  const whole = `"${series * samples}"`;
  const query = `${url}/api/v1/query?time=${FIRST / 1000 + samples}&query=sum(count_over_time(many[10m]))`;
  let refused = 0;
  const asking = async (path: string, expectAnswer: (text: string) => void) => {
    for (const end = Date.now() + 60_000; Date.now() < end; await wait(1)) {
      const response = await fetch(path).catch(() => undefined);
      if (response === undefined) continue;
      const text = await response.text();
      if (response.ok) return expectAnswer(text);
      expect(response.status).toBe(503);
      refused++;
    }
    throw new Error(`${path} was not answered within a minute`);
  };
  await Promise.all([
    asking(query, (text) => expect(text).toContain(whole)),
    asking(`${url}/-/ready`, () => {}).then(async () =>
      expect(await (await fetch(query)).text()).toContain(whole),
    ),
  ]);
  expect(refused).toBeGreaterThan(0);
}, 90_000);

describe('a start that cannot be', () => {
  test('on a data directory that another process has: exit code 1, and its number', async () => {
    const dir = join(folder, 'data');
    const holder = await veronaOn(dir);
    await push(holder.writeUrl, [floats({ __name__: 'a' }, [[Date.now(), 1]])]);
    const second = await ended(dir);
    expect(second.code).toBe(1);
    expect(second.output).toContain(`held by process ${holder.process.pid}`);
    expect(second.output).toContain(join(dir, 'lock'));
    expect((await send(holder.writeUrl, [floats({ __name__: 'a' }, [[Date.now() + 1, 2]])])).status).toBe(
      204,
    );
  });

  test('on a data directory that has no tenant yet, but a process', async () => {
    const dir = join(folder, 'data');
    const holder = await veronaOn(dir);
    const second = await ended(dir, QUIET);
    expect([second.code, second.output]).toEqual([
      1,
      expect.stringContaining(
        `open the data folder ${dir}: lock ${dir}/lock: held by process ${holder.process.pid}`,
      ),
    ]);
    await holder.process.stop('SIGKILL');
    expect((await fetch(`${(await veronaOn(dir)).url}/-/ready`)).ok).toBe(true);
  });

  test('on a port in use: exit code 1, and the address', async () => {
    const holder = await veronaOn(join(folder, 'data'));
    const port = Number(new URL(holder.url).port);
    const second = await ended(join(folder, 'other'), [], port);
    expect(second.code).toBe(1);
    expect(second.output).toContain(`127.0.0.1:${port}`);
    expect(second.output).toMatch(/in use|EADDRINUSE/);
  });

  test('where nothing can be written: exit code 1, and the path', async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    for (const dir of [join(file, 'data'), '/sys/verona']) {
      const { code, output } = await ended(dir);
      expect([code, output]).toEqual([1, expect.stringContaining(dir)]);
    }
  });

  test('with a wrong flag: exit code 2, and the flag', async () => {
    const { code, output } = await ended(join(folder, 'data'), ['--tsdb.retention-tim=1d']);
    expect([code, output]).toEqual([2, expect.stringContaining('--tsdb.retention-tim')]);
    expect(output).toContain('--tsdb.retention-time');
    const value = await ended(join(folder, 'data'), ['--tsdb.retention-time=soon']);
    expect([value.code, value.output]).toEqual([2, expect.stringMatching(/--tsdb\.retention-time: .*soon/)]);
  });

  test('with a wrong configuration: exit code 2, file, line and column', async () => {
    const file = join(folder, 'verona.yml');
    await writeFile(
      file,
      'http:\n  request_timeout: 1m\ntsdb:\n  retention: 1d\nlimits:\n  max_series: many\n',
    );
    const { code, output } = await ended(join(folder, 'data'), [`--config.file=${file}`]);
    expect(code).toBe(2);
    expect(output).toContain(`${file}:4:3: unknown key tsdb.retention`);
    expect(output).toContain(`${file}:6:15: limits.max_series`);
  });

  test.each([
    [['--store-gateway.instances=2', '--store-gateway.instance=2'], 'store_gateway.instance: less than'],
    [['--compactor.instances=2', '--compactor.instance=web-7'], 'compactor.instance: less than'],
    [['--objstore.selector-relabel-config=[{action: keep, regex: "("}]'], 'objstore.selector_relabel_config'],
    [['--objstore.config={type: NOWHERE}'], 'objstore.config:1:8: type: must be S3'],
  ])(
    'with settings that are wrong together, or inside: exit code 2, and which (%j)',
    async (flags, words) => {
      const { code, output } = await ended(join(folder, 'data'), flags);
      expect([code, output]).toEqual([2, expect.stringContaining(words)]);
      expect(output).not.toMatch(/\n\s+at /);
    },
  );

  test('with a configuration file that is not there: exit code 2 and its name', async () => {
    const { code, output } = await ended(join(folder, 'data'), ['--config.file=/nowhere/verona.yml']);
    expect([code, output]).toEqual([2, expect.stringContaining('/nowhere/verona.yml')]);
    expect(output).not.toMatch(/\n\s+at /);
  });
});

test.each([
  [['list', '/nowhere'], 1, '/nowhere: no such directory'],
  [['verify', '/nowhere'], 1, '/nowhere: no such directory'],
  [['dump', '/nowhere'], 1, '/nowhere: no such directory'],
  [['analyze', '/nowhere'], 1, '/nowhere: no such directory'],
  [['analyze', '.', '--limit=many'], 2, 'not a whole number'],
  [['dump', '.', '--min-time=noon'], 2, 'not a whole number'],
  [['dump', '.', '--min-tim=1'], 2, 'With --help a command lists its options'],
  [['create-blocks-from', 'openmetrics', '/nowhere.txt'], 1, '/nowhere.txt: no such file'],
])('verona tsdb %j ends with exit code %d and says why', async (args, code, words) => {
  const command = join(import.meta.dirname, '../src/cmd/main.ts');
  const tool = new RealProcess('verona', process.execPath, [command, 'tsdb', ...args]);
  started.push(tool);
  expect([await tool.ended(30_000), tool.output]).toEqual([code, expect.stringContaining(words)]);
  expect(tool.output).not.toMatch(/\n\s+at /);
});

test('SIGHUP puts new limits in force, and a wrong file leaves the old ones', async () => {
  const file = join(folder, 'verona.yml');
  const limits = (maxSeries: number | string, more = '') =>
    writeFile(file, `limits: {max_series: ${maxSeries}${more}}\noverrides: {small: {max_series: 2}}\n`);
  await limits(5);
  const verona = await veronaOn(join(folder, 'data'), [`--config.file=${file}`]);
  let now = Date.now() - 60_000;
  const accepted = async (count: number, tenant?: string) => {
    const series = Array.from({ length: count }, (_, i) =>
      floats({ __name__: 's', i: String(i) }, [[now, i]]),
    );
    now++;
    return (await send(verona.writeUrl, series, { tenant })).ok;
  };
  expect(await accepted(5)).toBe(true);
  expect(await accepted(10)).toBe(false);
  expect([await accepted(2, 'small'), await accepted(3, 'small')]).toEqual([true, false]);

  await limits('many');
  verona.process.child.kill('SIGHUP');
  await said(verona, 'the old one stays');
  expect([await accepted(5), await accepted(10)]).toEqual([true, false]);

  const late = async () =>
    (await send(verona.writeUrl, [floats({ __name__: 's', i: '0' }, [[now - 30_000, 1]])])).ok;
  expect(await late()).toBe(false);
  await limits(10, ', out_of_order_time_window: 1h');
  verona.process.child.kill('SIGHUP');
  await said(verona, 'the configuration was read again');
  expect([await accepted(10), await accepted(11)]).toEqual([true, false]);
  expect(await accepted(3, 'small')).toBe(false);
  expect(await late()).toBe(true);
});

/** A write whose body has begun; `finish` sends the rest and resolves with the answer. */
class HalfSent {
  readonly #socket: Socket;
  readonly #rest: Uint8Array;

  private constructor(socket: Socket, rest: Uint8Array) {
    this.#socket = socket;
    this.#rest = rest;
  }

  static async open(url: string): Promise<HalfSent> {
    const body = snappyCompress(new TextEncoder().encode('never read')).slice();
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(`POST /api/v1/push HTTP/1.1\r\nhost: v\r\ncontent-length: ${body.length}\r\n\r\n`);
    await new Promise((resolve) => socket.write(body.subarray(0, 5), resolve));
    return new HalfSent(socket, body.subarray(5));
  }

  async finish(): Promise<string> {
    this.#socket.write(this.#rest);
    let answer = '';
    for await (const data of this.#socket) answer += String(data);
    return answer;
  }
}

/** Sends one sample to each of its series after the other and remembers what was acknowledged. */
class Pusher {
  readonly id: number;
  readonly acknowledged: number[] = [];
  failure = '';
  #next = 0;

  constructor(id: number) {
    this.id = id;
  }

  async pushUntilFailure(writeUrl: string): Promise<void> {
    for (;;) {
      const t = FIRST + this.#next++;
      const series = Array.from({ length: SERIES }, (_, i) =>
        floats({ __name__: 'pushed', worker: String(this.id), i: String(i) }, [[t, t]]),
      );
      try {
        const response = await send(writeUrl, series);
        if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
        this.acknowledged.push(t);
      } catch (error) {
        const { message, cause } = error as Error & { cause?: { code?: string } };
        this.failure = cause?.code ?? message;
        return;
      }
    }
  }

  async expectAcknowledged(url: string): Promise<void> {
    if (this.acknowledged.length === 0) return;
    const time = String((FIRST + this.#next) / 1000);
    const query = new URLSearchParams({ query: `pushed{worker="${this.id}"}[1h]`, time });
    const response = await fetch(`${url}/api/v1/query?${query}`);
    const { data } = (await response.json()) as { data: { result: { values: [number, string][] }[] } };
    expect(data.result).toHaveLength(SERIES);
    for (const { values } of data.result) {
      const stored = new Set(values.map(([, value]) => Number(value)));
      expect(this.acknowledged.filter((t) => !stored.has(t))).toEqual([]);
    }
  }
}

async function veronaOn(dir: string, flags: readonly string[] = []): Promise<Peer> {
  const verona = await startVerona(dir, [...QUIET, ...flags]);
  started.push(verona.process);
  return verona;
}

/** Starts a process that is to end by itself. */
async function ended(dir: string, flags: readonly string[] = [], port?: number) {
  const process = launchVerona(dir, flags, port ?? (await freePort()));
  started.push(process);
  const code = await process.ended(30_000);
  return { code, output: process.output };
}

async function said({ process }: Peer, words: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (process.output.includes(words)) return;
    await wait(25);
  }
  throw new Error(`${process.name} did not say "${words}":\n${process.output}`);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
