import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Attributes } from '../../format/attributes.js';
import { ObjectType } from '../../format/ids.js';
import type { FileStatus } from '../../posix/file-status.js';
import { KEPT_WHOLE } from '../target/kept-attributes.js';
import { isWhole } from './write-entry.js';

const nanosecond = fc.nat(999_999_999);
const second = fc.nat(2 ** 32 - 2);

/** A file of seven bytes in the target and in the container, with these times. */
function sameTimes(
  there: { readonly seconds: number; readonly nanoseconds: number },
  given: { readonly seconds: number; readonly nanoseconds: number },
  changedNanoseconds = 0,
  kept = KEPT_WHOLE,
): boolean {
  const status = {
    mode: 0o100644,
    sizeBytes: 7n,
    mtimeSeconds: there.seconds,
    mtimeNanoseconds: there.nanoseconds,
    ctimeNanoseconds: changedNanoseconds,
  } as FileStatus;
  return isWhole(status, { type: ObjectType.regular, lengthBytes: 7n, mtime: given } as Attributes, kept);
}

describe('isWhole', () => {
  it('knows a file by the time that its file system kept of the one that was given', () => {
    const steps = fc.constantFrom(1, 100, 1000, 1_000_000, 1_000_000_000);
    fc.assert(
      fc.property(second, nanosecond, steps, (seconds, nanoseconds, step) => {
        const kept = { seconds, nanoseconds: nanoseconds - (nanoseconds % step) };
        expect(sameTimes(kept, { seconds, nanoseconds })).toBe(true);
      }),
    );
  });

  it('takes no other second for it, and no other time of the same step', () => {
    fc.assert(
      fc.property(second, nanosecond, nanosecond, (seconds, kept, given) => {
        expect(sameTimes({ seconds: seconds + 1, nanoseconds: kept }, { seconds, nanoseconds: given })).toBe(false);
        const isLater = kept > given;
        if (isLater) expect(sameTimes({ seconds, nanoseconds: kept }, { seconds, nanoseconds: given })).toBe(false);
      }),
    );
  });

  it('takes no coarse time for a finer one where the file system keeps finer ones', () => {
    const given = { seconds: 5, nanoseconds: 923_456_789 };
    for (const step of [100, 1000, 1_000_000, 10_000_000, 1_000_000_000]) {
      const coarse = { seconds: 5, nanoseconds: given.nanoseconds - (given.nanoseconds % step) };
      expect(sameTimes(coarse, given, 123_456_789)).toBe(false);
      expect(sameTimes(coarse, given, step % 1_000_000_000)).toBe(true);
    }
  });

  it('knows a file by its even second where no others are kept', () => {
    const kept = { ...KEPT_WHOLE, evenSeconds: true } as const;
    for (const seconds of [6, 7]) {
      const given = { seconds, nanoseconds: 123_456_789 };
      expect(sameTimes({ seconds: 6, nanoseconds: 0 }, given, 10_000_000, kept)).toBe(true);
      expect(sameTimes({ seconds: 4, nanoseconds: 0 }, given, 0, kept)).toBe(false);
      expect(sameTimes({ seconds: 8, nanoseconds: 0 }, given, 0, kept)).toBe(false);
    }
  });

  it('tells times apart by nanoseconds where they are kept', () => {
    expect(sameTimes({ seconds: 5, nanoseconds: 7 }, { seconds: 5, nanoseconds: 8 })).toBe(false);
    expect(sameTimes({ seconds: 5, nanoseconds: 1001 }, { seconds: 5, nanoseconds: 1999 })).toBe(false);
    expect(sameTimes({ seconds: 5, nanoseconds: 1000 }, { seconds: 5, nanoseconds: 1999 })).toBe(true);
  });
});
