import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { Tally } from '../src/books/tally.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { load } from '../src/load/load.js';
import type { SourceAttributes, SourceTree } from '../src/source/source-tree.js';
import { openDatabase } from '../src/sqlite/database.js';
import { JobState } from '../src/state/job-state.js';
import { SCHEMA_VERSION } from '../src/state/migrations.js';
import { differencesOf, expectFaithful, findingsOf, SMALL } from './support/check.js';
import { RECORD } from './support/empty-state.js';
import { randomNumbers, removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-properties-'));
afterAll(() => removeTree(base));
let count = 0;
const place = (name: string) => join(base, `${name}-${count++}`);

type Step = { readonly kind: 'add' | 'claim' | 'finish' | 'crash' | 'fail'; readonly value: number };

describe('the state against a model', () => {
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom('add', 'claim', 'finish', 'crash', 'fail'),
    value: fc.nat(20),
  });

  it('every chunk is claimed once, none is lost, none is offered again under its names', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const path = place('model');
        let state = JobState.create(path, RECORD, 1001, 'WAL');
        const pending = new Set<number>();
        const running = new Set<number>();
        const counts = new Map<number, number>();
        let nextId = 1;
        let sequences = 1001;
        const chunk = (firstSequence: number, count: number) => ({
          directory: 1,
          firstSequence,
          count,
          entries: Buffer.alloc(3),
        });
        for (const { kind, value } of steps) {
          if (kind === 'add') {
            const size = value + 1;
            const first = state.transact(() => {
              const sequence = state.takeSequences(size);
              state.chunks.add(chunk(sequence, size));
              return sequence;
            });
            expect(first).toBe(sequences);
            sequences += size;
            counts.set(nextId, size);
            pending.add(nextId++);
          } else if (kind === 'claim') {
            const claimed = state.transact(() => state.chunks.claim(value));
            expect(claimed.length).toBe(Math.min(value, pending.size));
            for (const { id } of claimed) {
              expect(pending.delete(id)).toBe(true);
              running.add(id);
            }
          } else if (kind === 'finish' && running.size > 0) {
            const id = [...running][value % running.size];
            state.transact(() => state.chunks.finish(id, undefined));
            running.delete(id);
          } else if (kind === 'fail') {
            // A transaction that throws leaves no trace.
            expect(() =>
              state.transact(() => {
                state.takeSequences(value);
                state.chunks.add(chunk(1, 1));
                state.count(5, 5);
                const tally = new Tally();
                tally.add(1, 'a', 1);
                state.addObjects(tally);
                throw new Error('no');
              }),
            ).toThrow('no');
          } else if (kind === 'crash') {
            state.close();
            state = JobState.open(path, 'WAL');
            state.transact(() => state.reclaimListings());
          }
          expect(state.chunks.backlogEntries()).toBe([...pending].reduce((sum, id) => sum + (counts.get(id) ?? 0), 0));
          expect([...state.chunks.running(0, 1000)].map(({ id }) => id)).toEqual([...running].sort((a, b) => a - b));
          expect(state.counters).toEqual({ done: 0, bytes: 0, excluded: 0 });
          expect(state.tally.isEmpty).toBe(true);
        }
        state.close();
        for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
      }),
      { numRuns: 150 },
    );
  });

  it('a database of a newer version is refused', () => {
    const path = place('newer');
    JobState.create(path, RECORD, 1001, 'DELETE').close();
    const db = openDatabase(path);
    db.exec('PRAGMA user_version = 99');
    db.close();
    expect(() => JobState.open(path, 'DELETE')).toThrow(
      `is of version 99; this program uses version ${SCHEMA_VERSION}.`,
    );
  });
});

