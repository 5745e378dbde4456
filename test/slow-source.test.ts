import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPosixSource } from '../src/source/posix-source.js';
import { until } from './support/in-time.js';
import { runProgram, startProgram } from './support/program.js';
import { mountSlowFs, type SlowFileSystem, whyNoSlowFs } from './support/slow-fs.js';
import { removeTree } from './support/tree.js';

const BIN = new URL('../bin/clfsload', import.meta.url).pathname;
const why = whyNoSlowFs();
const base = mkdtempSync(join(tmpdir(), 'clfs-slow-source-'));
afterAll(() => removeTree(base));

describe.skipIf(why !== undefined)(`a slow file system${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  let slow: SlowFileSystem;
  const places = (name: string) =>
    [join(base, `${name}-container`), `--state-path=${join(base, `${name}-state`)}`] as const;
  const logOf = (name: string) => readFileSync(join(base, `${name}-state`, 'clfsload.log'), 'utf8');
  beforeAll(() => {
    slow = mountSlowFs(1000);
    for (let d = 0; d < 6; d++) {
      mkdirSync(join(slow.back, `d${d}`));
      for (let f = 0; f < 60; f++) writeFileSync(join(slow.back, `d${d}`, `f${f}`), `${d}/${f}`.repeat(f));
    }
    writeFileSync(join(slow.back, 'large'), Buffer.alloc(30 * 1048576, 'some text that is large. '));
    writeFileSync(join(slow.back, 'middle'), Buffer.alloc(5 * 1048576, 'some text that is not small. '));
  });
  afterAll(() => slow.unmount());

  it('is loaded whole by many calls at once, verified, and sized', async () => {
    const [container, state] = places('whole');
    const run = await runProgram('clfsload', ['load', slow.mountPoint, container, state]);
    expect(run.stdout).toContain('Final Job Status: Completed');
    expect(logOf('whole')).toContain('calls of the source are asynchronous now');
    const status = await runProgram('clfsload', ['status', state]);
    expect(status.stdout).toMatch(/^Calls: +of the source asynchronous/m);
    // Against what is behind it: no byte is told by the slow side.
    const back = await runProgram('clfsload', ['verify', slow.back, container, '--content']);
    expect(back.stdout).toMatch(/^369 same, 0 different.*362 files compared/m);
    const front = await runProgram('clfsload', ['verify', slow.mountPoint, container, '--content']);
    expect(front.stdout).toMatch(/^369 same, 0 different.*362 files compared/m);
    const sized = await runProgram('clfsload', ['load', slow.mountPoint, container, '--dry-run']);
    expect(sized.stdout).toMatch(/369/);
  });

  it('is asked, not its client, whether what was read has changed', async () => {
    const names = ['now', 'later', 'directory'].map((name) => `changed-${name}`);
    for (const name of names.slice(0, 2)) writeFileSync(join(slow.back, name), 'content');
    mkdirSync(join(slow.back, names[2]));
    const source = openPosixSource(Buffer.from(slow.mountPoint));
    const root = source.openDirectory(Buffer.alloc(0));
    const [now, later] = names.map((name) => Buffer.from(name));
    const directory = source.openDirectory(Buffer.from(names[2]));
    const file = root.openFile(now);
    const before = file.attributes();
    const laterFile = await root.async?.openFile(later);
    const laterBefore = await laterFile?.attributes();
    const { mtimeSeconds } = directory.attributes();
    // Behind the back of the client, which remembers attributes for some seconds.
    for (const name of names) utimesSync(join(slow.back, name), 1, 1);
    expect(laterFile?.knownAttributes?.()?.mtimeSeconds).toBe(laterBefore?.mtimeSeconds);
    expect(file.isUnchanged(before)).toBe(false);
    expect(laterBefore && (await laterFile?.isUnchanged(laterBefore))).toBe(false);
    expect(directory.attributes(true).mtimeSeconds).not.toBe(mtimeSeconds);
    file.close();
    await laterFile?.close();
    // It knows no extended attributes: the directory is asked, and no entry.
    expect(await root.async?.unstorableOf?.(now)).toEqual({ acl: false, attributes: false, released: false });
    for (const each of [directory, root, source]) each.close();
    for (const name of names) rmSync(join(slow.back, name), { recursive: true });
  });

  it('is loaded as it is, whatever its client remembers of it', async () => {
    const names = Array.from({ length: 20 }, (_, n) => `remembered-${n}`);
    mkdirSync(join(slow.back, 'remembered'));
    for (const name of names) writeFileSync(join(slow.back, 'remembered', name), 'before');
    await sleep(1200);
    for (const name of names) statSync(join(slow.mountPoint, 'remembered', name));
    for (const name of names) {
      writeFileSync(join(slow.back, 'remembered', name), `${name} after it`);
      utimesSync(join(slow.back, 'remembered', name), 1, 1);
    }
    const [container, state] = places('remembered');
    const run = await runProgram('clfsload', ['load', join(slow.mountPoint, 'remembered'), container, state]);
    expect(run.stdout).toContain('Final Job Status: Completed\n');
    const compared = await runProgram('clfsload', ['verify', join(slow.back, 'remembered'), container, '--content']);
    expect(compared.stdout).toMatch(/^21 same, 0 different.*20 files compared/m);
    rmSync(join(slow.back, 'remembered'), { recursive: true });
  });

  it('that never answers for a file is named, and holds up neither the line nor a stop', async () => {
    const [container, state] = places('hang');
    writeFileSync(join(slow.back, 'd3', 'on-hold'), 'content');
    writeFileSync(slow.hold, '');
    const { child, done } = startProgram('clfsload', [
      'load',
      slow.mountPoint,
      container,
      state,
      '--stall-warning=2s',
      '--output-level=default',
    ]);
    let output = '';
    child.stdout?.on('data', (text: string) => {
      output += text;
    });
    await until(() => /The source has not answered since .*: d3\/on-hold/.test(output));
    const lines = output.length;
    // The line goes on.
    await until(() => output.length > lines);
    const status = async () => (await runProgram('clfsload', ['status', state.replace('--state-path=', '')])).stdout;
    await until(async () =>
      /^Waiting: {3}a call of d3\/on-hold has not been answered since \S+Z$/m.test(await status()),
    );
    child.kill('SIGINT');
    const ended = performance.now();
    const { code } = await done;
    expect(code).toBe(1);
    expect(performance.now() - ended).toBeLessThan(60_000);
    expect(logOf('hang')).toMatch(/WARNING the source has not answered for \d+ s: d3\/on-hold/);
    rmSync(slow.hold);
    const again = await runProgram('clfsload', ['load', slow.mountPoint, container, state, '--new-session=false']);
    expect(again.stdout).toContain('Final Job Status: Completed');
    const back = await runProgram('clfsload', ['verify', slow.back, container, '--content']);
    expect(back.stdout).toMatch(/^370 same, 0 different/m);
  });

  it('that never answers for a file does not hold up the stop of a dry run', async () => {
    rmSync(slow.held, { force: true });
    writeFileSync(slow.hold, '');
    const { child, done } = startProgram('clfsload', ['load', slow.mountPoint, '/unused', '--dry-run']);
    await until(() => existsSync(slow.held));
    child.kill('SIGINT');
    const tooLong = setTimeout(() => child.kill('SIGKILL'), 60_000);
    const { code } = await done;
    clearTimeout(tooLong);
    rmSync(slow.hold);
    expect(code).toBe(1);
  });

  it('that is away for a while costs no failures', async () => {
    const [container, state] = places('away');
    const { done } = startProgram('clfsload', ['load', slow.mountPoint, container, state, '--max-errors=3']);
    await until(() => {
      try {
        return logOf('away').includes('Transfer phase');
      } catch {
        return false;
      }
    });
    writeFileSync(slow.fail, '');
    await sleep(6000);
    rmSync(slow.fail);
    const { stdout, code } = await done;
    expect(stdout).toContain('Number of Transfers Failed: 0');
    expect(code).toBe(0);
  });

  it('that is mounted in another one and away for a while costs no failures', async () => {
    const [container, state] = places('mounted');
    const source = join(base, 'mounted-source');
    mkdirSync(join(source, 'mounted'), { recursive: true });
    for (let f = 0; f < 5000; f++) writeFileSync(join(source, `f${f}`), `${f}`);
    execFileSync('mount', ['--bind', slow.mountPoint, join(source, 'mounted')]);
    try {
      writeFileSync(slow.fail, '');
      const { done } = startProgram('clfsload', ['load', source, container, state, '--max-errors=0']);
      await until(() => existsSync(join(base, 'mounted-state', 'clfsload.log')));
      // Longer than an entry is tried again for.
      await sleep(12_000);
      rmSync(slow.fail);
      const { stdout } = await done;
      expect(stdout).toContain('Final Job Status: Completed\n');
      expect(stdout).toContain('Number of Transfers Failed: 0');
    } finally {
      execFileSync('umount', [join(source, 'mounted')]);
    }
  });

  it('of 20,000 files is loaded under "ulimit -n 256"', async () => {
    const [container, state] = places('many');
    const many = mountSlowFs(300);
    try {
      for (let d = 0; d < 100; d++) {
        mkdirSync(join(many.back, `d${d}`));
        for (let f = 0; f < 200; f++) writeFileSync(join(many.back, `d${d}`, `f${f}`), `${f}`);
      }
      const args = [BIN, 'load', many.mountPoint, container, state];
      const child = spawn('sh', ['-c', 'ulimit -n 256; exec "$0" "$@"', process.execPath, ...args]);
      let output = '';
      child.stdout.on('data', (text: Buffer) => {
        output += text.toString();
      });
      const code = await new Promise((resolve) => child.on('close', resolve));
      expect(output).toContain('Number of Transfers Completed: 20101');
      expect(output).toContain('Number of Transfers Failed: 0');
      expect(code).toBe(0);
    } finally {
      many.unmount();
    }
  });
});
