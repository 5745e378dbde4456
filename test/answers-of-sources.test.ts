import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPosixSource } from '../src/source/posix-source.js';
import type { SourceDirectory, SourceTree } from '../src/source/source-tree.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';

const ROOT = Buffer.alloc(0);
const NAME = Buffer.from('file');
const CONTENT = 'content of a file'.repeat(100);

describe.skipIf(whyNoSlowFs())('answers that few file systems give', () => {
  let fs: SlowFileSystem;
  let source: SourceTree;
  let directory: SourceDirectory;
  beforeEach(() => {
    fs = mountSlowFs(0);
    writeFileSync(join(fs.back, 'file'), CONTENT);
    source = openPosixSource(Buffer.from(fs.mountPoint));
    directory = source.openDirectory(ROOT);
  });
  afterEach(() => {
    directory.close();
    source.close();
    fs.unmount();
  });

  it('a file that others hold is waited for: whoever does not wait may not read it', async () => {
    // A group lock of Lustre, which refuses the reads of a file that was opened so as not to wait.
    writeFileSync(fs.rules, 'read file held\n');
    const target = Buffer.alloc(CONTENT.length);
    const now = directory.openFile(NAME);
    expect(now.read(target, 0)).toBe(CONTENT.length);
    expect(target.toString()).toBe(CONTENT);
    now.close();
    target.fill(0);
    const later = await directory.async?.openFile(NAME);
    expect(await later?.read(target, 0)).toBe(CONTENT.length);
    expect(target.toString()).toBe(CONTENT);
    await later?.close();
  });

  it('a listing that goes in circles is an error of the directory, which has not gone', async () => {
    mkdirSync(join(fs.back, 'circle'));
    writeFileSync(fs.rules, 'readdir circle 40\n');
    const circle = source.openDirectory(Buffer.from('circle'));
    const words = 'its listing does not come to an end';
    expect(() => [...circle.list()]).toThrow(words);
    await expect(circle.async?.list()[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      reason: 'directory-unreadable',
      message: expect.stringContaining(words),
    });
    circle.close();
  });
});
