import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { PutOptions } from '../src/container/container.js';
import { MemoryContainer } from '../src/container/memory-container.js';
import { exportJob } from '../src/export/export-job.js';
import { ExportState } from '../src/export/state/export-state.js';
import { ObjectType, ROOT_ID } from '../src/format/ids.js';
import { decodeObjectName } from '../src/format/names.js';
import { load } from '../src/load/load.js';
import { JobState } from '../src/state/job-state.js';
import { SMALL } from './support/check.js';
import { objectNames } from './support/small-container.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-lost-lock-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

/** Longer than a look at the state counts. */
const FROZEN_MS = 600;
const FOREIGN = 'of the other process';

/** What a process does to the container. */
interface Call {
  readonly what: 'put' | 'delete' | 'list';
  readonly name: string;
}

/** A container that does something at a call, before or after it has its effect. */
class WatchedContainer extends MemoryContainer {
  readonly changes: Call[] = [];
  before: ((call: Call) => Promise<void>) | undefined;

  override async put(name: string, body: Uint8Array, options?: PutOptions): Promise<void> {
    await this.#call({ what: 'put', name });
    await super.put(name, body, options);
  }

  override async delete(name: string): Promise<void> {
    await this.#call({ what: 'delete', name });
    await super.delete(name);
  }

  override async *list(prefix: string): ReturnType<MemoryContainer['list']> {
    await this.#call({ what: 'list', name: prefix });
    yield* super.list(prefix);
  }

  async #call(call: Call): Promise<void> {
    await this.before?.(call);
    if (call.what !== 'list') this.changes.push(call);
  }
}

function isRoot({ name }: Call): boolean {
  const key = decodeObjectName(name);
  return key !== undefined && key.type === ObjectType.directory && Buffer.compare(key.id, ROOT_ID) === 0;
}

function tree(directory: string): string {
  const source = join(directory, 'source');
  mkdirSync(join(source, 'a'), { recursive: true });
  for (let n = 0; n < 20; n++) writeFileSync(join(source, 'a', `file ${n}`), `content ${n}`);
  return source;
}

/**
 * Loads a tree. At a call to the container the process is frozen and loses its lock, and another one goes on with the
 * job, with files of its own.
 *
 * @param isMoment which call that is @param signals the process is told to stop while it is frozen
 */
async function lose(isMoment: (call: Call) => boolean, signals = false) {
  const directory = mkdtempSync(join(base, 'job-'));
  const statePath = join(directory, 'state');
  const problems = join(statePath, 'problems.txt');
  const container = new WatchedContainer();
  const stop = new AbortController();
  let lost = -1;
  container.before = async (call) => {
    if (lost >= 0 || !isMoment(call)) return;
    lost = container.changes.length;
    const other = JobState.open(join(statePath, 'job.db'), 'WAL');
    other.transact(() => other.update({ sessions: other.record.sessions + 1 }));
    other.close();
    writeFileSync(problems, FOREIGN);
    if (signals) stop.abort();
    await new Promise((resolve) => setTimeout(resolve, FROZEN_MS));
  };
  const summary = await load({
    source: tree(directory),
    destination: '/unused',
    statePath,
    signal: stop.signal,
    internals: { container, geometry: SMALL },
  });
  expect(lost).toBeGreaterThan(0);
  expect(readFileSync(problems, 'utf8')).toBe(FOREIGN);
  expect(summary).toMatchObject({ status: 'Failed', error: { code: 'state-busy' } });
  // A call that is under way when the process is frozen cannot be taken back.
  return { container, after: container.changes.slice(lost).filter((call) => !isMoment(call)) };
}

describe('a load that has lost its lock, and wakes while another process goes on', () => {
  it('puts no root when it was frozen in the listing', async () => {
    let ends = false;
    const { container, after } = await lose((call) => {
      ends ||= call.what === 'put' && call.name.startsWith('clfsload-');
      return ends && call.what === 'list';
    });
    expect(after).toEqual([]);
    expect(objectNames(container, ObjectType.directory).filter((name) => isRoot({ what: 'put', name }))).toEqual([]);
  });

  it('puts neither a bucket object nor a root when it was frozen while it put its log', async () => {
    const { after } = await lose(({ what, name }) => what === 'put' && name.startsWith('clfsload-'));
    expect(after).toEqual([]);
  });

  it('writes no reports when it is told to stop meanwhile', async () => {
    await lose(({ what, name }) => what === 'put' && name.startsWith('clfsload-'), true);
  });
});

describe('an export that has lost its lock', () => {
  it('does not remove the state that another process goes on with', async () => {
    const directory = mkdtempSync(join(base, 'job-'));
    const container = new MemoryContainer();
    const statePath = join(directory, 'state');
    const loaded = { source: tree(directory), destination: '/unused', statePath };
    await load({ ...loaded, internals: { container, geometry: SMALL } });
    let state = '';
    const foreign = () => join(state, 'problems.txt');
    // After the last transaction another process takes the job up, and writes a file of its own.
    const after = () => {
      if (state === '' || existsSync(foreign())) return;
      const other = ExportState.open(join(state, 'job.db'), 'WAL', {});
      if (other.record.finalStatus !== '') {
        other.transact(() => other.update({ sessions: other.record.sessions + 1 }));
        writeFileSync(foreign(), FOREIGN);
      }
      other.close();
    };
    const summary = await exportJob({
      container: '/unused',
      target: join(directory, 'target'),
      threads: 0,
      onStart(_, path) {
        state = path;
      },
      internals: { container, geometry: SMALL, hooks: { after } },
    });
    expect(summary.status).toBe('Completed');
    expect(readFileSync(foreign(), 'utf8')).toBe(FOREIGN);
    expect(summary.statePath).toBe(state);
  });
});
