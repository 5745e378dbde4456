import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { withAsyncSide } from '../../test/support/async-source.js';
import { removeTree } from '../../test/support/tree.js';
import { descriptorPlaces } from '../posix/descriptors.js';
import { openPosixSource } from '../source/posix-source.js';
import { SourcePace } from '../source/source-pace.js';
import { WaitBoard } from '../waits/wait-board.js';
import { expectSource } from './source-expectation.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-source-expectation-'));
mkdirSync(join(base, 'd'));
writeFileSync(join(base, 'd', 'f'), 'content');
afterAll(() => removeTree(base));

/** Calls of the source that a comparison makes, in their order, and what is waited for in each. */
const CALLS = [
  ['open', 'd'],
  ['attributes', 'd'],
  ['list', 'd'],
  ['attributes', 'd/f'],
  ['open', 'd/f'],
  ['read', 'd/f'],
  ['list', 'd'],
] as const;

it('every call of a source that a comparison waits for is told while it is not answered', async () => {
  const one = async (at: number, call: string, path: string) => {
    const waits = new WaitBoard().slot('source');
    let calls = 0;
    let go: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    let named = '';
    const source = withAsyncSide(
      openPosixSource(Buffer.from(base)),
      async (_what, name) => {
        if (calls++ !== at) return;
        named = name;
        await held;
      },
      true,
    );
    const pace = new SourcePace({ source, mayBlock: false, waits, now: () => performance.now() });
    const expectation = expectSource(source, descriptorPlaces(4), pace);
    const compared = (async () => {
      const directory = await expectation.directory(Buffer.from('d'));
      for await (const name of directory.names()) {
        await directory.entry(name);
        const content = await directory.content(name);
        if (content.kind === 'bytes') {
          await content.read(Buffer.alloc(7), 0, 7);
          content.close();
        }
      }
      directory.close();
    })();
    while (waits.oldestSinceMs === 0) await new Promise((resolve) => setTimeout(resolve, 50));
    expect([at, named, waits.oldestPath.toString()]).toEqual([at, call, path]);
    go();
    await compared;
    expectation.close();
  };
  await Promise.all(CALLS.map(([call, path], at) => one(at, call, path)));
}, 60_000);
