import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const PROGRAM = new URL('./support/hanging-threads.mjs', import.meta.url).pathname;

it('a program ends although one of its threads hangs in a call of the system', async () => {
  const base = mkdtempSync(join(tmpdir(), 'clfs-hanging-'));
  const fifo = join(base, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const child = spawn(process.execPath, [PROGRAM, fifo], { stdio: ['ignore', 'inherit', 'inherit'] });
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 60_000);
  const code = await new Promise((resolve) => child.on('close', (code, signal) => resolve(code ?? signal)));
  clearTimeout(tooLong);
  expect(code).toBe(7);
  rmSync(base, { recursive: true });
});
