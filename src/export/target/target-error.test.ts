import { constants } from 'node:os';
import { expect, it } from 'vitest';
import { PosixError } from '../../posix/posix-error.js';
import { problemOf } from '../tasks/problem.js';

const { EDQUOT, ENOSPC, EROFS } = constants.errno;
const PATH = Buffer.from('d/file');

it.each([
  ['write', ENOSPC],
  ['chown', ENOSPC],
  ['open', EDQUOT],
  ['write', EDQUOT],
  ['open', EROFS],
] as const)('a call %s that fails with error %d ends the export', (call, errno) => {
  expect(() => problemOf(PATH, new PosixError(call, errno))).toThrow(/^Cannot write "d\/file": /);
});

it('an owner whose quota is used up fails the entries that he is given', () => {
  const message = 'chown: disk quota exceeded (EDQUOT)';
  expect(problemOf(PATH, new PosixError('chown', EDQUOT))).toEqual({ reason: 'target-refuses', message });
});
