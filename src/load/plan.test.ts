import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RECORD } from '../../test/support/empty-state.js';
import { Traffic } from '../container/traffic.js';
import type { Turn, Work } from '../engine/work.js';
import { GEOMETRY } from '../format/geometry.js';
import type { JobLog } from '../log/job-log.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import { JobState } from '../state/job-state.js';
import { DirectoryStatus } from '../state/schema.js';
import { systemClock } from '../time/clock.js';
import { JobIds } from '../worker/job-ids.js';
import type { LoadKinds } from '../worker/tasks.js';
import { JobContext } from './job-context.js';
import { LoadPlan } from './plan.js';
import { Progress } from './progress.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-load-plan-'));
afterAll(() => rmSync(base, { recursive: true }));
const MOST_ERRORS = 50;

let state: JobState;
let context: JobContext;
let plan: LoadPlan;
let reconciled: number;
let jobs = 0;

beforeEach(() => {
  state = JobState.create(join(base, `job-${jobs++}.db`), RECORD, 1001, 'WAL');
  const secret = Buffer.alloc(16);
  const progress = new Progress(systemClock);
  progress.begin({ counters: () => state.counters, recorded: () => state.record }, 0, 1, new Traffic(1));
  context = new JobContext({
    state,
    ids: new JobIds(secret, 1),
    constants: { spec: RECORD.spec, secret, containerId: 1, fsid: 1, geometry: GEOMETRY },
    progress,
    log: { write: () => undefined } as unknown as JobLog,
    clock: systemClock,
    manifest: undefined,
    sourcePlace: () => undefined,
  });
  state.transact(() => addDirectory(0, 'root', DirectoryStatus.found));
  reconciled = 0;
  plan = new LoadPlan(context, MOST_ERRORS, () => reconciled++);
});
afterEach(() => state.close());

let inodes = 1n;
function addDirectory(parent: number, name: string, status: number): void {
  const fileSystem = state.fileSystemOf('1');
  const place = { parent, name: Buffer.from(name), fileSystem, inode: ++inodes, bornNs: 0n };
  state.directories.add({ ...place, sequence: Number(inodes) + 1000, manager: 0, status });
}

/** One turn with so much room: what it gives, and why it stops. */
function turn(room = 1000, lanes = 2) {
  const given: Work<LoadKinds>[] = [];
  const reasons: unknown[] = [];
  let left = room;
  const one: Turn<LoadKinds> = {
    get room() {
      return left;
    },
    lanes,
    give(work) {
      given.push(work);
      left -= work.units;
    },
    stop: (reason) => reasons.push(reason),
  };
  state.transact(() => plan.next(one));
  return { one, given, reasons, kinds: given.map(({ message }) => message.kind) };
}

const statusOf = (id: number) => state.directories.get(id).status;

describe('the plan of a load', () => {
  it('lists what was found once, and again when that was lost', () => {
    const first = turn();
    expect(first.kinds).toEqual(['list']);
    expect(statusOf(ROOT_DIRECTORY)).toBe(DirectoryStatus.listing);
    expect(turn().given).toEqual([]);
    state.transact(() => first.given[0].lost(first.one, { share: 1 }));
    expect(statusOf(ROOT_DIRECTORY)).toBe(DirectoryStatus.found);
    expect(turn().kinds).toEqual(['list']);
  });

  it('gives nothing where there is no room', () => {
    expect(turn(0).given).toEqual([]);
    expect(statusOf(ROOT_DIRECTORY)).toBe(DirectoryStatus.found);
  });

  it('has so many listings under way for each lane, and no more', () => {
    state.transact(() => {
      for (let at = 0; at < 20; at++) addDirectory(ROOT_DIRECTORY, `d${at}`, DirectoryStatus.found);
    });
    expect(turn(1e6, 2).kinds).toEqual(new Array(8).fill('list'));
    expect(turn(1e6, 2).kinds).toEqual([]);
    expect(turn(1e6, 3).kinds).toEqual(new Array(4).fill('list'));
  });

  it('lists a directory that lies deeper than the stack', () => {
    const depth = 12_000;
    state.transact(() => {
      for (let at = 1; at <= depth; at++)
        addDirectory(at, 'd', at === depth ? DirectoryStatus.found : DirectoryStatus.waiting);
    });
    const paths = turn().given.map(({ message }) => message.kind === 'list' && message.task.place.path.length);
    expect(paths).toContain(2 * depth - 1);
  });

  it('lists nothing ahead while enough entries wait, and loads them', () => {
    state.transact(() => {
      for (let at = 0; at < 64; at++)
        state.chunks.add({
          directory: ROOT_DIRECTORY,
          firstSequence: 5000 + 256 * at,
          count: 256,
          entries: Buffer.alloc(256),
        });
    });
    const { kinds } = turn(300);
    expect(new Set(kinds)).toEqual(new Set(['files']));
    expect(statusOf(ROOT_DIRECTORY)).toBe(DirectoryStatus.found);
  });

  it('ends the job at one failure more than is tolerated', () => {
    context.progress.sessionFailures = MOST_ERRORS;
    expect(turn().reasons).toEqual([]);
    context.progress.sessionFailures++;
    const { given, reasons } = turn();
    expect(given).toEqual([]);
    expect(reasons).toEqual([
      expect.objectContaining({
        code: 'entry',
        message: expect.stringMatching(/^51 entries failed, more than --max-errors=50 allows/),
      }),
    ]);
  });

  it('goes from the scan to linked files to its end, and refuses to while something is to be listed', () => {
    expect(() => plan.advance()).toThrow('Directories remain to be listed');
    const { given, one } = turn();
    const attributes = new Uint8Array(0);
    const result = { attributes, device: '1', bornNs: 0n, clampedTimes: false, failure: undefined };
    state.transact(() => given[0].done({ kind: 'list', result }, one, 0));
    expect(context.progress.scanning).toBe(true);
    expect(plan.advance()).toBe('next');
    expect([context.progress.scanning, reconciled]).toEqual([false, 0]);
    // The root is what commits the job: it is not the plan's to write.
    expect(turn().given).toEqual([]);
    expect([plan.advance(), plan.advance()]).toEqual(['next', 'end']);
    expect(statusOf(ROOT_DIRECTORY)).toBe(DirectoryStatus.ready);
  });
});
