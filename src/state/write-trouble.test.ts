import { expect, it } from 'vitest';
import { ClfsError } from '../error.js';
import { writeTrouble } from './write-trouble.js';

const tell = (error: unknown) => writeTrouble(error, 'the job state', 'then go on');

it('trouble of the database says what to do, and any other error is left as it is', () => {
  const full = Object.assign(new Error('database or disk is full'), { code: 'ERR_SQLITE_ERROR' });
  expect(tell(full)).toMatchObject({
    code: 'state',
    message: 'Cannot write the job state: database or disk is full. Make room or mend the disk, then go on.',
    cause: full,
  });
  // The manifest and the reports lie beside the database.
  const noRoom = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
  expect(tell(noRoom)).toMatchObject({
    code: 'state',
    message:
      'Cannot write the job state: ENOSPC: no space left on device, write. Make room or mend the disk, then go on.',
  });
  for (const error of [
    undefined,
    new Error('x'),
    new ClfsError('target', 'SQLITE'),
    Object.assign(new Error('y'), { code: 'ENOENT' }),
    Object.assign(new Error('z'), { code: 5 }),
  ])
    expect(tell(error)).toBe(error);
});
