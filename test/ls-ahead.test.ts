import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ListingStep, listingSteps } from '../src/cli/verbs/ls-steps.js';
import type { MemoryContainer } from '../src/container/memory-container.js';
import { ROOT_ID } from '../src/format/ids.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { indexContainer } from '../src/namespace/object-index.js';
import { PendingDirectories } from '../src/namespace/pending-directories.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { SMALL } from './support/check.js';
import { loadSmall } from './support/small-container.js';
import { removeTree } from './support/tree.js';

const DIRECTORIES = 40;

describe('a listing of directories', () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-ls-'));
  let container: MemoryContainer;
  beforeAll(async () => {
    const source = join(base, 'source');
    for (let directory = 0; directory < DIRECTORIES; directory++) {
      const path = join(source, `d${directory}`, 'below');
      mkdirSync(path, { recursive: true });
      for (const name of ['a', 'b', 'c']) writeFileSync(join(path, name), name);
    }
    container = await loadSmall(source, base);
  });
  afterAll(() => removeTree(base));

  /** Lists it from a service that takes its time. */
  async function listSlowly(recursive: boolean): Promise<{ readonly lines: readonly string[]; readonly most: number }> {
    let underWay = 0;
    let most = 0;
    const slow = Object.assign(Object.create(container) as MemoryContainer, {
      async get(name: string, limitBytes: number) {
        most = Math.max(most, ++underWay);
        await sleep(5);
        underWay--;
        return container.get(name, limitBytes);
      },
    });
    const index = await indexContainer(container);
    const reader = new ContainerReader(slow, index, openLz4(), SMALL);
    const met = index.idSet();
    const parts = { pending: new PendingDirectories(reader, met), below: new PendingDirectories(reader, met) };
    parts.pending.push(Buffer.alloc(0), await reader.inode(ROOT_ID));
    const steps = listingSteps(reader, parts, { all: false, recursive, attributes: true });
    const lines: string[] = [];
    for await (const step of Readable.from(steps, { highWaterMark: 64 }) as AsyncIterable<ListingStep>)
      lines.push(step.kind === 'entry' ? (await step.item).path.toString() : `${step.kind} ${step.path.toString()}`);
    for (const each of [parts.pending, parts.below, met]) each.close();
    index.close();
    return { lines, most };
  }

  it('has each directory after the one that it is in, and reads those of several at once', async () => {
    const { lines, most } = await listSlowly(true);
    const names = Array.from({ length: DIRECTORIES }, (_, number) => `d${number}`).sort();
    expect(lines).toEqual([
      'directory ',
      ...names,
      ...names.flatMap((name) => [
        `directory ${name}`,
        `${name}/below`,
        `directory ${name}/below`,
        ...['a', 'b', 'c'].map((file) => `${name}/below/${file}`),
      ]),
    ]);
    expect(most).toBeGreaterThan(4);
  });

  it('is of one directory where nothing else is wanted', async () => {
    expect((await listSlowly(false)).lines).toHaveLength(1 + DIRECTORIES);
  });
});
