import { describe, expect, it } from 'vitest';
import { exportJob, load, openReader } from './index.js';

const refusal = (call: () => Promise<unknown>, message: string) =>
  expect(call()).rejects.toMatchObject({ name: 'ClfsError', code: 'usage', message });

describe('options of a wrong kind', () => {
  it('are refused by name, before anything begins', async () => {
    const where = { source: '/nowhere', destination: '/nowhere', statePath: '/nowhere' };
    const loadAs = (options: object) => () => load({ ...where, ...options } as never);
    await refusal(() => load(undefined as never), 'load takes an object of options, not undefined.');
    await refusal(loadAs({ source: 5 }), 'load: source takes a path as text or bytes, not 5.');
    await refusal(loadAs({ threads: -1 }), 'load: threads takes a whole number from 0 to 1024, not -1.');
    await refusal(loadAs({ maxErrors: 1.5 }), 'load: maxErrors takes a whole number of 0 or more, not 1.5.');
    await refusal(loadAs({ compression: 'zip' }), 'load: compression takes "LZ4" or "DISABLED", not "zip".');
    await refusal(loadAs({ newSession: 'no' }), 'load: newSession takes true or false, not "no".');
    await refusal(loadAs({ capMbps: Number.NaN }), 'load: capMbps takes a number of 0 or more, not NaN.');
    await refusal(loadAs({ signal: {} }), 'load: signal takes an AbortSignal, not an object.');
    await refusal(loadAs({ onEvent: 1 }), 'load: onEvent takes a function, not 1.');
    await refusal(loadAs({ preserveHardlinks: true }), 'load has no option preserveHardlinks.');
    await refusal(() => openReader(undefined as never), 'openReader takes a container as text: a URL or a path.');
    await refusal(() => openReader('/x', { retryWindow: 1 } as never), 'openReader has no option retryWindow.');
    await refusal(() => exportJob({ container: '/x' } as never), 'exportJob needs the option target.');
    await refusal(
      () => exportJob({ container: '/x', target: '/y', overwrite: 'yes' } as never),
      'exportJob: overwrite takes "never" or "if-different" or "always", not "yes".',
    );
  });
});
