import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { openLocalContainer } from './local-container.js';
import { LOCAL_FILES } from './local-files.js';
import { LOCAL_FILES_LATER } from './local-files-later.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-local-unit-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));
afterEach(() => vi.restoreAllMocks());

const MISSING = Object.assign(new Error('ENOENT: no such file or directory, rename'), { code: 'ENOENT' });

describe.each([
  { way: 'at once', isRemote: false, files: LOCAL_FILES },
  { way: 'in the pool', isRemote: true, files: LOCAL_FILES_LATER },
])('a container on disk that is called $way', ({ isRemote, files }) => {
  const rename = () => vi.spyOn(files, 'rename');
  async function open(syncTells = true) {
    const directory = mkdtempSync(join(base, 'container-'));
    const container = await openLocalContainer(directory, { isRemote, syncTells });
    // By then it is known which way it is called.
    await container.put('first', Buffer.from('first'));
    return { directory, container };
  }

  it('takes a rename for done that a server was sent twice', async () => {
    const { directory, container } = await open();
    rename().mockImplementation((from, to) => {
      renameSync(from, to);
      throw MISSING;
    });
    await container.put('blob', Buffer.from('bytes'));
    await container.close();
    expect(readFileSync(join(directory, 'blob'), 'utf8')).toBe('bytes');
  });

  it.each([true, false])('syncs each file where a sync of all does not tell of errors (it does: %s)', async (tells) => {
    const { container } = await open(tells);
    const fill = vi.spyOn(files, 'fill');
    await container.put('blob', Buffer.from('bytes'));
    expect(fill.mock.calls.map(([, , sync]) => sync)).toEqual([!tells]);
    await container.close();
  });

  it('asks whether it may put and remove as that is decided then', async () => {
    const directory = mkdtempSync(join(base, 'container-'));
    const options = { isRemote, maySend: () => true };
    const container = await openLocalContainer(directory, options);
    await container.put('before', Buffer.from('bytes'));
    options.maySend = () => false;
    await expect(container.put('after', Buffer.from('bytes'))).rejects.toMatchObject({ code: 'cancelled' });
    await expect(container.delete('before')).rejects.toMatchObject({ code: 'cancelled' });
    await container.close();
    expect(readdirSync(directory)).toEqual(['before']);
  });

  it('does not take one for done that was not made', async () => {
    const { directory, container } = await open();
    rename().mockImplementation(() => {
      throw MISSING;
    });
    await expect(container.put('blob', Buffer.from('bytes'))).rejects.toMatchObject({ code: 'container-missing' });
    // What has been there is no proof.
    await expect(container.put('first', Buffer.from('again'))).rejects.toMatchObject({ code: 'container-missing' });
    await container.close();
    expect(readdirSync(directory)).toEqual(['first']);
  });

  describe('that has a blob which the disk cannot read', () => {
    /** @param isBad which blobs, or whether this read of one @returns the names that were asked for */
    async function openWith(code: string, isBad: (name: string, asked: readonly string[]) => boolean) {
      const { container } = await open();
      for (const name of ['bad', 'other']) await container.put(name, Buffer.from(name));
      const read = files.read;
      const asked: string[] = [];
      vi.spyOn(files, 'read').mockImplementation((path, limitBytes) => {
        const name = basename(path);
        asked.push(name);
        if (isBad(name, asked)) throw Object.assign(new Error(`${code}: no, read`), { code, syscall: 'read' });
        return read(path, limitBytes);
      });
      return { container, asked };
    }

    it.each(['EIO', 'EACCES', 'ELOOP'])('says so of that blob, as long as others can be read: %s', async (code) => {
      const { container, asked } = await openWith(code, (name) => name === 'bad');
      await expect(container.get('bad', 10)).rejects.toMatchObject({
        code: 'unreadable',
        message: `The blob bad cannot be read, while others can: ${code}: no, read.`,
      });
      expect(asked.some((name) => name !== 'bad')).toBe(true);
      expect((await container.get('other', 10)).toString()).toBe('other');
      await container.close();
    });

    it.each([
      ['EIO', 'container'],
      ['EACCES', 'access-denied'],
    ])('says so of the container where no other can be read either: %s', async (code, expected) => {
      const { container, asked } = await openWith(code, () => true);
      await expect(container.get('bad', 10)).rejects.toMatchObject({ code: expected });
      expect(new Set(asked)).toEqual(new Set(['bad', 'first', 'other']));
      await container.close();
    });

    it('reads it once more, since the container may have been away for a moment', async () => {
      const { container, asked } = await openWith('EIO', (_name, { length }) => length === 1);
      expect((await container.get('bad', 10)).toString()).toBe('bad');
      expect(asked.filter((name) => name === 'bad').length).toBeGreaterThan(1);
      await container.close();
    });

    it('takes what the process lacks for no fault of the blob', async () => {
      const { container } = await openWith('ENOMEM', (name) => name === 'bad');
      await expect(container.get('bad', 10)).rejects.toMatchObject({ code: 'container' });
      await container.close();
    });

    it('lists it, with the others', async () => {
      const { directory, container } = await open();
      symlinkSync('loop', join(directory, 'loop'));
      const listed: unknown[] = [];
      for await (const page of container.list('')) listed.push(...page);
      expect(new Set(listed)).toEqual(
        new Set([
          { name: 'first', sizeBytes: 5 },
          { name: 'loop', sizeBytes: 0 },
        ]),
      );
      await expect(container.get('loop', 10)).rejects.toMatchObject({ code: 'unreadable' });
      rmSync(join(directory, 'first'));
      // Nothing else says that the container answers.
      const again = container.list('')[Symbol.asyncIterator]();
      await expect(again.next()).rejects.toMatchObject({ code: 'container' });
      await container.close();
    });
  });
});
