import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { compare, fourfold, median, nothing, PORT, random, rounds, runOurs, runVerb, smallFiles, text, url, work } from './harness.mjs';

/** The cases against azcopy, and of the way back. */
export const CASES = {
  S: () => compare('S', smallFiles(), 20000, 'files/s'),
  L: () => compare('L', text(), 1024, 'MiB/s'),
  L0: () => compare('L0', text(), 1024, 'MiB/s', { flags: ['--compression-type=DISABLED'] }),
  R: () => compare('R', random(), 512, 'MiB/s'),
  // Four times as much under further names: what start-up weighs shows in the difference.
  S4: () => compare('S4', fourfold('S', smallFiles()), 80000, 'files/s'),
  L4: () => compare('L4', fourfold('text', text()), 4096, 'MiB/s'),
  L04: () => compare('L04', fourfold('text', text()), 4096, 'MiB/s', { flags: ['--compression-type=DISABLED'] }),
  R4: () => compare('R4', fourfold('R', random()), 2048, 'MiB/s'),
  W: () => compare('W', smallFiles(), 20000, 'files/s', { port: PORT + 1, azcopy: false }),
  T: () => compare('T', smallFiles(), 20000, 'files/s', { port: PORT + 2, scheme: 'https', azcopy: false }),
  async Z() {
    const help = [];
    const empty = [];
    for (let round = 0; round < Math.max(3, rounds); round++) {
      help.push((await runVerb(['--help'])).seconds);
      for (const path of ['local', 'local-state']) rmSync(join(work, path), { recursive: true, force: true });
      empty.push((await runVerb(['load', nothing(), join(work, 'local'), `--state-path=${join(work, 'local-state')}`])).seconds);
    }
    return { case: 'Z', clfsload: `--help ${(median(help) * 1000).toFixed(0)} ms, empty load ${(median(empty) * 1000).toFixed(0)} ms` };
  },
  async V() {
    await runOurs(text());
    const verify = [];
    const exported = [];
    for (let round = 0; round < Math.min(3, rounds); round++) {
      verify.push((await runVerb(['verify', text(), url(), '--content'])).seconds);
      rmSync(join(work, 'exported'), { recursive: true, force: true });
      exported.push((await runVerb(['export', url(), join(work, 'exported')])).seconds);
    }
    rmSync(join(work, 'exported'), { recursive: true, force: true });
    return { case: 'V', clfsload: `verify --content ${(1024 / median(verify)).toFixed(0)} MiB/s, export ${(1024 / median(exported)).toFixed(0)} MiB/s` };
  },
};
