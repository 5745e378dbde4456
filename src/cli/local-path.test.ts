import { expect, it } from 'vitest';
import { UsageError } from './arguments.js';
import { localPath, presentPath, targetPath, textPath } from './local-path.js';

it('a path that is empty is refused, and not taken for the working directory', async () => {
  for (const text of ['', 'hex://']) {
    expect(() => localPath(text)).toThrow(UsageError);
    expect(() => targetPath(text)).toThrow('a path is empty: name it, or "." for the working directory');
    expect(() => textPath(text, 'the report')).toThrow('a path is empty');
    await expect(presentPath(text)).rejects.toThrow('a path is empty');
  }
  expect(targetPath('.').toString()).toBe(process.cwd());
});
