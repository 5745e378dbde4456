import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { PosixError } from '../posix/posix-error.js';
import { WaitBoard } from '../waits/wait-board.js';
import { SourcePace } from './source-pace.js';
import { SourcePatience } from './source-patience.js';
import { entryFailure, type SourceDirectory, type SourceTree } from './source-tree.js';

const { EACCES, EIO, ESTALE } = constants.errno;
const DIRECTORY = Buffer.from('d/below');
const NAME = Buffer.from('f');

const failureOf = (errno: number) => {
  const error = new PosixError('read', errno);
  return entryFailure('entry-unreadable', error.message, error);
};

/** A source whose roots, by their paths, are away for so many looks; each look is counted. */
function sourceOf(awayLooks: Readonly<Record<string, number>>) {
  const looks: string[] = [];
  const source: SourceTree = {
    openDirectory(path) {
      looks.push(path.toString());
      const isAway = looks.filter((look) => look === path.toString()).length <= (awayLooks[path.toString()] ?? 0);
      const root = {
        attributes(fresh?: boolean) {
          // What a client remembers of a server that is away.
          if (isAway && fresh) throw failureOf(EIO);
          return {};
        },
        close: () => undefined,
      };
      return root as unknown as SourceDirectory;
    },
    mounts: () => [{ path: Buffer.from('d'), id: 'd', isLater: false, isAutomatic: false }],
    close: () => undefined,
  };
  return { source, looks };
}

/** What fails so often. */
function failing(errno: number, times: number) {
  const made = { reads: 0 };
  const read = () => {
    if (made.reads++ < times) throw failureOf(errno);
    return 'content';
  };
  return { made, read };
}

function patienceOf(source: SourceTree, signal?: AbortSignal) {
  const waits = new WaitBoard().slot('source');
  const pace = new SourcePace({ source, mayBlock: true, waits, now: () => performance.now() });
  return { patience: new SourcePatience({ source, pace, signal, pausesMs: [1, 1, 2] }), waits };
}

it('what can be read is read at once, and what is refused fails at once', async () => {
  const { source, looks } = sourceOf({});
  const { patience } = patienceOf(source);
  expect(patience.read(DIRECTORY, NAME, () => 'content')).toBe('content');
  expect(await patience.read(DIRECTORY, NAME, async () => 'content')).toBe('content');
  const { made, read } = failing(EACCES, 9);
  await expect(patience.read(DIRECTORY, NAME, read)).rejects.toThrow('permission denied');
  expect([made.reads, looks]).toEqual([1, []]);
});

it('waits as long as the root of the file system does not answer that it is on', async () => {
  const { source, looks } = sourceOf({ d: 7 });
  const { patience } = patienceOf(source);
  const { made, read } = failing(EIO, 8);
  expect(await patience.read(DIRECTORY, NAME, async () => read())).toBe('content');
  expect([made.reads, looks]).toEqual([9, Array(8).fill('d')]);
});

it('what fails while the root answers has failed at the second try, and a stale handle at the fourth', async () => {
  const { source } = sourceOf({ '': 99 });
  const { patience } = patienceOf(source);
  const one = failing(EIO, 9);
  await expect(patience.read(DIRECTORY, NAME, one.read)).rejects.toThrow('input/output error');
  const stale = failing(ESTALE, 9);
  await expect(patience.read(DIRECTORY, NAME, stale.read)).rejects.toThrow('stale file handle');
  expect([one.made.reads, stale.made.reads]).toEqual([2, 4]);
});

it('is told as what is waited for, and waits no more when it is stopped', async () => {
  const { source } = sourceOf({ d: 1e9 });
  const stop = new AbortController();
  const { patience, waits } = patienceOf(source, stop.signal);
  const reading = patience.read(DIRECTORY, NAME, failing(EIO, 1e9).read);
  const ended = expect(reading).rejects.toThrow('The check was stopped.');
  while (waits.oldestSinceMs === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  expect(waits.oldestPath.toString()).toBe('d/below/f');
  stop.abort(new Error('The check was stopped.'));
  await ended;
});
