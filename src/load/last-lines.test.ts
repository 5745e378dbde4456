import { expect, it } from 'vitest';
import { LastLines } from './last-lines.js';

const hex = (path: string) => Buffer.from(path).toString('hex');
const entry = (path: string, size: number) => JSON.stringify({ path_hex: hex(path), size, nlink: 3, link_group: 'x' });

it.each([undefined, 500])('of a manifest each path has its last line, unless it was given up (memory: %s)', (bytes) => {
  const lines = [
    entry('kept', 1),
    entry('twice', 1),
    entry('gone/a', 1),
    entry('gone', 1),
    entry('gone-not', 1),
    entry('back/a', 1),
    JSON.stringify({ given_up_hex: hex('gone') }),
    JSON.stringify({ given_up_hex: hex('back') }),
    entry('linked', 1),
    JSON.stringify({ relinked_hex: hex('linked'), nlink: 2 }),
    JSON.stringify({ relinked_hex: hex('linked'), nlink: 1 }),
    JSON.stringify({ relinked_hex: hex('twice'), nlink: 2 }),
    entry('twice', 2),
    entry('back/a', 2),
    ...Array.from({ length: 50 }, (_, at) => entry(`more/${at}`, at)),
  ];
  const last = new LastLines(bytes);
  for (const [at, line] of lines.entries()) last.take(line, at);
  const counting = lines.flatMap((line, at) => last.asItCounts(line, at) ?? []);
  last.close();
  const linked = JSON.stringify({ path_hex: hex('linked'), size: 1, nlink: 1 });
  expect(counting).toEqual([
    entry('kept', 1),
    entry('gone-not', 1),
    linked,
    entry('twice', 2),
    entry('back/a', 2),
    ...Array.from({ length: 50 }, (_, at) => entry(`more/${at}`, at)),
  ]);
});
