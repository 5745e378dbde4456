import { mkdirSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { afterAll, expect, it } from 'vitest';
import { removeTree } from '../../test/support/tree.js';
import { Lease } from '../container/lease.js';
import { Traffic } from '../container/traffic.js';
import { GEOMETRY } from '../format/geometry.js';
import { systemClock } from '../time/clock.js';
import { WaitBoard } from '../waits/wait-board.js';
import { ALL } from './choice.js';
import { EXPORT_JOB, type RemoteExportSetup } from './export-kind.js';
import { openTarget } from './open-target.js';
import { KEPT_WHOLE } from './target/kept-attributes.js';
import { EXACT_NAMES } from './target/name-folding.js';
import { makeProbe } from './target/target-probe.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-export-kind-'));
afterAll(() => removeTree(base));

async function setUp(name: string) {
  const path = join(base, name);
  mkdirSync(path);
  const target = await openTarget(Buffer.from(path), false);
  const setup: RemoteExportSetup = {
    kind: 'export',
    place: { kind: 'local', directory: '/unused' },
    constants: {
      overwrite: 'if-different',
      sparse: false,
      choice: ALL,
      isTree: true,
      kept: KEPT_WHOLE,
      isShared: true,
      isResumed: false,
      temporaryPrefix: '.clfsload-job-',
      geometry: GEOMETRY,
      folding: EXACT_NAMES,
    },
    retryWindowMs: 1000,
    stallWarningMs: 60_000,
    container: { bucketUuid: '', rootName: '', containerId: '', blobs: [], marks: [] },
    isListed: true,
    target: Buffer.from(path),
    inode: target.status.inode,
    bornNs: target.status.bornNs,
    mounts: [],
    probe: await target.use((root) => makeProbe(root, Buffer.from('.clfsload-job-probe'))),
  };
  target.close();
  return setup;
}

function lane(at: number) {
  const { port1, port2 } = new MessageChannel();
  port2.close();
  return {
    place: { kind: 'local' as const, directory: '/unused' },
    authorization: { query: '', bearer: '' },
    lanes: 2,
    traffic: new Traffic(3).memory,
    slot: 1 + at,
    remote: { lease: new Lease(2).memory, lane: at, aheadMs: 0 },
    port: port1,
  };
}

it('a worker that sees the target of an export has lanes with a description of it each, and says what does not answer them', async () => {
  const setup = await setUp('same');
  for (const [waitedMs, stalled, stuck] of [
    [59_000, false, false],
    [61_000, true, false],
    [121_000, true, true],
  ] as const) {
    const here = await EXPORT_JOB.open(setup, { threads: 2 } as never, 2);
    const [first, second] = [here.laneOf(lane(0)), here.laneOf(lane(1))];
    expect(first.root).not.toBe(second.root);
    const slot = new WaitBoard(second.waits).slot('target');
    slot.tell({ sinceMs: systemClock.monotonic() - waitedMs, directory: Buffer.from('d'), name: Buffer.from('f') });
    expect(here.stalled?.()?.startsWith('the target has not answered for')).toBe(stalled || undefined);
    expect(here.stuck?.() !== undefined).toBe(stuck);
    here.close();
  }
});

it('a worker is refused where its target is another one', async () => {
  const [setup, other] = [await setUp('one'), await setUp('other')];
  await expect(EXPORT_JOB.open(setup, { target: other.target } as never, 1)).rejects.toThrow(
    'its target is another directory',
  );
});
