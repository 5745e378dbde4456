import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { Traffic } from '../src/container/traffic.js';
import { ALL } from '../src/export/choice.js';
import { KEPT_WHOLE } from '../src/export/target/kept-attributes.js';
import { EXACT_NAMES } from '../src/export/target/name-folding.js';
import {
  type AnyCalls,
  CHANGES,
  type LaterCalls,
  SYSTEM_CALLS,
  SYSTEM_CALLS_LATER,
} from '../src/export/target/target-calls.js';
import type { ExportConstants, LargeFile } from '../src/export/tasks/kinds.js';
import { openExportLane } from '../src/export/tasks/open-lane.js';
import { EntryPacker } from '../src/export/tasks/packed-entries.js';
import { isDot, isDotDot } from '../src/format/dirents.js';
import { ROOT_ID } from '../src/format/ids.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { createDirectFinder } from '../src/namespace/object-finder.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { Open } from '../src/posix/libc.js';
import { snapshotOf } from './export-lives/snapshot.js';
import { SMALL } from './support/check.js';
import { loadSmall } from './support/small-container.js';
import { removeTree, someBytes } from './support/tree.js';

const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'clfs-export-frozen-'));
afterAll(() => removeTree(base));

/** Calls of a worker that freezes right before one of them, behind its look at its lease. */
class Frozen {
  readonly calls: LaterCalls;
  /** Resolves when it is frozen. */
  readonly reached: Promise<void>;
  #wake: () => void = () => undefined;
  readonly #woken = new Promise<void>((resolve) => {
    this.#wake = resolve;
  });

  /** @param at before which call that changes something; from 0 */
  constructor(at: number) {
    let made = 0;
    let reach: () => void = () => undefined;
    this.reached = new Promise((resolve) => {
      reach = resolve;
    });
    const calls: Record<string, unknown> = {};
    for (const [key, call] of Object.entries(SYSTEM_CALLS_LATER))
      calls[key] = async (...how: unknown[]) => {
        const isChange =
          (CHANGES as readonly string[]).includes(key) ||
          (key === 'openAt' && ((how[2] as number) & Open.create) !== 0) ||
          key === 'sync';
        if (isChange && made++ === at) {
          reach();
          await this.#woken;
        }
        return (call as (...how: unknown[]) => unknown)(...how);
      };
    this.calls = calls as unknown as LaterCalls;
  }

  wake(): void {
    this.#wake();
  }
}

const ROOT = { path: new Uint8Array(0), filled: 0 };

const constantsOf = (more: Partial<ExportConstants> = {}): ExportConstants => ({
  overwrite: 'if-different',
  kept: KEPT_WHOLE,
  sparse: false,
  choice: ALL,
  isTree: true,
  isShared: true,
  isResumed: false,
  temporaryPrefix: '.clfsload-job-',
  geometry: SMALL,
  folding: EXACT_NAMES,
  ...more,
});

async function laneOf(container: MemoryContainer, target: string, constants: ExportConstants, later: AnyCalls) {
  const root = openSync(target, 'r');
  const lane = await openExportLane(
    {
      place: { kind: 'local', directory: '/unused' },
      constants,
      retryWindowMs: 1000,
      objects: undefined,
      root,
      mounted: [],
      isRemote: false,
      lanes: 1,
      mayBlock: false,
      traffic: new Traffic(1).memory,
    },
    { query: '', bearer: '' },
    { container, ways: { now: SYSTEM_CALLS, later: later as LaterCalls, isSlow: true, mayBlock: false } },
  );
  return { lane, close: () => closeSync(root) };
}

/** What is in the root of a container, as a chunk has it. */
async function entriesOf(container: MemoryContainer) {
  const reader = new ContainerReader(container, createDirectFinder(container), openLz4(), SMALL);
  const packer = new EntryPacker();
  const handles = new Map<string, Buffer>();
  for await (const piece of reader.entries(await reader.inode(ROOT_ID)))
    for (const { name, handle } of piece) {
      if (isDot(name) || isDotDot(name)) continue;
      packer.add(name, handle);
      handles.set(Buffer.from(name).toString(), Buffer.from(handle));
    }
  return { ...packer.take(), handles };
}

let number = 0;
function emptyTarget(fill: (target: string) => void = () => undefined): string {
  const target = join(base, `target-${++number}`);
  mkdirSync(target);
  fill(target);
  return target;
}