describe('the scan, while the tree changes under it', () => {
  it.each(Array.from({ length: 12 }, (_, seed) => seed))(
    'seed %i: sound, never half an entry, complete when the tree rests',
    async (seed) => {
      const next = randomNumbers(seed + 100);
      const source = place('moving');
      for (let d = 0; d < 8; d++) {
        mkdirSync(join(source, `d${d}`, 'sub'), { recursive: true });
        for (let f = 0; f < 12; f++)
          writeFileSync(join(source, `d${d}`, f % 3 === 0 ? 'sub' : '.', `f${f}`), someBytes(f * 700, f));
      }
      let changes = 0;
      const disturb = () => {
        if (changes >= 25 || next() % 2 === 0) return;
        changes++;
        const from = join(source, `d${next() % 8}`, ...(next() % 2 === 0 ? [`f${next() % 12}`] : ['sub']));
        if (!existsSync(from)) return;
        if (next() % 3 === 0) rmSync(from, { recursive: true });
        else renameSync(from, join(source, `d${next() % 8}`, `moved-${changes}`));
      };
      const wrapSource = (tree: SourceTree): SourceTree => ({
        ...tree,
        openDirectory(path, expected) {
          disturb();
          const directory = tree.openDirectory(path, expected);
          return {
            attributes: () => directory.attributes(),
            *list() {
              disturb();
              yield* directory.list();
            },
            attributesOf: (name) => directory.attributesOf(name),
            readLink: (name) => directory.readLink(name),
            openFile(name) {
              disturb();
              return directory.openFile(name);
            },
            close: () => directory.close(),
          };
        },
      });
      const container = new MemoryContainer();
      const statePath = place('moving-state');
      const summary = await load({
        source,
        destination: '/unused',
        statePath,
        maxErrors: 1000,
        internals: { container, geometry: SMALL, wrapSource },
      });
      expect(changes).toBeGreaterThan(5);
      expect(summary.error).toBeUndefined();
      expect(await findingsOf(container, SMALL)).toEqual([]);
      // What is in both is the same; directories have changed since, and show it by their times.
      const lines = await differencesOf(source, container, SMALL);
      expect(
        lines.filter(
          ({ mark, details }) =>
            mark === '!' || (mark === '*' && !details.every((detail) => detail.startsWith('modified '))),
        ),
      ).toEqual([]);
      const again = await load({
        source,
        destination: '/unused',
        statePath,
        maxErrors: 1000,
        newSession: false,
        internals: { container, geometry: SMALL },
      });
      expect(again.error).toBeUndefined();
      expect(await findingsOf(container, SMALL)).toEqual([]);
    },
  );
});

describe('two sessions and two jobs', () => {
  it('a remount between two sessions is no change', async () => {
    const source = place('remounted');
    for (let d = 0; d < 6; d++) {
      mkdirSync(join(source, `d${d}`), { recursive: true });
      for (let f = 0; f < 20; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${f}`);
    }
    /** The tree as if its file system had another device number. */
    const onDevice =
      (device: string, stopAfter: number) =>
      (tree: SourceTree): SourceTree => ({
        ...tree,
        openDirectory(path, expected) {
          expect(expected?.device ?? device).toBe(device);
          const directory = tree.openDirectory(path, expected && { ...expected, device: undefined });
          const moved = (attributes: SourceAttributes) => ({ ...attributes, device });
          return {
            attributes: () => moved(directory.attributes()),
            list: () => directory.list(),
            attributesOf: (name) => moved(directory.attributesOf(name)),
            readLink: (name) => directory.readLink(name),
            openFile(name) {
              if (--stopAfter === 0) throw new Error('killed');
              return directory.openFile(name);
            },
            close: () => directory.close(),
          };
        },
      });
    const container = new MemoryContainer();
    const options = { source, destination: '/unused', statePath: place('remounted-state') };
    const first = await load({ ...options, internals: { container, wrapSource: onDevice('8:1', 50) } });
    expect(first.status).toBe('Failed');
    const second = await load({
      ...options,
      newSession: false,
      internals: { container, wrapSource: onDevice('8:17', 1_000_000) },
    });
    expect(second.error).toBeUndefined();
    expect(second.status).toBe('Completed');
    await expectFaithful(source, container);
  });

  it('of two new jobs that race for one empty container, one has it and the other leaves no state', async () => {
    const source = place('raced');
    mkdirSync(source);
    writeFileSync(join(source, 'file'), 'x');
    const container = new MemoryContainer();
    const states = [place('race'), place('race')];
    const outcomes = await Promise.allSettled(
      states.map((statePath) => load({ source, destination: '/unused', statePath, internals: { container } })),
    );
    const won = outcomes.filter(({ status }) => status === 'fulfilled');
    const lost = outcomes.filter((outcome) => outcome.status === 'rejected') as PromiseRejectedResult[];
    expect([won.length, lost.length]).toEqual([1, 1]);
    expect(lost[0].reason).toMatchObject({ code: 'container-not-empty' });
    expect(states.filter((path) => existsSync(path)).length).toBe(1);
    await expectFaithful(source, container);
  });
});
