import { cpSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { makeAudited } from '../../test/support/audited.js';
import { SMALL } from '../../test/support/check.js';
import { removeTree } from '../../test/support/tree.js';
import type { Container } from '../container/container.js';
import { Lease } from '../container/lease.js';
import { openLocalContainer } from '../container/local-container.js';
import { MemoryContainer } from '../container/memory-container.js';
import { Traffic } from '../container/traffic.js';
import { BUCKET_NAME } from '../format/names.js';
import { openLz4 } from '../lz4/lz4.js';
import { containerEvidence } from '../namespace/identify-container.js';
import { createDirectFinder } from '../namespace/object-finder.js';
import { ContainerReader } from '../namespace/reader.js';
import { openPosixSource } from '../source/posix-source.js';
import { evidenceOf } from '../source/same-tree.js';
import { systemClock } from '../time/clock.js';
import { WaitBoard } from '../waits/wait-board.js';
import { AUDIT_JOB, type RemoteAuditSetup } from './audit-kind.js';
import { openAuditLane } from './tasks/open-lane.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-audit-kind-'));
const directory = join(base, 'container');
const other = join(base, 'other');
const SELECTION = { excludePaths: [], excludePatterns: [], oneFileSystem: false };
const OPTIONS = { servers: 'nats://localhost', threads: 1 } as never;
let setup: RemoteAuditSetup;

beforeAll(async () => {
  const { source, whole } = await makeAudited(base);
  mkdirSync(directory);
  mkdirSync(other);
  for (const [name, blob] of whole.blobs) writeFileSync(join(directory, name), blob);
  const container = await openLocalContainer(directory);
  const tree = openPosixSource(Buffer.from(source));
  setup = {
    kind: 'audit',
    place: { kind: 'local', directory },
    constants: { geometry: SMALL, compare: { content: true, sample: 1, timeToleranceNs: 0n } },
    retryWindowMs: 1000,
    container: await containerEvidence(readerOf(container), []),
    source: { path: Buffer.from(source), selection: SELECTION, evidence: evidenceOf(tree, SELECTION) },
  };
  tree.close();
  await container.close();
});
afterAll(() => removeTree(base));

function readerOf(container: Container): ContainerReader {
  return new ContainerReader(container, createDirectFinder(container), openLz4(), SMALL);
}

/** What a lane of a worker is opened with. */
function lane() {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return {
    place: setup.place,
    authorization: { query: '', bearer: '' },
    lanes: 2,
    traffic: new Traffic(2).memory,
    slot: 1,
    remote: { lease: new Lease(2).memory, lane: 1, aheadMs: 0 },
    port: port1,
  };
}

it('a worker that sees the source of a comparison has lanes that read it by the same descriptor', async () => {
  const here = await AUDIT_JOB.open(setup, OPTIONS, 2);
  const told = here.laneOf(lane());
  expect(told).toMatchObject({
    constants: setup.constants,
    lanes: 2,
    slot: 1,
    mayBlock: true,
    objects: { kind: 'asked' },
  });
  expect(told.source).toMatchObject({ path: setup.source?.path, root: { descriptor: expect.any(Number) as number } });
  expect(told.remote?.rootDevice).toBe(setup.source?.evidence.device);
  const opened = await openAuditLane({ ...told, objects: undefined }, told.authorization);
  const asked = await opened.execute({ kind: 'hash', task: { handle: Buffer.alloc(24, 7) } }, () => undefined);
  expect(asked).toMatchObject({ result: { damage: { code: 'not-found' } } });
  await opened.close(Promise.resolve());
  here.close();
});

