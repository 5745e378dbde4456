import { expect, it, vi } from 'vitest';
import { type ContainerPlace, parseContainer } from '../container/open-container.js';
import type { Listener } from '../remote/link.js';
import { type Candidate, PROTOCOL, WIRE_FORMAT } from '../remote/messages.js';
import { systemClock } from '../time/clock.js';
import { VERSION } from '../version.js';
import { type FileUse, fileCapabilities } from './capabilities.js';
import { openPool } from './open-pool.js';

const ALL = 31;
vi.mock('./capabilities.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('./capabilities.js')>()),
  fileCapabilities: vi.fn(() => ALL),
}));
vi.mock('./groups.js', async (importOriginal) => ({
  ...(await importOriginal<typeof import('./groups.js')>()),
  ownGroups: () => ({ gid: 2000, groups: [2000, 300] }),
}));

const LOCAL: ContainerPlace = { kind: 'local', directory: '/' };

/** What a driver of a job that writes files, or reads them, answers to somebody who asks for work. */
async function answered(
  files: FileUse,
  candidate: Partial<Candidate>,
  report: (text: string) => void = () => undefined,
  place = LOCAL,
): Promise<{ readonly refused?: string }> {
  let listener: Listener | undefined;
  const link = {
    longestBytes: 65_536,
    queue: '',
    listen: (by: Listener) => {
      listener = by;
    },
    offer: () => undefined,
    withdraw: () => undefined,
    close: async () => undefined,
  };
  const pool = await openPool(
    {
      wish: { workers: 'nats://127.0.0.1' },
      job: 'job',
      files,
      setup: { kind: 'job', place },
      clock: systemClock,
      lateArrivalMs: 0,
      ownLanes: 0,
      report,
    },
    async () => link,
  );
  const facts = { protocol: PROTOCOL, wire: WIRE_FORMAT, version: VERSION, worker: 'w', name: 'host/1', lanes: 1 };
  const all = { ...facts, user: process.geteuid?.() ?? 0, clockMs: Date.now(), ...candidate };
  const answer = listener?.candidate(Buffer.from(JSON.stringify(all)));
  await pool.close();
  return JSON.parse(Buffer.from(answer ?? []).toString());
}

it('a worker with less rights than the driver is refused, as far as the job needs them', async () => {
  const onlyReads = 20;
  expect((await answered('read', { capabilities: 16 })).refused).toMatch(
    /^it may not read whatever belongs to others .*, which the driver may: give it the same rights$/,
  );
  expect((await answered('read', { capabilities: onlyReads })).refused).toBeUndefined();
  expect((await answered('write', { capabilities: onlyReads })).refused).toContain('CAP_DAC_OVERRIDE');
  expect((await answered('write', { capabilities: ALL })).refused).toBeUndefined();
  expect((await answered('read', {})).refused).toBeUndefined();
  const inNamespace = 15;
  expect((await answered('read', { capabilities: inNamespace })).refused).toContain('user namespace');
  expect((await answered('blobs', { capabilities: inNamespace })).refused).toBeUndefined();
});

it('a worker that lacks groups of the driver is refused where it is about files, and they count for it', async () => {
  const seesAll = 16;
  const lacks = { capabilities: seesAll, gid: 1000, groups: [300] };
  vi.mocked(fileCapabilities).mockReturnValue(seesAll);
  const refused = 'it lacks group 2000 of the driver';
  for (const use of ['read', 'blobs'] as const) expect((await answered(use, lacks)).refused).toContain(refused);
  expect((await answered('write', lacks)).refused).toContain("its group is 1000, the driver's 2000");
  expect((await answered('read', { ...lacks, groups: [300, 2000] })).refused).toBeUndefined();
  expect((await answered('read', { ...lacks, capabilities: ALL })).refused).toBeUndefined();
  const { place } = parseContainer('https://account.blob.core.windows.net/container?sv=1&sig=x');
  expect((await answered('blobs', lacks, undefined, place)).refused).toBeUndefined();
  expect((await answered('read', lacks, undefined, place)).refused).toContain(refused);
  vi.mocked(fileCapabilities).mockReturnValue(ALL);
});

it('what a worker says of itself is told without secrets', async () => {
  const told: string[] = [];
  await answered('write', { capabilities: 16, name: 'host/https://user:password@h/' }, (text) => void told.push(text));
  expect(told).toEqual([expect.stringMatching(/^host\/https:\/\/-REDACTED-@h\/ is refused: /)]);
});
