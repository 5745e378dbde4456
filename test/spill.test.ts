import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { SpilledList } from '../src/spill/spilled-list.js';
import { SpilledMap } from '../src/spill/spilled-map.js';
import { SpilledSet } from '../src/spill/spilled-set.js';
import { SpilledStack } from '../src/spill/spilled-stack.js';
import { TemporaryFile } from '../src/spill/temporary-file.js';
import { openFiles } from './support/open-files.js';

afterEach(() => vi.unstubAllEnvs());

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
// Few keys, so that they are met again; the empty one, and those that begin alike.
const key = fc.oneof(
  fc.uint8Array({ maxLength: 2 }),
  fc.constantFrom(Buffer.from([0]), Buffer.from([0, 0]), Buffer.from([255, 255, 1])),
);
const value = fc.uint8Array({ maxLength: 40 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.tuple(fc.constant('set' as const), key, value) },
  fc.tuple(fc.constant('delete' as const), key, value),
  fc.tuple(fc.constant('get' as const), key, value),
);

describe.each([
  ['in memory', 1e9, false],
  ['on disk from the first byte on', 0, true],
  ['partly on disk', 500, true],
])('a map %s', (_, memoryBytes, spills) => {
  it('is what a map is', () => {
    let spilled = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
        const map = new SpilledMap(memoryBytes);
        const model = new Map<string, string>();
        for (const [what, k, v] of steps) {
          if (what === 'set') {
            map.set(k, v);
            model.set(text(k), text(v));
          } else if (what === 'delete') expect(map.delete(k)).toBe(model.delete(text(k)));
          const found = map.get(k);
          expect(found && text(found)).toBe(model.get(text(k)));
          expect(map.has(k)).toBe(model.has(text(k)));
          expect(map.size).toBe(model.size);
        }
        const pairs = [...map.entries()].map(([k, v]) => `${text(k)}:${text(v)}`);
        expect(pairs).toEqual(
          [...model].map(([k, v]) => `${k}:${v}`).sort((a, b) => (a.split(':')[0] < b.split(':')[0] ? -1 : 1)),
        );
        if (map.isSpilled) spilled++;
        map.close();
      }),
      { numRuns: 150 },
    );
    expect(spilled > 0).toBe(spills);
  });

  it('holds more than a page', () => {
    const map = new SpilledMap(memoryBytes);
    const keys = Array.from({ length: 1234 }, (_unused, i) => Buffer.from(String((i * 7919) % 1234).padStart(5, '0')));
    for (const each of keys) map.set(each, Buffer.from('v'));
    expect([...map.entries()].map(([k]) => Buffer.from(k).toString())).toEqual(keys.map(String).sort());
    map.close();
  });
});

describe('a set', () => {
  it.each([1e9, 0, 700])('tells what is new, with %d bytes in memory', (memoryBytes) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 80 }), (steps) => {
        const set = new SpilledSet(memoryBytes);
        const model = new Set<string>();
        for (const [k, adds] of steps) {
          expect(set.has(k)).toBe(model.has(text(k)));
          if (adds) expect(set.add(k)).toBe(!model.has(text(k)) && Boolean(model.add(text(k))));
          else expect(set.delete(k)).toBe(model.delete(text(k)));
        }
        set.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('a stack', () => {
  it.each([1e9, 1, 2, 7])('gives back last what came first, with %d items in memory', (memoryItems) => {
    const codec = { encode: (item: string) => Buffer.from(item), decode: (bytes: Buffer) => bytes.toString() };
    fc.assert(
      fc.property(fc.array(fc.option(fc.string()), { maxLength: 200 }), (steps) => {
        const stack = new SpilledStack(codec, memoryItems);
        const model: string[] = [];
        for (const item of steps) {
          if (item === null) expect(stack.pop()).toBe(model.pop());
          else {
            stack.push(item);
            model.push(item);
          }
        }
        while (model.length > 0) expect(stack.pop()).toBe(model.pop());
        expect(stack.pop()).toBeUndefined();
        stack.close();
      }),
      { numRuns: 100 },
    );
  });
});

describe('a list', () => {
  it.each([1e9, 0, 700])('gives back all in order, with %d bytes in memory', (memoryBytes) => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 60 }), (items) => {
        const list = new SpilledList(memoryBytes);
        for (const item of items) list.push(item);
        expect([...list].map(text)).toEqual(items.map(text));
        expect([...list].map(text)).toEqual(items.map(text));
        expect(list.length).toBe(items.length);
        list.close();
      }),
      { numRuns: 60 },
    );
  });
});

describe('temporary files', () => {
  it('have no names, and are gone when they are closed', () => {
    const directory = mkdtempSync(join(tmpdir(), 'clfs-spill-'));
    vi.stubEnv('TMPDIR', directory);
    expect(openFiles(directory)).toEqual([]);
    const file = new TemporaryFile();
    file.write(Buffer.from('some'), 3);
    const map = new SpilledMap(0);
    map.set(Buffer.from('k'), Buffer.alloc(5000));
    expect(openFiles(directory).filter((bytes) => bytes > 0)).toHaveLength(1);
    map.set(Buffer.from('l'), Buffer.alloc(20_000_000));
    expect(openFiles(directory).filter((bytes) => bytes > 0)).toHaveLength(2);
    expect(readdirSync(directory)).toEqual([]);
    const target = Buffer.alloc(4);
    file.read(target, 3);
    expect(target.toString()).toBe('some');
    expect(() => file.read(target, 4)).toThrow(/Cannot read a temporary file/);
    file.close();
    map.close();
    expect(openFiles(directory).filter((bytes) => bytes > 0)).toEqual([]);
    rmSync(directory, { recursive: true });
  });

  it('that cannot be made are an error that says what to do', () => {
    vi.stubEnv('TMPDIR', '/nowhere/at/all');
    expect(() => new TemporaryFile()).toThrow(/Cannot make a temporary file in "\/nowhere\/at\/all": ENOENT.*TMPDIR/);
    const map = new SpilledMap(0);
    expect(() => map.set(Buffer.from('k'), Buffer.from('v'))).toThrow(expect.objectContaining({ code: 'temporary' }));
    map.close();
  });
});
