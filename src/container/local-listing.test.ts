import type { BigIntStats } from 'node:fs';
import { tmpdir } from 'node:os';
import { expect, it, vi } from 'vitest';
import { CURRENT_DIRECTORY, Open, openAt } from '../posix/libc.js';
import { SharedDescriptor } from '../posix/shared-descriptor.js';
import { systemClock } from '../time/clock.js';
import { WaitBoard } from '../waits/wait-board.js';
import { Waits } from '../waits/waits.js';
import type { LocalFiles } from './local-files.js';
import { LocalListing } from './local-listing.js';
import { LocalPlace } from './local-place.js';
import { LocalWays } from './local-ways.js';

const files = vi.hoisted(() => ({ made: 0, closed: 0 }));
vi.mock('../spill/temporary-file.js', async (importOriginal) => {
  const real = await importOriginal<typeof import('../spill/temporary-file.js')>();
  return {
    ...real,
    TemporaryFile: class extends real.TemporaryFile {
      #closed = false;
      constructor() {
        super();
        files.made++;
      }
      override close(): void {
        if (!this.#closed) files.closed++;
        this.#closed = true;
        super.close();
      }
    },
  };
});

const OLD = { dev: 1n, ino: 1n, mtimeNs: 1n, ctimeNs: 1n } as BigIntStats;
const NAME = '0123456789abcdef';

it('keeps no names of a directory that were read when it is closed', async () => {
  let looks = 0;
  let answer: () => void = () => undefined;
  const answered = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const pages = [[NAME], []];
  const later: Partial<LocalFiles> = {
    async times() {
      if (++looks === 3) await answered;
      return OLD;
    },
    openDirectory: async () => ({ next: async () => pages.shift() ?? [], close: async () => undefined }),
    look: async () => undefined,
  };
  const waits = new Waits({ slot: new WaitBoard().slot('container'), now: () => performance.now() });
  const calls = later as LocalFiles;
  const ways = new LocalWays({ now: calls, later: calls, isRemote: true, mayBlock: false, waits });
  const descriptor = new SharedDescriptor(openAt(CURRENT_DIRECTORY, Buffer.from(tmpdir()), Open.readOnly));
  const listing = new LocalListing(new LocalPlace(tmpdir(), descriptor, ways, systemClock), true);
  const listed = (async () => {
    for await (const page of listing.list(NAME)) expect(page).toEqual([]);
  })();
  await vi.waitFor(() => expect(looks).toBeGreaterThan(1));
  expect(files).toEqual({ made: 1, closed: 0 });
  listing.close();
  answer();
  await listed;
  expect(files).toEqual({ made: 1, closed: 1 });
  await descriptor.close();
});
