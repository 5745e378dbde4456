import { once } from 'node:events';
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startThread } from './own-thread.js';

it('starts a thread that closes nothing at its end: a descriptor of its own may be that of another file by then', async () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-thread-'));
  const file = join(base, 'file');
  writeFileSync(file, 'content');
  const program = `import { open } from 'node:fs'; import { parentPort } from 'node:worker_threads';
    open('/dev/null', 'r', (_, fd) => parentPort.postMessage(fd));`;
  const thread = startThread(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  const ended = once(thread, 'exit');
  const [fd] = (await once(thread, 'message')) as [number];
  closeSync(fd);
  // The lowest number that is free is given: in the end that one.
  const opened: number[] = [];
  while (opened.at(-1) !== fd && opened.length < 100) opened.push(openSync(file, 'r'));
  await ended;
  expect(opened.map((each) => fstatSync(each).size)).toEqual(opened.map(() => 7));
  for (const each of opened) closeSync(each);
  rmSync(base, { recursive: true });
});
