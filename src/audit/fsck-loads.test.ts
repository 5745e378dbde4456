import { expect, it } from 'vitest';
import { ClfsError } from '../error.js';
import { type FsckContext, reportDamage } from './fsck-context.js';
import { countLoads } from './fsck-loads.js';

/** What a report was called with. */
type Told = readonly [severity: string, code: string, object: string | undefined, message: string];

function reported() {
  const told: Told[] = [];
  const report: FsckContext['report'] = (severity, code, _path, object, message) =>
    void told.push([severity, code, object, message]);
  return { told, report };
}

const load = (fsid: bigint) => ({ fsid, containerId: 1n });

it('of the loads whose inodes are in one container all but the largest are told of, with their first inode', () => {
  const loads = countLoads();
  for (const name of ['a', 'b', 'c']) loads.count(load(1n), name);
  for (const name of ['d', 'e']) loads.count(load(2n), name);
  loads.count(load(3n), 'f');
  const { told, report } = reported();
  loads.report(report);
  expect(told).toEqual([
    ['error', 'load-ids', 'd', expect.stringMatching(/^2 inodes are of another load than most, which are 3: /)],
    ['error', 'load-ids', 'f', expect.stringMatching(/^One inode is of another load than most, which are 3: /)],
  ]);
});

it('of one load, or of none, nothing is told', () => {
  const { told, report } = reported();
  countLoads().report(report);
  const loads = countLoads();
  loads.count(load(1n), 'a');
  loads.report(report);
  expect(told).toEqual([]);
});

it('of more than a hundred loads the later ones are not told apart', () => {
  const loads = countLoads();
  for (let at = 0n; at < 150n; at++) loads.count(load(at), `inode ${at}`);
  const { told, report } = reported();
  loads.report(report);
  expect(told).toHaveLength(99);
});

it('what is missing, and what is damaged, is told by a code of its own; other errors are no finding', () => {
  const { told, report } = reported();
  const context = { report } as FsckContext;
  reportDamage(context, undefined, 'x', new ClfsError('not-found', 'It is not there.'));
  reportDamage(context, undefined, 'y', new ClfsError('format', 'It is cut off.'));
  expect(told).toEqual([
    ['error', 'missing-object', 'x', 'It is not there.'],
    ['error', 'damaged-object', 'y', 'It is cut off.'],
  ]);
  const away = new ClfsError('service-unavailable', 'It does not answer.');
  expect(() => reportDamage(context, undefined, 'z', away)).toThrow(away);
});
