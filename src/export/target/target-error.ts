import { ClfsError, messageOf } from '../../error.js';
import { PosixError } from '../../posix/posix-error.js';
import { quotePath } from '../../text/escape-path.js';

/** What every further entry would fail for as well. */
const WHOLE_TARGET = new Set(['ENOSPC', 'EDQUOT', 'EROFS']);

/** The failure of a sync as that of the export: nobody knows which entries it hit. Anything else stays as it is. */
export function syncError(error: unknown): unknown {
  if (!(error instanceof PosixError)) return error;
  return new ClfsError(
    'target',
    `Cannot make durable what was written to the target: ${messageOf(error)}. Make room or mend the disk, and repeat the export: what is not recorded as done is written again.`,
    { cause: error },
  );
}

/** Turns the failure of one entry into that of the export, when it is one of the disk; anything else stays as it is. */
export function targetError(path: Buffer, error: unknown): unknown {
  if (!(error instanceof PosixError) || !WHOLE_TARGET.has(error.errno)) return error;
  // The quota of one owner is used up, and not that of whoever makes files there: then making one fails, too.
  if (error.errno === 'EDQUOT' && error.call === 'chown') return error;
  const remedy = error.errno === 'EROFS' ? 'Mount it so that it can be written to' : 'Make room there';
  const reason = messageOf(error).replace(/^\w+: /, '');
  return new ClfsError(
    'target',
    `Cannot write ${quotePath(path.length === 0 ? Buffer.from('.') : path)}: ${reason}. ${remedy}, and repeat the export: it goes on where it stopped.`,
    { cause: error },
  );
}
