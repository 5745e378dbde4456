import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { blobNamed, LARGE_FILE_BYTES, makeAudited, segmentsOf } from '../../test/support/audited.js';
import { SMALL } from '../../test/support/check.js';
import { removeTree } from '../../test/support/tree.js';
import type { Container } from '../container/container.js';
import { openLocalContainer } from '../container/local-container.js';
import type { MemoryContainer } from '../container/memory-container.js';
import { decodeObjectName } from '../format/names.js';
import { openLz4 } from '../lz4/lz4.js';
import { indexContainer, type ObjectIndex } from '../namespace/object-index.js';
import { Pace } from '../namespace/pace.js';
import { ContainerReader } from '../namespace/reader.js';
import { joined, separated } from '../spill/spilled-list.js';
import { type AuditCrew, type CrewOptions, openAuditCrew } from './open-crew.js';
import type { DirectoryPart } from './tasks/kinds.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-crew-unit-'));
const directory = join(base, 'container');
let whole: MemoryContainer;
let source: string;
let container: Container;
let index: ObjectIndex;
const crews: AuditCrew[] = [];
beforeAll(async () => {
  ({ source, whole } = await makeAudited(base));
  mkdirSync(directory);
  for (const [name, blob] of whole.blobs) writeFileSync(join(directory, name), blob);
  container = await openLocalContainer(directory);
  index = await indexContainer(container);
});
afterEach(async () => {
  for (const crew of crews.splice(0)) await crew.close();
});
afterAll(async () => {
  index.close();
  await container.close();
  removeTree(base);
});

const COMPARE = { content: true, sample: 1, timeToleranceNs: 0n };
const SELECTION = { excludePaths: [], excludePatterns: [], oneFileSystem: false };

async function open(options: CrewOptions = {}, place = directory): Promise<AuditCrew> {
  const crew = await openAuditCrew(
    {
      place: { kind: 'local', directory: place },
      identity: { authorization: { query: '', bearer: '' }, onRenewed: () => undefined, close: () => undefined },
      index,
      reader: new ContainerReader(container, index, openLz4(), SMALL),
      retryWindowMs: 1000,
      signal: undefined,
      pace: new Pace(),
      traffic: [],
    },
    { threads: 0, ...options },
  );
  crews.push(crew);
  return crew;
}
const comparing = () => open({ compare: COMPARE, source: { path: Buffer.from(source), selection: SELECTION } });
const handleOf = (name: string) => blobNamed(whole, name).key.id;
const largeTask = (firstByte: number, endByte: number, isLast: boolean, sha256?: string) => ({
  path: Buffer.from('a'),
  name: Buffer.from('large'),
  handle: handleOf('large'),
  firstByte,
  endByte,
  isLast,
  sha256,
});