/** Names, content, modes and times of what is in a directory, but not its own. */
function contentOf(directory: string) {
  return [...snapshotOf(directory)]
    .filter(([path]) => path !== '')
    .map(([path, { ctimeNs: _changed, inode: _number, ...entry }]) => [path, entry] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

describe('a worker that freezes before any of its calls, and goes on when another one has done its task, hits nothing of it:', () => {
  let source: string;
  let files: MemoryContainer;
  let largeSource: string;
  let large: MemoryContainer;
  beforeAll(async () => {
    source = join(base, 'files');
    mkdirSync(source);
    for (let f = 0; f < 3; f++) writeFileSync(join(source, `f${f}`), someBytes(400 + 1500 * f, f));
    symlinkSync('f1', join(source, 'symlink'));
    files = await loadSmall(source, base);
    largeSource = join(base, 'large');
    mkdirSync(largeSource);
    writeFileSync(join(largeSource, 'large'), someBytes(12_000, 1));
    large = await loadSmall(largeSource, base);
  });

  const there = (target: string) => {
    writeFileSync(join(target, 'f0'), 'something else');
    writeFileSync(join(target, 'f1'), '');
    for (const name of ['f0', 'f1']) utimesSync(join(target, name), 7, 7);
  };
  it.each<[string, (target: string) => void, Partial<ExportConstants>]>([
    ['files that are new', () => undefined, {}],
    ['files that replace others', there, {}],
    ['files, some of which are left', there, { overwrite: 'never' }],
    ['files that replace whatever is there', there, { overwrite: 'always' }],
  ])('%s', async (_what, fill, more) => {
    const { count, entries } = await entriesOf(files);
    const task = (attempt: string) => ({
      kind: 'files' as const,
      task: { ...ROOT, count, entries, settled: new Uint8Array(1), attempt },
    });
    const expected = emptyTarget(fill);
    const alone = await laneOf(files, expected, constantsOf(more), SYSTEM_CALLS_LATER);
    await alone.lane.execute(task('0'), () => undefined);
    alone.close();
    let at = 0;
    for (; ; at++) {
      const target = emptyTarget(fill);
      const frozen = new Frozen(at);
      const first = await laneOf(files, target, constantsOf(more), frozen.calls);
      const second = await laneOf(files, target, constantsOf(more), SYSTEM_CALLS_LATER);
      const late = first.lane.execute(task('1'), () => undefined);
      const isFrozen = await Promise.race([frozen.reached.then(() => true), late.then(() => false)]);
      if (!isFrozen) break;
      const { kind, result } = await second.lane.execute(task('2'), () => undefined);
      expect(kind === 'files' && [result.failures, result.broken], `call ${at}`).toEqual([[], undefined]);
      frozen.wake();
      await late;
      await second.lane.execute({ kind: 'sweep', task: ROOT }, () => undefined);
      expect(contentOf(target), `call ${at}`).toEqual(contentOf(expected));
      first.close();
      second.close();
    }
    expect(at).toBeGreaterThan(10);
  });

  it('parts of a large file', async () => {
    const { handles } = await entriesOf(large);
    const file: LargeFile = {
      ...ROOT,
      name: Buffer.from('large'),
      temporary: Buffer.from('.clfsload-job-f1'),
      handle: handles.get('large') as Buffer,
    };
    let at = 0;
    for (; ; at++) {
      const target = emptyTarget();
      const frozen = new Frozen(at);
      const first = await laneOf(large, target, constantsOf(), frozen.calls);
      const second = await laneOf(large, target, constantsOf(), SYSTEM_CALLS_LATER);
      const begun = await second.lane.execute(
        { kind: 'beginLarge', task: { file, inode: undefined } },
        () => undefined,
      );
      if (begun.kind !== 'beginLarge' || begun.result.outcome !== 'begun') throw new Error('It was not begun.');
      const { inode } = begun.result;
      const range = { kind: 'range' as const, task: { file, inode, first: 0, end: 6 } };
      const late = first.lane.execute(range, () => undefined);
      const isFrozen = await Promise.race([frozen.reached.then(() => true), late.then(() => false)]);
      if (!isFrozen) break;
      await second.lane.execute(range, () => undefined);
      frozen.wake();
      await late;
      // It gets times and name only then.
      const end = { kind: 'endLarge' as const, task: { file, inode, giveUp: false } };
      const ended = await second.lane.execute(end, () => undefined);
      expect(ended.result).toEqual({ outcome: 'written' });
      // A try that was not heard of had done it already.
      expect((await second.lane.execute(end, () => undefined)).result).toEqual({ outcome: 'written' });
      expect(contentOf(target), `call ${at}`).toEqual(contentOf(largeSource));
      expect(readdirSync(target)).toEqual(['large']);
      first.close();
      second.close();
    }
    expect(at).toBeGreaterThan(3);
  });
});