it('a worker says what of the source does not answer it, and ends what it does when that is long', async () => {
  const here = await AUDIT_JOB.open(setup, OPTIONS, 2);
  const waits = new WaitBoard(here.laneOf(lane()).waits).slot('source');
  expect([here.stalled?.(), here.stuck?.()]).toEqual([undefined, undefined]);
  here.close();
  for (const [waitedMs, isStuck] of [
    [61_000, false],
    [121_000, true],
  ] as const) {
    const again = await AUDIT_JOB.open(setup, OPTIONS, 2);
    const slot = new WaitBoard(again.laneOf(lane()).waits).slot('source');
    slot.tell({ sinceMs: systemClock.monotonic() - waitedMs, directory: Buffer.from('d'), name: Buffer.from('f') });
    expect(again.stalled?.()).toMatch(/^the source has not answered for \d+ s: d\/f$/);
    expect(again.stuck?.() !== undefined).toBe(isStuck);
    again.close();
  }
  expect(waits.oldestSinceMs).toBe(0);
});

it('a worker that is told of a place of its own looks there, and is refused where it sees another tree', async () => {
  await expect(AUDIT_JOB.open(setup, { source: Buffer.from(other) } as never, 1)).rejects.toThrow(/source/);
  const same = await AUDIT_JOB.open(setup, { source: setup.source?.path } as never, 1);
  same.close();
});

it('a worker needs no source where nothing is compared with one', async () => {
  const here = await AUDIT_JOB.open({ ...setup, source: undefined }, OPTIONS, 2);
  const told = here.laneOf(lane());
  expect([told.source, told.remote?.rootDevice]).toEqual([undefined, undefined]);
  here.close();
});

it('a worker is refused where it finds another container than the driver', async () => {
  const container = await openLocalContainer(directory);
  await AUDIT_JOB.requireContainer(setup, container);
  await expect(AUDIT_JOB.requireContainer(setup, new MemoryContainer())).rejects.toThrow(/container/);
  await container.close();
});

it('a worker is refused where it finds another container than the driver, though neither has a root', async () => {
  const driver = await openLocalContainer(directory);
  const blobs: string[] = [];
  for await (const page of driver.list('')) blobs.push(...page.map(({ name }) => name));
  await driver.close();
  const rest = blobs.filter((name) => name !== setup.container.rootName && name !== BUCKET_NAME);
  const [damaged, same, empty, partly] = [1, 2, 3, 4].map(() => new MemoryContainer());
  for (const each of [damaged, same]) for (const name of rest) each.blobs.set(name, Buffer.from(name));
  for (const name of rest.slice(0, -1)) partly.blobs.set(name, Buffer.from(name));
  const told = { ...setup, container: await containerEvidence(readerOf(damaged), rest) };
  expect(told.container).toMatchObject({ bucketUuid: '', rootName: '', containerId: '' });
  await AUDIT_JOB.requireContainer(told, same);
  for (const other of [empty, partly])
    await expect(AUDIT_JOB.requireContainer(told, other)).rejects.toThrow(/another container/);
});

it('a worker is refused where its container is a copy, whose blobs say nothing of those that are checked', async () => {
  const copy = join(base, 'copy');
  cpSync(directory, copy, { recursive: true, preserveTimestamps: true });
  const [there, copied] = [await openLocalContainer(directory), await openLocalContainer(copy)];
  await AUDIT_JOB.requireContainer(setup, there);
  await expect(AUDIT_JOB.requireContainer(setup, copied)).rejects.toThrow(/is a copy of the driver's/);
  // Some file systems number files by themselves on each machine, and take the times from their server.
  const { marks } = setup.container;
  expect(marks.length).toBeGreaterThan(0);
  const numbered = marks.map((mark) => ({ ...mark, inode: mark.inode + 1n }));
  await AUDIT_JOB.requireContainer({ ...setup, container: { ...setup.container, marks: numbered } }, there);
  await there.close();
  await copied.close();
});

it('a worker is refused where the container of its driver has a bucket object, and its own has not', async () => {
  const damaged = new MemoryContainer();
  const there = await openLocalContainer(directory);
  damaged.blobs.set(BUCKET_NAME, await there.get(BUCKET_NAME, 65536));
  await there.close();
  const told = { ...setup, container: await containerEvidence(readerOf(damaged), []) };
  expect(told.container.bucketUuid).not.toBe('');
  await AUDIT_JOB.requireContainer(told, damaged);
  await expect(AUDIT_JOB.requireContainer(told, new MemoryContainer())).rejects.toThrow(/another container/);
});
