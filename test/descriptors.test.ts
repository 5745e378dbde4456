import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Expectation } from '../src/audit/expectation.js';
import { expectSource } from '../src/audit/source-expectation.js';
import { type VerifyLine, verify } from '../src/audit/verify.js';
import { ClfsError, isClfsError } from '../src/error.js';
import { DescriptorPlaces, isOutOfDescriptors, patiently } from '../src/posix/descriptors.js';
import { PosixError } from '../src/posix/posix-error.js';
import { openPosixSource } from '../src/source/posix-source.js';
import type { SourceTree } from '../src/source/source-tree.js';
import { withAsyncSide } from './support/async-source.js';
import { loadWhole } from './support/program.js';
import { loadSmall, readSmall } from './support/small-container.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-descriptors-'));
afterAll(() => removeTree(base));
const BIN = new URL('../bin/clfsload', import.meta.url).pathname;
const EMFILE = 24;
const COMPARE = { content: true, sample: 1, timeToleranceNs: 0n };

/** Runs the program with at most so many descriptors. */
function withLimit(
  limit: number,
  args: readonly string[],
): Promise<{ readonly code: number | null; readonly output: string }> {
  const child = spawn('sh', ['-c', `ulimit -n ${limit}; exec "$0" "$@"`, process.execPath, BIN, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text: Buffer) => {
      output += text.toString();
    });
  }
  return new Promise((resolve) => child.on('close', (code) => resolve({ code, output })));
}

/** Where a link leads; undefined when it is gone. */
function readlinkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

describe('a thread that ends', () => {
  it.each(['libc.js', 'libc-later.js'])(
    'closes no file of another thread, whoever has closed what Node has opened in it (%s)',
    async (closing) => {
      const posix = (name: string) => JSON.stringify(new URL(`../dist/posix/${name}`, import.meta.url).href);
      const program = `import { parentPort } from 'node:worker_threads';
      import { openAtLater } from ${posix('libc-later.js')};
      import * as calls from ${posix(closing)};
      const fd = await openAtLater(-100, Buffer.from('/dev/null'), 0);
      await (calls.closeLater ?? calls.close)(fd);
      parentPort.on('message', () => process.exit());
      parentPort.postMessage(fd);`;
      const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
      const ended = once(thread, 'exit');
      const [fd] = (await once(thread, 'message')) as [number];
      // The lowest number that is free is given: in the end that one.
      const opened: number[] = [];
      while (opened.at(-1) !== fd && opened.length < 100) opened.push(openSync(BIN, 'r'));
      thread.postMessage('end');
      expect((await ended)[0]).toBe(0);
      expect(opened.at(-1)).toBe(fd);
      for (const each of opened) closeSync(each);
    },
  );

  it('leaves nothing of its container on disk open, though it is ended in the midst of it', async () => {
    const place = join(base, 'of-a-thread');
    mkdirSync(place);
    const module = new URL('../dist/container/local-container.js', import.meta.url).href;
    const program = `import { parentPort } from 'node:worker_threads';
      import { openLocalContainer } from ${JSON.stringify(module)};
      const container = await openLocalContainer(${JSON.stringify(place)});
      await container.put('name', Buffer.from('content'));
      await container.flush();
      parentPort.on('message', () => undefined);
      parentPort.postMessage('written');`;
    const isOpen = () =>
      readdirSync('/proc/self/fd').filter((fd) => readlinkOf(`/proc/self/fd/${fd}`) === place).length;
    const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
    await once(thread, 'message');
    expect(isOpen()).toBe(2);
    await thread.terminate();
    expect(isOpen()).toBe(0);
  });
});

