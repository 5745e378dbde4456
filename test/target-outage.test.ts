import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, runProgram, startProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const base = mkdtempSync(join(tmpdir(), 'clfs-target-outage-'));
const [source, container] = ['source', 'container'].map((name) => join(base, name));
const DIRECTORIES = 10;
const FILES = 60;
/** As long as the slow file system's attributes are remembered. */
const REMEMBERED_MS = 3000;

describe.skipIf(why !== undefined)(`a target that fails${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let slow: SlowFileSystem;
  beforeAll(async () => {
    for (let d = 0; d < DIRECTORIES; d++) {
      mkdirSync(join(source, `d${d}`), { recursive: true });
      for (let f = 0; f < FILES; f++) writeFileSync(join(source, `d${d}`, `f${f}`), `${d} ${f}`);
    }
    await loadWhole(source, container, join(base, 'state'));
    slow = mountSlowFs(5000);
  });
  afterAll(() => {
    slow?.unmount();
    removeTree(base);
  });

  const isWhole = async (back: string) => {
    const { stdout } = await runProgram('clfsload', ['verify', back, container, '--content']);
    const all = 1 + DIRECTORIES * (1 + FILES);
    expect(stdout).toContain(`${all} same, 0 different, 0 only in the source, 0 only in the container, 0 could not`);
  };

  it('as a whole ends the export, by which no entry fails, and it goes on when it answers', async () => {
    const [target, back, state] = [join(slow.mountPoint, 'whole'), join(slow.back, 'whole'), join(base, 'whole-state')];
    const { done } = startProgram('clfsload', ['export', container, target, `--state-path=${state}`]);
    for (let tries = 0; !existsSync(join(back, 'd0')) || readdirSync(join(back, 'd0')).length < 2; tries++) {
      if (tries > 1200) throw new Error('Nothing has been written within a minute.');
      await sleep(50);
    }
    writeFileSync(slow.rules, '* * 5\n');
    const { code, stdout, stderr } = await done;
    expect(stderr).toMatch(/The target "\S+whole" does not answer: \w+: input\/output error \(EIO\)\. When it does/);
    expect(stdout).toMatch(/, 0 failed/);
    expect(code).toBe(2);
    // Also when the kernel has forgotten what it knew of the target.
    for (const pauseMs of [0, REMEMBERED_MS]) {
      await sleep(pauseMs);
      const early = await runProgram('clfsload', ['resume', state]);
      expect(early.stderr).toMatch(/Cannot write to "\S+": \w+: input\/output error \(EIO\)\. Mend it, and repeat/);
    }
    rmSync(slow.rules);
    await sleep(REMEMBERED_MS);
    expect((await runProgram('clfsload', ['resume', state])).stdout).toMatch(/, 0 failed/);
    await isWhole(back);
  });

  it('in a directory fails what is in it, which is written when it is repeated', async () => {
    const [target, back, state] = ['part', 'part', '.part.clfsload-export'].map((name, at) =>
      join(at === 0 ? slow.mountPoint : slow.back, name),
    );
    const again = () => runProgram('clfsload', ['export', container, target, '--max-errors=100']);
    writeFileSync(slow.rules, 'create /part/d3/ 116\n');
    const { code, stdout } = await again();
    expect(stdout).toContain(`${FILES} failed`);
    expect(stdout).toContain('Failed, target-refuses');
    expect(code).toBe(1);
    expect(existsSync(join(state, 'job.db'))).toBe(true);
    rmSync(slow.rules);
    expect((await again()).stdout).toMatch(/, 0 failed/);
    expect(existsSync(join(state, 'job.db'))).toBe(false);
    await isWhole(back);
  });

  it('says why an export was refused, also where its state cannot be taken back', async () => {
    writeFileSync(slow.rules, 'mkdir /refused 5\nunlink .refused.clfsload-export/ 116\n');
    const refused = await runProgram('clfsload', ['export', container, join(slow.mountPoint, 'refused')]);
    expect(refused.stderr).toMatch(/^Cannot write to "\S+refused": \w+: input\/output error \(EIO\)\.\n$/m);
    expect(refused.stderr).not.toMatch(/^ +at /m);
    expect(refused.code).toBe(2);
    rmSync(slow.rules);
  });
});
