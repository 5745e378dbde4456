import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { containerContract } from './support/container-contract.js';
import { PatientClock } from './support/slow-service.js';

/** What the calls of the container do, before the real thing. */
const trouble = vi.hoisted(() => ({ before: (_call: string): void => undefined }));
vi.mock('node:fs', async (importOriginal) => {
  const real = await importOriginal<typeof fs>();
  const through =
    <A extends unknown[], R>(name: string, call: (...args: A) => R) =>
    (...args: A): R => {
      trouble.before(name);
      return call(...args);
    };
  /** Of a call that tells by its last argument how it ended. */
  const later =
    (name: string, call: (...args: never[]) => unknown) =>
    (...args: unknown[]) => {
      try {
        trouble.before(name);
      } catch (error) {
        (args.at(-1) as (error: unknown) => void)(error);
        return;
      }
      (call as (...args: unknown[]) => unknown)(...args);
    };
  return {
    ...real,
    openSync: through('open', real.openSync),
    opendirSync: through('opendir', real.opendirSync),
    writeSync: through('write', real.writeSync as (...args: unknown[]) => number),
    statSync: through('stat', real.statSync as (...args: unknown[]) => unknown),
    unlinkSync: through('unlink', real.unlinkSync),
    default: {
      ...real,
      open: later('open', real.open),
      opendir: later('opendir', real.opendir),
      write: later('write', real.write),
      stat: later('stat', real.stat),
      unlink: later('unlink', real.unlink),
    },
  };
});