describe('descriptors', () => {
  const source = join(base, 'source');
  const container = join(base, 'container');
  beforeAll(async () => {
    for (let d = 0; d < 15; d++) {
      mkdirSync(join(source, `d${d}`), { recursive: true });
      for (let f = 0; f < 100; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${d}/${f}`);
    }
    await loadWhole(source, container, join(base, 'state'));
  });

  it('verify finds no difference under "ulimit -n 64"', async () => {
    const run = await withLimit(64, ['verify', source, container, '--content']);
    expect(run.output).toMatch(/^1516 same, 0 different, .* 0 could not be checked; 1500 files compared/m);
    expect(run.code).toBe(0);
  });

  it('export writes everything under "ulimit -n 34"', async () => {
    const target = join(base, 'target');
    const run = await withLimit(34, ['export', container, target]);
    expect(run.output).toMatch(/^1516 entries written .* 0 failed/m);
    expect(readdirSync(target).length).toBe(15);
  });

  it.each([false, true])('running out of them for a while is waited for: asynchronously %s', async (isAsync) => {
    const tree = join(base, `waited-source-${isAsync}`);
    mkdirSync(join(tree, 'below'), { recursive: true });
    for (const name of ['a', 'below/b', 'below/c']) writeFileSync(join(tree, name), name);
    const memory = await loadSmall(tree, base);
    const real = openPosixSource(Buffer.from(tree));
    let refused = 0;
    const twice = new Map<string, number>();
    const scarce = <T>(what: string, work: () => T): T => {
      const before = twice.get(what) ?? 0;
      twice.set(what, before + 1);
      if (before >= 2) return work();
      refused++;
      throw new ClfsError('entry', 'cannot be opened', {
        reason: 'entry-unreadable',
        cause: new PosixError('open', EMFILE),
      });
    };
    const source: SourceTree = {
      close: () => real.close(),
      openDirectory: (path, expected) =>
        scarce(`directory ${path.toString()}`, () => {
          const directory = real.openDirectory(path, expected);
          return {
            attributes: () => directory.attributes(),
            list: () => scarce(`list ${path.toString()}`, () => directory.list()),
            attributesOf: (name) => directory.attributesOf(name),
            readLink: (name) => directory.readLink(name),
            openFile: (name) => scarce(`file ${name.toString()}`, () => directory.openFile(name)),
            close: () => directory.close(),
          };
        }),
    };
    const expectation = expectSource(isAsync ? withAsyncSide(source, async () => undefined, true) : source);
    const get = memory.get.bind(memory);
    memory.get = async (name, limit) => scarce(`blob ${name}`, () => get(name, limit));
    const lines: VerifyLine[] = [];
    const summary = await verify(expectation, await readSmall(memory), COMPARE, (line) => lines.push(line));
    expectation.close();
    expect(refused).toBeGreaterThan(10);
    expect(summary).toMatchObject({ same: 5, different: 0, unchecked: 0, contents: 3 });
  });

  it('running out of them for good ends the run, with what to do', async () => {
    const failure = await patiently(
      'some/file',
      () => {
        throw new ClfsError('entry', 'cannot be opened', { cause: new PosixError('open', EMFILE) });
      },
      { patienceMs: 30 },
    ).catch((error: unknown) => error);
    expect(isClfsError(failure, 'open-files') && failure.message).toMatch(
      /^Cannot open "some\/file": all \d+ files .* \(EMFILE\)\. Raise the limit with "ulimit -n"/,
    );
    expect(isOutOfDescriptors(failure)).toBe(true);
    expect(isOutOfDescriptors(new PosixError('open', 2))).toBe(false);
    await expect(patiently('x', () => Promise.reject(new PosixError('open', 2)))).rejects.toThrow('no such file');
  });

  it('a place is given to whoever waited longest, and only once', async () => {
    const places = new DescriptorPlaces(2);
    const first = await places.take();
    const second = places.tryTake() as () => void;
    expect(places.tryTake()).toBeUndefined();
    const order: string[] = [];
    const noted = async (name: string) => {
      const release = await places.take();
      order.push(name);
      return release;
    };
    const third = noted('third');
    const fourth = noted('fourth');
    first();
    first();
    await third;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(order).toEqual(['third']);
    second();
    (await fourth)();
    (await third)();
    expect(order).toEqual(['third', 'fourth']);
    expect(places.free).toBe(2);
  });
});

describe('verify closes a directory', () => {
  it('when none of its entries is under way any more, also if its listing breaks off', async () => {
    const tree = join(base, 'broken-source');
    mkdirSync(tree);
    for (let f = 0; f < 30; f++) writeFileSync(join(tree, `f${f}`), 'content');
    const memory = await loadSmall(tree, base);
    const get = memory.get.bind(memory);
    memory.get = async (name, limit) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      return get(name, limit);
    };
    const source = expectSource(openPosixSource(Buffer.from(tree)));
    let opened = 0;
    let usedAfterClose = 0;
    let compared = 0;
    const expectation: Expectation = {
      isPlain: false,
      close: () => source.close(),
      async directory(path) {
        const directory = await source.directory(path);
        let closed = false;
        opened++;
        return {
          self: directory.self,
          *names() {
            for (let f = 0; f < 30; f++) yield Buffer.from(`f${f}`);
            throw new ClfsError('entry', 'the listing breaks off', { reason: 'directory-unreadable' });
          },
          entry: (name) => directory.entry(name),
          content(name) {
            if (closed) usedAfterClose++;
            else compared++;
            return directory.content(name);
          },
          close() {
            closed = true;
            opened--;
            directory.close();
          },
        };
      },
    };
    const lines: VerifyLine[] = [];
    await verify(expectation, await readSmall(memory), COMPARE, (line) => lines.push(line));
    expectation.close();
    expect({ opened, usedAfterClose, compared }).toEqual({ opened: 0, usedAfterClose: 0, compared: 30 });
    expect(lines.filter(({ mark }) => mark === '!').map(({ details }) => details)).toEqual([
      ['the listing breaks off'],
    ]);
  });
});
