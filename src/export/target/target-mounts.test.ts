import { describe, expect, it } from 'vitest';
import type { FileStatus } from '../../posix/file-status.js';
import { mountDifferences, mountsOf, requireSameMounts } from './target-mounts.js';

/** A machine on which directories have these inode numbers and times, and some of them are mounted. */
const machine = (directories: Record<string, readonly [inode: bigint, bornNs: bigint]>, ...mounted: string[]) => ({
  mounted: mounted.map((path) => Buffer.from(path)),
  async look(path: Uint8Array) {
    const found = directories[Buffer.from(path).toString()];
    return found && ({ inode: found[0], bornNs: found[1] } as FileStatus);
  },
});

describe('what is mounted below a target', () => {
  const driver = machine({ big: [2n, 7n], 'a/b': [128n, 0n] }, 'big', 'a/b');

  it('is the same where the same is there', async () => {
    await requireSameMounts(driver, await mountsOf(driver));
    await requireSameMounts(machine({}), await mountsOf(machine({})));
  });

  it.each([
    ['nothing is there', machine({ 'a/b': [128n, 0n] }, 'a/b')],
    ['another one is', machine({ big: [5n, 7n], 'a/b': [128n, 0n] }, 'big', 'a/b')],
    ['one of another time is', machine({ big: [2n, 8n], 'a/b': [128n, 0n] }, 'big', 'a/b')],
  ])('is missing where %s', async (_what, here) => {
    await expect(requireSameMounts(here, await mountsOf(driver))).rejects.toThrow('lacks what is mounted at "big"');
  });

  it('is the same where it comes by another way than a mount', async () => {
    await requireSameMounts(machine({ big: [2n, 7n], 'a/b': [128n, 9n] }), await mountsOf(driver));
  });

  it('differs by all that is not mounted any more, and all that is mounted beside', async () => {
    const mounts = await mountsOf(driver);
    const difference = async (here: typeof driver) => {
      const { lacking, further } = await mountDifferences(here, mounts);
      return { lacking: lacking.map(({ path }) => String(path)), further: further.map(String) };
    };
    expect(await difference(driver)).toEqual({ lacking: [], further: [] });
    expect(await difference(machine({ 'a/b': [3n, 0n] }))).toEqual({ lacking: ['big', 'a/b'], further: [] });
    expect(await difference(machine({ 'a/b': [3n, 0n] }, 'a/b', 'c', 'd'))).toEqual({
      lacking: ['big', 'a/b'],
      further: ['a/b', 'c', 'd'],
    });
    // A directory above it may have got a mode that forbids a look.
    expect(await difference(machine({ big: [2n, 7n] }, 'big', 'a/b'))).toEqual({ lacking: [], further: [] });
  });

  it('is not more than the driver has, which may not be able to look at it', async () => {
    const mounts = await mountsOf(machine({ big: [2n, 7n] }, 'big', 'closed'));
    await requireSameMounts(machine({ big: [2n, 7n] }, 'big', 'closed'), mounts);
    await expect(requireSameMounts(machine({ big: [2n, 7n] }, 'big', 'more'), mounts)).rejects.toThrow(
      'has something mounted at "more"',
    );
  });
});
