import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { runProgram } from './support/program.js';
import { removeTree } from './support/tree.js';
import { makeBase } from './support/whole-job.js';

const LOADED = new URL('support/loaded-modules.mjs', import.meta.url).href;
/** What only the client of the server of workers says. */
const CLIENT = '$JS.API';

describe('the client of the server of workers', () => {
  const base = makeBase('loaded');
  const source = join(base, 'source');
  mkdirSync(source);
  writeFileSync(join(source, 'file'), 'content');
  afterAll(() => removeTree(base));
  let runs = 0;

  /** Runs the program. @returns how it ended, and the modules that it has loaded that hold the client */
  async function clientsOf(...args: string[]) {
    const loadedTo = join(base, `loaded-${runs++}`);
    const env = { NODE_OPTIONS: `--import=${LOADED}`, LOADED_TO: loadedTo };
    const { code } = await runProgram('clfsload', args, env);
    const loaded = readFileSync(loadedTo, 'utf8').split('\n');
    const own = loaded.filter((url) => url.startsWith('file:'));
    expect(own.some((url) => url.includes('/dist/programs/'))).toBe(true);
    return { code, clients: own.filter((url) => readFileSync(new URL(url), 'utf8').includes(CLIENT)).length };
  }

  it('is loaded with --workers, and by nothing that has none', async () => {
    const container = join(base, 'container');
    const load = ['load', source, container, `--state-path=${join(base, 'state')}`];
    // Nobody listens there.
    expect(await clientsOf(...load, '--workers=nats://127.0.0.1:1')).toEqual({ code: 1, clients: 1 });
    expect(await clientsOf(...load)).toEqual({ code: 0, clients: 0 });
    expect(await clientsOf('verify', source, container)).toEqual({ code: 0, clients: 0 });
    expect(await clientsOf('export', container, join(base, 'restored'))).toEqual({ code: 0, clients: 0 });
  });
});
