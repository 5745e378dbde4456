import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadWhole, startProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const why = whyNoSlowFs();
const base = mkdtempSync(join(tmpdir(), 'clfs-verify-outage-'));
const container = join(base, 'container');
const DIRECTORIES = 10;
const FILES = 60;
const ENTRIES = 1 + DIRECTORIES * (1 + FILES);

describe.skipIf(why !== undefined)(`verify${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let slow: SlowFileSystem;
  beforeAll(async () => {
    slow = mountSlowFs(2000);
    for (let d = 0; d < DIRECTORIES; d++) {
      mkdirSync(join(slow.back, `d${d}`));
      for (let f = 0; f < FILES; f++) writeFileSync(join(slow.back, `d${d}`, `f${f}`), `${d} ${f}`);
    }
    await loadWhole(slow.back, container, join(base, 'state'));
  });
  afterAll(() => {
    slow?.unmount();
    removeTree(base);
  });

  /** Verifies, and has calls answered by a rule once it has begun. @returns what it says in the end */
  async function verified(rule: string, forMs?: number) {
    const report = join(base, `report-${rule.replace(/\W/g, '')}`);
    const args = ['verify', slow.mountPoint, container, '--content', `--report=${report}`, '--stall-warning=1s'];
    const { done } = startProgram('clfsload', args);
    while (!existsSync(report)) await sleep(20);
    writeFileSync(slow.rules, `${rule}\n`);
    await (forMs === undefined ? done : sleep(forMs));
    rmSync(slow.rules);
    return done;
  }

  it('waits for a source that is away, and says so', async () => {
    const { stdout, stderr } = await verified('* * 5', 6000);
    expect(stderr).toMatch(/^The source has not answered since /m);
    expect(stdout).toContain(
      `${ENTRIES} same, 0 different, 0 only in the source, 0 only in the container, 0 could not`,
    );
  });

  it('tells what cannot be read while the root of the source answers', async () => {
    const { stdout } = await verified('open /d3/f 5');
    expect(stdout).toContain('! d3/f7: input/output error (EIO)');
    expect(stdout).toContain(`, ${FILES} could not be checked`);
  });
});