const base = mkdtempSync(join(tmpdir(), 'clfs-local-'));
const directory = () => mkdtempSync(join(base, 'c-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
afterEach(() => {
  trouble.before = () => undefined;
});

const failure = (code: string) => Object.assign(new Error(`${code}: no more`), { code });

/** Both ways in which a container on disk is called. */
const WAYS = [
  ['at once', { isRemote: false }],
  ['in the pool', { isRemote: true, mayBlock: false }],
] as const;

describe.each(WAYS)('a container on a disk that is full, called %s', (_way, way) => {
  containerContract(
    async () => openLocalContainer(directory(), way),
    async () => {
      const place = directory();
      let broken = 0;
      const breaking = await openLocalContainer(place, way);
      const put = breaking.put.bind(breaking);
      breaking.put = (...args) => {
        trouble.before = (call) => {
          if (call !== 'write') return;
          broken++;
          throw failure('ENOSPC');
        };
        return put(...args).finally(() => {
          trouble.before = () => undefined;
          expect(readdirSync(place).filter((name) => name.startsWith('.'))).toEqual([]);
        });
      };
      return { breaking, whole: await openLocalContainer(place), broken: () => broken };
    },
  );
});

describe.each(WAYS)('descriptors that have run out, of a container that is called %s,', (_way, way) => {
  it.each(['EMFILE', 'ENFILE'])('(%s) are waited for', async (code) => {
    const container = await openLocalContainer(directory(), { clock: new PatientClock(), ...way });
    let left = 0;
    let seen = 0;
    trouble.before = (call) => {
      if (!call.startsWith('open') || left-- <= 0) return;
      seen++;
      throw failure(code);
    };
    left = 7;
    await container.put('name', Buffer.from('content'));
    left = 7;
    expect((await container.get('name', 100)).toString()).toBe('content');
    left = 7;
    const found: string[] = [];
    for await (const page of container.list('')) found.push(...page.map(({ name }) => name));
    expect(found).toEqual(['name']);
    left = 7;
    await container.tidy();
    expect(seen).toBe(28);
    await container.close();
  });

  it('are not waited for after a stop', async () => {
    const stop = new AbortController();
    const options = { clock: new PatientClock(), signal: stop.signal, ...way };
    const container = await openLocalContainer(directory(), options);
    let opens = 0;
    trouble.before = (call) => {
      if (call !== 'open') return;
      opens++;
      stop.abort();
      throw failure('EMFILE');
    };
    await expect(container.put('name', Buffer.from('content'))).rejects.toMatchObject({ code: 'cancelled' });
    expect(opens).toBe(1);
    trouble.before = () => undefined;
    await container.close();
  });

  it('for good are an error after a minute', async () => {
    const clock = new PatientClock();
    const container = await openLocalContainer(directory(), { clock, ...way });
    trouble.before = (call) => {
      if (call.startsWith('open')) throw failure('EMFILE');
    };
    const begun = clock.monotonic();
    await expect(container.put('name', Buffer.from('content'))).rejects.toMatchObject({ code: 'container' });
    expect(clock.monotonic() - begun).toBeGreaterThan(60_000);
    expect(clock.monotonic() - begun).toBeLessThan(70_000);
    trouble.before = () => undefined;
    await container.close();
  });
});

describe.each(WAYS)('a container that is called %s', (_way, way) => {
  it('waits for whoever has a lease of a blob, and for no FIFO', async () => {
    const place = directory();
    const container = await openLocalContainer(place, way);
    await container.put('name', Buffer.from('content'));
    execFileSync('mkfifo', [join(place, 'fifo')]);
    let opens = 0;
    trouble.before = (call) => {
      if (call === 'open' && opens++ === 0) throw failure('EAGAIN');
    };
    expect((await container.get('name', 100)).toString()).toBe('content');
    expect(opens).toBe(2);
    opens = 0;
    await expect(container.get('fifo', 100)).rejects.toMatchObject({ code: 'not-found' });
    expect(opens).toBe(1);
    await container.close();
  });

  it('leaves no temporary file of what is put while it is closed', async () => {
    const place = directory();
    const container = await openLocalContainer(place, way);
    let closed: Promise<void> | undefined;
    trouble.before = (call) => {
      if (call === 'write') closed ??= container.close();
    };
    const puts = ['one', 'two', 'three'].map((name) => container.put(name, Buffer.from(name)));
    for (const put of await Promise.allSettled(puts))
      expect(put).toMatchObject({ status: 'rejected', reason: { code: 'cancelled' } });
    await closed;
    expect(readdirSync(place)).toEqual([]);
  });

  it('is not tidy while a temporary file cannot be removed', async () => {
    const place = directory();
    const container = await openLocalContainer(place, way);
    writeFileSync(join(place, '.clfsload-put-left'), '');
    trouble.before = (call) => {
      if (call === 'unlink') throw failure('EACCES');
    };
    await expect(container.tidy()).rejects.toMatchObject({ code: 'access-denied' });
    // What is gone already is no trouble.
    trouble.before = (call) => {
      if (call === 'unlink') throw failure('ENOENT');
    };
    await container.tidy();
    trouble.before = () => undefined;
    await container.tidy();
    expect(readdirSync(place)).toEqual([]);
    await container.close();
  });
});

describe.each(WAYS)('a directory that another one takes the place of, called %s,', (_way, way) => {
  it('is no place of what is put, and says nothing of what is missing', async () => {
    const place = directory();
    const container = await openLocalContainer(place, way);
    await container.put('one', Buffer.from('1'));
    await container.flush();
    fs.renameSync(place, `${place}-before`);
    await expect(container.get('one', 10)).rejects.toMatchObject({ code: 'container-missing' });
    fs.mkdirSync(place);
    const other = { code: 'container', message: expect.stringContaining('is another directory than it was') };
    await expect(container.get('one', 10)).rejects.toMatchObject(other);
    await container.put('two', Buffer.from('2'));
    await expect(container.flush()).rejects.toMatchObject(other);
    fs.rmSync(place, { recursive: true });
    fs.renameSync(`${place}-before`, place);
    expect((await container.get('one', 10)).toString()).toBe('1');
    await expect(container.get('two', 10)).rejects.toMatchObject({ code: 'not-found' });
    // What was put in its place is not here.
    await expect(container.flush()).rejects.toMatchObject(other);
    await container.close();
  });
});

describe.each(WAYS)('a listing of a directory, called %s,', (_way, way) => {
  const many = directory();
  for (let file = 0; file < 6000; file++) writeFileSync(join(many, `name-${file}`), '');

  it.each(['', 'nothing begins so'])('lets timers fire (prefix %j)', async (prefix) => {
    const container = await openLocalContainer(many, way);
    let fired = 0;
    const timer = setInterval(() => fired++, 1);
    let count = 0;
    for await (const page of container.list(prefix)) count += page.length;
    expect(count).toBe(prefix === '' ? 6000 : 0);
    expect(fired).toBeGreaterThan(0);
    clearInterval(timer);
    await container.close();
  });

  it('passes over a blob that vanishes in the meantime', async () => {
    const place = directory();
    for (let file = 0; file < 3000; file++) writeFileSync(join(place, `name-${file}`), '');
    const container = await openLocalContainer(place, way);
    const found = new Set<string>();
    for await (const page of container.list('name-')) {
      if (found.size === 0)
        for (const name of readdirSync(place))
          if (!page.some((blob) => blob.name === name)) await container.delete(name);
      for (const { name } of page) found.add(name);
    }
    expect(found.size).toBeGreaterThanOrEqual(1000);
    expect(found.size).toBeLessThan(3000);
    await container.close();
  });

  it('shows a foreign file whose name is no text, and no directory', async () => {
    const place = directory();
    writeFileSync(Buffer.concat([Buffer.from(`${place}/a`), Buffer.from([0xff])]), 'foreign');
    writeFileSync(join(place, 'ä'), 'x');
    fs.mkdirSync(join(place, 'directory'));
    const container = await openLocalContainer(place, way);
    const found: unknown[] = [];
    for await (const page of container.list('')) found.push(...page);
    expect(found).toHaveLength(2);
    expect(found).toEqual(
      expect.arrayContaining([
        { name: 'a\ufffd', sizeBytes: 7 },
        { name: 'ä', sizeBytes: 1 },
      ]),
    );
    for await (const page of container.list('ä')) expect(page).toEqual([{ name: 'ä', sizeBytes: 1 }]);
    await container.close();
  });

  it('that cannot be gone on with is an error of the container', async () => {
    const container = await openLocalContainer(many, way);
    trouble.before = (call) => {
      if (call === 'stat') throw failure('EIO');
    };
    await expect(
      (async () => {
        for await (const page of container.list('')) expect(page).toBeUndefined();
      })(),
    ).rejects.toMatchObject({ code: 'container' });
    trouble.before = () => undefined;
    await container.close();
  });
});