describe('lanes that read a container', () => {
  it('know how many inodes it has', async () => {
    const crew = await open();
    expect([crew.lanes, crew.inodes]).toEqual([1, 39]);
  });

  it('take sums, and say what is damaged', async () => {
    const crew = await open();
    const sum = createHash('sha256')
      .update(readFileSync(join(source, 'a', 'large')))
      .digest('hex');
    expect(await crew.ask('hash', { handle: handleOf('large') }, 4)).toEqual({ sha256: sum });
    expect(await crew.ask('hash', { handle: Buffer.alloc(24, 7) }, 4)).toEqual({
      damage: { code: 'not-found', message: `The inode ${'07'.repeat(24)} is not in the container.` },
    });
  });

  it('compare directories and entries with a source of their own', async () => {
    const crew = await comparing();
    const parts: DirectoryPart[] = [];
    const task = { path: Buffer.from('b'), handle: handleOf('b') };
    expect(await crew.ask('directory', task, 16, { part: (part) => parts.push(part) })).toEqual({
      differences: { texts: [], onlyRounding: true },
      unchecked: undefined,
    });
    expect(parts).toHaveLength(1);
    expect(parts[0]).toMatchObject({ missing: [], extra: [] });
    const [entries] = parts[0].chunks;
    const names = [...separated(Buffer.from(entries))].filter((_, at) => at % 2 === 0).map(String);
    expect([...names].sort()).toEqual(['fifo', 'linked', 'symlink']);
    const { outcomes, contents, bytes } = await crew.ask(
      'entries',
      { path: Buffer.from('b'), entries, given: undefined },
      3,
    );
    const linked = { id: handleOf('linked'), linkCount: 2, key: expect.stringMatching(/^\d+:\d+\/\d+$/) };
    expect(outcomes).toEqual(names.map((name) => (name === 'linked' ? { link: linked } : {})));
    expect([contents, bytes]).toEqual([1, 6]);
  });

  it('compare parts of a large file, by bytes or by a sum', async () => {
    const crew = await comparing();
    const same = (bytes: number) => ({ difference: undefined, unchecked: undefined, bytes });
    expect(await crew.ask('range', largeTask(0, LARGE_FILE_BYTES, true), 1)).toEqual(same(LARGE_FILE_BYTES));
    expect(await crew.ask('range', largeTask(700, 9000, false), 1)).toEqual(same(8300));
    const sum = createHash('sha256')
      .update(readFileSync(join(source, 'a', 'large')))
      .digest('hex');
    expect(await crew.ask('range', largeTask(0, LARGE_FILE_BYTES, true, sum), 1)).toEqual(same(LARGE_FILE_BYTES));
    expect(await crew.ask('range', largeTask(0, 600, true, sum), 1)).toMatchObject({
      difference: 'content has another SHA-256',
    });
    expect(await crew.ask('range', largeTask(0, 3100, true), 1)).toMatchObject({ difference: 'content ends at 3100' });
    const other = { ...largeTask(0, 7, true), handle: handleOf('file') };
    expect(await crew.ask('range', other, 1)).toMatchObject({
      difference: 'content differs within the 7 bytes from 0 on',
    });
    const gone = { ...largeTask(0, 7, true), name: Buffer.from('gone') };
    expect(await crew.ask('range', gone, 1)).toMatchObject({
      difference: undefined,
      unchecked: 'it was there when its directory was listed, and is not any more',
    });
  });

  it('read segments, and tell what is wrong with each', async () => {
    const crew = await open();
    const [first, second] = segmentsOf(whole, 'large').map((name) => decodeObjectName(name)?.id as Buffer);
    const task = {
      owner: handleOf('large'),
      sizeBytes: LARGE_FILE_BYTES,
      ctimeSeconds: 0,
      blocks: [{ block: 1, id: first }],
    };
    const { findings } = await crew.ask('segments', task, 8);
    expect(findings).toEqual([
      {
        severity: 'warning',
        code: 'segment-ctime',
        object: first.toString('hex').toUpperCase(),
        message: 'Block 1 has another ctime than its inode.',
      },
    ]);
    const wrong = {
      ...task,
      blocks: [
        { block: 1, id: second },
        { block: 2, id: Buffer.alloc(16, 1) },
      ],
    };
    const codes = (await crew.ask('segments', wrong, 8)).findings.map(({ code }) => code);
    expect([...codes].sort()).toEqual(['missing-object', 'segment-ctime', 'segment-offset']);
  });

  it('have no tree to compare with unless they are told of one', async () => {
    const asked = async (ask: (crew: AuditCrew) => Promise<unknown>) => ask(await open());
    const message = 'A lane without an expectation was asked to compare.';
    await expect(
      asked((crew) => crew.ask('directory', { path: Buffer.alloc(0), handle: handleOf('/') }, 1)),
    ).rejects.toThrow(message);
    const entries = joined([Buffer.from('file'), handleOf('file')]);
    await expect(
      asked((crew) => crew.ask('entries', { path: Buffer.from('a'), entries, given: undefined }, 1)),
    ).rejects.toThrow(message);
    await expect(asked((crew) => crew.ask('range', largeTask(0, 1, false), 1))).rejects.toThrow(message);
  });

  it('are closed while they work, and say so to who waits', async () => {
    const crew = await open();
    const waiting = crew.ask('hash', { handle: handleOf('large') }, 4);
    const closed = crew.close();
    await Promise.allSettled([waiting, closed]);
    await expect(crew.ask('hash', { handle: handleOf('large') }, 4)).rejects.toThrow();
  });

  it('are not opened where there is no container', async () => {
    const noContainer = open({ source: { path: Buffer.from(source), selection: SELECTION } }, join(base, 'none'));
    await expect(noContainer).rejects.toMatchObject({ code: 'container-missing' });
  });
});
