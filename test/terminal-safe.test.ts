import { mkdirSync, mkdtempSync, renameSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLocalContainer } from '../src/container/local-container.js';
import { decodeBucket, encodeBucketPairs } from '../src/format/bucket.js';
import { type DirectoryEntry, decodeDirents, encodeDirents } from '../src/format/dirents.js';
import { ENVELOPE_BYTES } from '../src/format/envelope.js';
import { decodeInode, encodeInode } from '../src/format/inode.js';
import { BUCKET_NAME } from '../src/format/names.js';
import { load } from '../src/load/load.js';
import { escapeJson, escapeName, escapePath, escapeText } from '../src/text/escape-path.js';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';

const base = mkdtempSync(join(tmpdir(), 'clfs-terminal-'));
afterAll(() => removeTree(base));

const ESC = '\u001b]0;owned\u0007';
const C1 = '\u009b31m';
const TURN = 'a\u202eb';
/**
 * Bytes that a terminal obeys, in output that was read as latin1: C0 but the line end, DEL, C1 in UTF-8, and turns of
 * direction.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const OBEYED = /[\u0000-\u0009\u000b-\u001f\u007f]|\u00c2[\u0080-\u009f]|\u00e2\u0080[\u00a8-\u00ae]/;

describe('what is escaped', () => {
  it('controls of C0 and C1, DEL, separators and turns of direction, byte by byte', () => {
    expect(escapePath(Buffer.from(`${C1}ü`))).toBe('\\xc2\\x9b31mü');
    expect(escapePath(Buffer.concat([Buffer.from([0xff, 0x9b]), Buffer.from(C1)]))).toBe('\\xff\\x9b\\xc2\\x9b31m');
    expect(escapePath(Buffer.from('back\\slash\u001b'))).toBe('back\\\\slash\\x1b');
    expect(escapeName(TURN)).toBe('a\\xe2\\x80\\xaeb');
    expect(escapePath(Buffer.from('plain ünïcode 😀'))).toBe('plain ünïcode 😀');
    expect(escapePath(Buffer.from('\ufffd'))).toBe('\ufffd');
  });

  it('a message keeps its lines and what was escaped before; JSON keeps what it says', () => {
    expect(escapeText(`one\ntwo \\x1b ${C1}${ESC}`)).toBe('one\ntwo \\x1b \\xc2\\x9b31m\\x1b]0;owned\\x07');
    const value = { name: `${C1}${TURN}\u007f${ESC}` };
    const json = escapeJson(JSON.stringify(value));
    expect(Buffer.from(json).toString('latin1')).not.toMatch(OBEYED);
    expect(JSON.parse(json)).toEqual(value);
  });
});

describe('a container whose names a terminal would obey', () => {
  const source = join(base, 'source');
  const container = join(base, 'container');

  beforeAll(async () => {
    for (const name of [ESC, C1, TURN]) {
      mkdirSync(join(source, `dir${name}`), { recursive: true });
      writeFileSync(join(source, `dir${name}`, `file${name}`), 'content');
    }
    const summary = await load({
      source,
      destination: container,
      statePath: join(base, 'state'),
      compression: 'DISABLED',
    });
    expect(summary.status).toBe('Completed');
    const store = await openLocalContainer(container);
    // The bucket object's values, a foreign blob, a damaged blob, an entry that leads nowhere, one whose name cannot be
    // one, and one twice.
    const pairs = new Map(decodeBucket((await store.get(BUCKET_NAME, 1e6)).subarray(ENVELOPE_BYTES)));
    pairs.set('bucketUUID', `uuid${ESC}${C1}`);
    pairs.set('logfile001', `log${ESC}${C1}\nsecond line`);
    await store.put(BUCKET_NAME, Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), encodeBucketPairs(pairs)]));
    writeFileSync(join(container, `foreign${ESC}${C1}`), 'x');
    let damaged = false;
    for await (const page of store.list('')) {
      for (const { name } of page) {
        if (/\.0001\./.test(name) && !damaged) {
          damaged = true;
          await store.put(name, Buffer.from('damaged'));
        }
        if (!name.startsWith('00000064')) continue;
        const inode = decodeInode((await store.get(name, 1e6)).subarray(ENVELOPE_BYTES));
        const entries: DirectoryEntry[] = [...decodeDirents(inode.dirents as Buffer)];
        entries.push({ name: Buffer.from(`nowhere${ESC}${C1}`), handle: Buffer.alloc(24, 7) });
        entries.push({ name: Buffer.from(`a/b${ESC}${C1}`), handle: entries[2].handle });
        entries.push({ name: entries[2].name, handle: entries[2].handle });
        await store.put(
          name,
          Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), encodeInode({ ...inode, dirents: encodeDirents(entries) })]),
        );
      }
    }
    await store.close();
    expect(damaged).toBe(true);
  });

  const RUNS: Record<string, () => string[]> = {
    'ls -lR': () => ['ls', '-laR', container],
    'ls --json': () => ['ls', '-R', '--json', container],
    find: () => ['find', container],
    'find --json': () => ['find', '--json', container],
    du: () => ['du', container],
    'du --json': () => ['du', '--json', container],
    info: () => ['info', container],
    'info --json': () => ['info', '--json', container],
    manifest: () => ['manifest', container],
    fsck: () => ['fsck', '--content', container],
    'fsck --json': () => ['fsck', '--content', '--json', container],
    stat: () => ['stat', container, `dir${ESC}`, `dir${C1}`],
    'stat of what is not there': () => ['stat', container, `nothing${ESC}${C1}`],
    'stat --json': () => ['stat', '--json', container, `dir${C1}`],
    'cat of a directory': () => ['cat', container, `dir${C1}`],
    verify: () => ['verify', source, container],
    'verify --json': () => ['verify', '--json', source, container],
    'verify of a source that is not there': () => ['verify', `${source}${ESC}${C1}`, container],
    export: () => ['export', container, mkdtempSync(join(base, 'target-'))],
    'export --tar': () => ['export', container, '--tar', join(base, 'target.tar')],
    'a verb that there is not': () => [`verb${C1}`],
    status: () => ['status', `--state-path=${join(base, `state${ESC}${C1}`)}`],
  };
  it.each(Object.keys(RUNS))('%s prints nothing that a terminal obeys', async (name) => {
    const run = await runProgram('clfsload', RUNS[name]());
    expect(run.stdout + run.stderr).not.toMatch(OBEYED);
    expect((run.stdout + run.stderr).length).toBeGreaterThan(10);
  });

  it('status of a job whose source has such a name', async () => {
    const odd = join(base, `odd${C1}`);
    renameSync(source, odd);
    const state = join(base, 'odd-state');
    const first = await runProgram('clfsload', [
      'load',
      odd,
      join(base, `odd-container${C1}`),
      `--state-path=${state}`,
    ]);
    expect(first.code).toBe(0);
    const run = await runProgram('clfsload', ['status', `--state-path=${state}`]);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('odd\\xc2\\x9b31m');
    expect(run.stdout + first.stdout).not.toMatch(OBEYED);
    renameSync(odd, source);
  });
});
